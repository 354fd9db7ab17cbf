package commands

import (
	"context"

	"github.com/certmedic/certmedic/renew"
)

// AlertRound is one round of WorkAlerts.
func (d *Desk) AlertRound(ctx context.Context, post func(Post)) error {
	return d.alertRound(ctx, post, true)
}

// CertificateOf is which certificate of an inventory an alert is about.
func CertificateOf(inv renew.Inventory, a Alert) string { return newMatcher(inv).certificate(a) }
