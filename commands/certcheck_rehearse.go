package commands

import (
	"context"
	"fmt"

	"github.com/certmedic/certmedic/renew"
)

func rehearseVerb() *verb {
	return &verb{Verb: Verb{Name: "certcheck rehearse", Args: "certificate", Summary: "whether a renewal would work today, level by level, without ordering anything",
		Example: "/certcheck rehearse media"}, max: 1, run: rehearse}
}

func rehearse(ctx context.Context, c *call) (Reply, error) {
	cert, err := c.certificateArg()
	if err != nil {
		return Reply{}, err
	}
	s, err := c.d.o.Renewer.Rehearse(ctx, cert.Name)
	if err != nil {
		return Reply{}, fmt.Errorf("rehearse %s: %w", cert.Name, err)
	}
	r := rehearsal(s)
	r.Facts = []Fact{{"rehearsed", stamp(s.Rehearsed)}, {"last good", stamp(s.RehearsedOK)}}
	r.Buttons = []Button{{Label: "Renew", Command: "/renew " + cert.Name}, {Label: "Rehearse again", Command: "/certcheck rehearse " + cert.Name}}
	return r, nil
}

// rehearsal draws what the last rehearsal of a certificate saw.
func rehearsal(s renew.Standing) Reply {
	r := Reply{State: StateGood, Headline: s.Certificate.Name + " could be renewed today: every level of the rehearsal is good.", Steps: proofLines(s.Rehearsal), Links: []Link{{s.Certificate.Name, certificatePath(s.Certificate.Name)}}}
	switch bad := badProofs(s.Rehearsal); {
	case len(s.Rehearsal) == 0:
		r.State, r.Headline = StateUnknown, s.Certificate.Name+" has not been rehearsed."
	case len(bad) > 0:
		r.State, r.Headline = StateWarning, end(fmt.Sprintf("A renewal of %s would fail today: %s", s.Certificate.Name, lower(proofText(bad[0]))))
		r.Body = nextOf(bad)
	}
	return r
}

func badProofs(ps []renew.Proof) []renew.Proof {
	var out []renew.Proof
	for _, p := range ps {
		if !p.OK {
			out = append(out, p)
		}
	}
	return out
}

// proofText is what a failed level saw.
func proofText(p renew.Proof) string {
	if p.Text != "" {
		return p.Text
	}
	if p.Finding.Cause != "" {
		return p.Finding.Cause
	}
	return p.Level + " of " + p.Subject + " failed"
}

// nextOf are the next actions of failed levels, each once.
func nextOf(ps []renew.Proof) string {
	out := ""
	seen := map[string]bool{}
	for _, p := range ps {
		if n := p.Finding.Next; n != "" && !seen[n] && len(seen) < 4 {
			seen[n] = true
			out += end(upper(n)) + "\n"
		}
	}
	return out
}

// proofLines is a line a level, good or not.
func proofLines(ps []renew.Proof) []Line {
	var out []Line
	for i, p := range ps {
		if i == maxRows {
			out = append(out, Line{StateInfo, fmt.Sprintf("and %d more: see the page", len(ps)-maxRows)})
			break
		}
		l := Line{State: StateGood, Text: p.Level + " " + p.Subject + ": " + proofText(p)}
		if p.OK && p.Text == "" {
			l.Text = p.Level + " " + p.Subject + ": good"
		}
		if !p.OK {
			l.State = StateCritical
		}
		out = append(out, l)
	}
	return out
}
