package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: which groups of alerts wait for something to be said or done.

// DueAlerts returns groups about which something is to be said or done.
func (b *Book) DueAlerts(ctx context.Context, limit int) (list []AlertGroup, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		list = nil
		return tx.Scan(store.Range{Prefix: keyHeardDue, Limit: limit}, func(key string, _ []byte) error {
			id := key[len(keyHeardDue):]
			g, err := (&filing{tx: tx, groups: map[string]*diskGroup{}}).group(id)
			if err != nil {
				return err
			}
			if g == nil {
				g = &diskGroup{} // swept away: AlertsTold takes the mark off
			}
			list = append(list, g.group(id))
			return nil
		})
	})
	return list, err
}

// AlertsTold keeps what was done about a group (InMain, Incident). Nothing is
// due then, unless it has changed meanwhile.
func (b *Book) AlertsTold(ctx context.Context, g AlertGroup) error {
	return b.s.Update(ctx, func(tx store.Tx) error {
		f := &filing{tx: tx, groups: map[string]*diskGroup{}}
		now, err := f.group(g.ID)
		if err != nil {
			return err
		}
		if now == nil || now.Rev == g.Rev {
			if err := tx.Delete(keyHeardDue + g.ID); err != nil {
				return err
			}
		}
		if now == nil || now.InMain == g.InMain && now.Incident == g.Incident {
			return nil
		}
		now.InMain, now.Incident = g.InMain, g.Incident
		return f.put(keyHeardGroup+g.ID, *now)
	})
}

// AlertsOf returns the groups about a certificate that are news since a
// moment: heard of since then, or not over. The oldest comes first.
func (b *Book) AlertsOf(ctx context.Context, certificate string, since time.Time) (list []AlertGroup, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		list = nil
		return tx.Scan(store.Range{Prefix: keyHeardGroup + subject(certificate, "") + "/", Reverse: true, Limit: 20}, func(key string, v []byte) error {
			var d diskGroup
			if err := json.Unmarshal(v, &d); err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			if g := d.group(key[len(keyHeardGroup):]); g.Last.After(since) || g.Firing() > 0 && g.Last.After(since.Add(-7*day)) {
				list = append(list, g)
			}
			return nil
		})
	})
	slices.Reverse(list)
	return list, err
}

// AlertsDue marks a group: something is to be done about it, for example
// because an incident was declared meanwhile.
func (b *Book) AlertsDue(ctx context.Context, id string) error {
	return b.s.Update(ctx, func(tx store.Tx) error {
		f := &filing{tx: tx, groups: map[string]*diskGroup{}}
		g, err := f.group(id)
		if err != nil || g == nil {
			return err
		}
		f.touch(id, g)
		return f.flush()
	})
}
