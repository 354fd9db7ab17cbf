package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/renew"
)

func whoVerb() *verb {
	return &verb{Verb: Verb{Name: "certcheck who", Args: "certificate", Summary: "who owns a certificate, who approves, its CA, where the key lives, the runbook, the last renewals",
		Example: "/certcheck who media"}, max: 1, run: whoOf}
}

func whoOf(ctx context.Context, c *call) (Reply, error) {
	cert, err := c.certificateArg()
	if err != nil {
		return Reply{}, err
	}
	last, err := c.d.o.Renewer.Renewals(ctx, cert.Name, 3)
	if err != nil {
		return Reply{}, fmt.Errorf("renewals of %s: %w", cert.Name, err)
	}
	owner := c.d.team(cert.Owner)
	r := Reply{State: StateInfo, Links: []Link{{cert.Name, certificatePath(cert.Name)}}}
	switch {
	case cert.Owner == "":
		r.State, r.Headline = StateWarning, cert.Name+" has no owner: name a team in the configuration."
	case len(owner.People) == 0:
		r.State, r.Headline = StateWarning, fmt.Sprintf("%s belongs to %s, which has nobody in it.", cert.Name, cert.Owner)
	default:
		r.Headline = fmt.Sprintf("%s belongs to %s: %s.", cert.Name, cert.Owner, listed(owner.People, 8))
	}
	r.Facts = []Fact{{"approval", c.d.approvalWords(cert)}, {"escalation", escalation(owner)}, {"CA", c.d.issuerWords(cert)}, {"key", keyWords(cert)}, {"runbook", orNone(cert.Runbook)}}
	if len(last) > 0 {
		r.Table = renewalsTable(last, c.now())
	} else {
		r.Body = "It has not been renewed by certmedic yet."
	}
	r.Buttons = []Button{{Label: "Check", Command: "/certcheck " + cert.Name}, {Label: "Renew", Command: "/renew " + cert.Name}}
	return r, nil
}

func (d *Desk) team(name string) Team {
	for _, t := range d.o.Teams {
		if strings.EqualFold(t.Name, name) {
			return t
		}
	}
	return Team{}
}

// approvalWords says who may approve a renewal.
func (d *Desk) approvalWords(cert renew.Certificate) string {
	if len(cert.Approval.Teams) == 0 {
		return "none needed"
	}
	s := "by " + listed(cert.Approval.Teams, 4)
	if people := d.peopleOf(cert.Approval.Teams); len(people) > 0 {
		s += " (" + listed(people, 8) + ")"
	}
	if !cert.Approval.Self {
		s += ", not by the one who asked"
	}
	return s
}

func escalation(t Team) string {
	if len(t.Escalate) == 0 {
		return "none configured"
	}
	return "then " + listed(t.Escalate, 5)
}

func (d *Desk) issuerWords(cert renew.Certificate) string {
	for _, i := range d.o.Renewer.Inventory().Issuers {
		if i.Name == cert.Issuer {
			s := i.Name + ", " + i.Directory
			if i.Email != "" {
				s += ", account of " + i.Email
			}
			return s
		}
	}
	return orNone(cert.Issuer)
}

// keyWords says where the private key lives, never what it is.
func keyWords(cert renew.Certificate) string {
	kind := cert.Key
	if kind == "" {
		kind = "ecdsa-p256"
	}
	var at []string
	for _, t := range cert.Hosts() {
		at = append(at, t.Name+":"+t.Directory.Path)
	}
	s := kind + ", sealed in certmedic's record"
	if len(at) > 0 {
		s += " and on " + listed(at, 3)
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none configured"
	}
	return s
}
