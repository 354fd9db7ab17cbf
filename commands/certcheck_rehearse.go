package commands

import (
	"context"
	"fmt"
	"strings"

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
	r.Facts = []Fact{{"rehearsed", stamp(s.Rehearsed)}, {"last good", lastGoodRehearsal(s)}}
	r.Buttons = []Button{planButton(s, "Renew"), {Label: "Rehearse again", Command: "/certcheck rehearse " + cert.Name}}
	return r, nil
}

// rehearsal draws what the last rehearsal of a certificate saw.
func rehearsal(s renew.Standing) Reply {
	r := Reply{State: StateGood, Headline: s.Certificate.Name + " could be renewed today: every level of the rehearsal is good.", Steps: proofLines(s.Rehearsal), Links: []Link{{s.Certificate.Name, certificatePath(s.Certificate.Name)}}}
	switch bad := badProofs(s.Rehearsal); {
	case len(s.Rehearsal) == 0:
		r.State, r.Headline = StateUnknown, s.Certificate.Name+" has not been rehearsed."
	case len(bad) > 0:
		how := ""
		if onlyPath(bad) {
			how = " with " + bad[0].Level
		}
		r.State, r.Headline = StateWarning, end(fmt.Sprintf("A renewal of %s%s would fail today: %s", s.Certificate.Name, how, lower(proofText(bad[0]))))
		r.Body = nextOf(bad)
		if ok := working(s.Certificate, s.Rehearsal); len(ok) > 0 && onlyPath(bad) {
			r.Body += "With " + listed(ok, 3) + " it works: /renew " + s.Certificate.Name + " --challenge " + ok[0]
		}
	}
	return r
}

// planButton plans the renewal, with the challenge that works when only the
// path of the first one is broken.
func planButton(s renew.Standing, label string) Button {
	b := Button{Label: label, Command: "/renew " + s.Certificate.Name}
	if ok := working(s.Certificate, s.Rehearsal); len(ok) > 0 && onlyPath(badProofs(s.Rehearsal)) {
		b.Label, b.Command, b.Style = label+" with "+strings.ToUpper(ok[0]), b.Command+" --challenge "+ok[0], "primary"
	}
	return b
}

func lastGoodRehearsal(s renew.Standing) string {
	if s.RehearsedOK.IsZero() {
		return "never"
	}
	return stamp(s.RehearsedOK)
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

// proofLines is a line a level, good or not. What is said twice is said once,
// and more than two good ones of a level are one line.
func proofLines(ps []renew.Proof) []Line {
	good := map[string][]string{}
	var once []renew.Proof
	seen := map[string]bool{}
	for _, p := range ps {
		if k := p.Level + "\x00" + p.Subject + "\x00" + p.Text; !seen[k] {
			seen[k] = true
			once = append(once, p)
			if p.OK {
				good[p.Level] = append(good[p.Level], p.Subject)
			}
		}
	}
	var out []Line
	said := map[string]bool{}
	for i, p := range once {
		if len(out) == maxRows {
			return append(out, Line{StateInfo, fmt.Sprintf("and %d more: see the page", len(once)-i)})
		}
		many := p.OK && len(good[p.Level]) > 2
		switch {
		case !p.OK:
			out = append(out, Line{StateCritical, p.Level + " " + p.Subject + ": " + proofText(p)})
		case many && !said[p.Level]:
			said[p.Level] = true
			out = append(out, Line{StateGood, fmt.Sprintf("%s: %d good: %s", p.Level, len(good[p.Level]), listed(good[p.Level], 5))})
		case !many && (p.Text == "" || strings.Contains(p.Text, p.Subject)):
			out = append(out, Line{StateGood, p.Level + ": " + orElse(p.Text, p.Subject+" is good")})
		case !many:
			out = append(out, Line{StateGood, p.Level + " " + p.Subject + ": " + p.Text})
		}
	}
	return out
}

// working are the challenges of a rehearsal that have no fault.
func working(c renew.Certificate, ps []renew.Proof) []string {
	var out []string
	for _, ch := range c.Challenges {
		tried, bad := false, false
		for _, p := range ps {
			if p.Level == ch.Type {
				tried, bad = true, bad || !p.OK
			}
		}
		if tried && !bad {
			out = append(out, ch.Type)
		}
	}
	return out
}

// onlyPath reports that nothing but paths of challenges is broken.
func onlyPath(bad []renew.Proof) bool {
	for _, p := range bad {
		if p.Level != renew.HTTP01 && p.Level != renew.DNS01 {
			return false
		}
	}
	return len(bad) > 0
}
