package commands

// This file looks at what stands beside a certificate that failed: how many
// own it, and which others may have the same fault. It is written down with the
// first check of an incident, since the draft is made from the record alone.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// maxKin is how many other certificates an entry keeps.
const maxKin = 40

// around looks at the inventory as it was last checked.
func (d *Desk) around(ctx context.Context, s renew.Standing, i incident.Incident) (incident.Around, error) {
	a := incident.Around{Looked: true}
	if t := d.team(s.Certificate.Owner); len(t.Groups) == 0 { // how many are in a group of a chat is not known here
		a.OwnerPeople = len(t.People)
	}
	all, err := d.o.Renewer.Estate(ctx)
	if err != nil {
		return a, fmt.Errorf("read the estate: %w", err)
	}
	for _, o := range all {
		if o.Certificate.Name == s.Certificate.Name || slices.Contains(i.Certificates, o.Certificate.Name) {
			continue
		}
		if same := shared(s, o); len(same) > 0 {
			a.Kin = append(a.Kin, incident.Kin{Certificate: o.Certificate.Name, Same: same})
		}
	}
	slices.SortStableFunc(a.Kin, func(x, y incident.Kin) int { // a flaw first, then what has most in common
		if fx, fy := slices.Contains(x.Same, "flaw"), slices.Contains(y.Same, "flaw"); fx != fy {
			if fx {
				return -1
			}
			return 1
		}
		return len(y.Same) - len(x.Same)
	})
	a.Kin = a.Kin[:min(len(a.Kin), maxKin)]
	return a, nil
}

// shared says what two certificates have in common: "flaw", "owner", "zone",
// "issuer".
func shared(a, b renew.Standing) (same []string) {
	flaws := flawsOf(b)
	if slices.ContainsFunc(flawsOf(a), func(id string) bool { return slices.Contains(flaws, id) }) {
		same = append(same, "flaw")
	}
	if o := a.Certificate.Owner; o != "" && strings.EqualFold(o, b.Certificate.Owner) {
		same = append(same, "owner")
	}
	zones := zonesOf(b.Certificate)
	if slices.ContainsFunc(zonesOf(a.Certificate), func(z string) bool { return slices.Contains(zones, z) }) {
		same = append(same, "zone")
	}
	if o := a.Certificate.Issuer; o != "" && o == b.Certificate.Issuer {
		same = append(same, "issuer")
	}
	return same
}

// flawsOf are the ids of what is wrong with a certificate, and of what its
// rehearsal failed on.
func flawsOf(s renew.Standing) (ids []string) {
	for _, r := range s.Reports {
		for _, f := range r.All() {
			if f.Severity.Rank() > renew.Info.Rank() {
				ids = append(ids, f.ID)
			}
		}
	}
	for _, p := range badProofs(s.Rehearsal) {
		ids = append(ids, p.Finding.ID)
	}
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// zonesOf are the registered domains of a certificate's names
// (publicsuffix.org): example.co.uk of images.example.co.uk.
func zonesOf(c renew.Certificate) (zones []string) {
	for _, name := range c.Domains {
		zone, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimPrefix(strings.ToLower(name), "*."))
		if err == nil && !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	return zones
}
