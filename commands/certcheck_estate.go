package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// estate answers /certcheck alone: a line a certificate, worst first.
func (c *call) estate(ctx context.Context) (Reply, error) {
	all, err := c.d.o.Renewer.Estate(ctx)
	if err != nil {
		return Reply{}, fmt.Errorf("read the estate: %w", err)
	}
	if len(all) == 0 {
		return Reply{State: StateInfo, Headline: "The configuration has no certificate yet.", Body: "Any address can be checked all the same, for example: /certcheck example.com:443"}, nil
	}
	now := c.now()
	r := Reply{Table: Table{Columns: []string{"certificate", "state", "left", "life", "hosts", "renewal", "rehearsed"}}, Links: []Link{{"Estate", estatePath}}}
	max := maxRows
	if c.args.has("all") {
		max = 200
	}
	var bad, soon []string
	r.State = StateGood
	for i, s := range all {
		state, word := standingWord(s, now)
		switch state {
		case StateCritical:
			fault := word
			if word == "expired" && !s.NotAfter.IsZero() {
				fault += " " + ago(now, s.NotAfter)
			}
			bad = append(bad, s.Certificate.Name+" ("+fault+")")
		case StateWarning, StateUnknown:
			soon = append(soon, s.Certificate.Name+" ("+word+")")
		}
		if i < max {
			r.Table.Rows = append(r.Table.Rows, Row{State: state, Cells: []string{s.Certificate.Name, cellOf(word), leftCell(s, now), shareLeft(s, now),
				fmt.Sprintf("%d of %d", s.HostsGood, s.Hosts), renewalCell(s, now), rehearsalCell(s, now)}})
		}
	}
	switch {
	case len(bad) > 0:
		r.State, r.Headline = StateCritical, fmt.Sprintf("%d of %s: %s.", len(bad), failVerb(len(all), len(bad)), listed(bad, 5))
	case len(soon) > 0:
		r.State, r.Headline = StateWarning, fmt.Sprintf("Nothing fails; %d of %s to be looked at: %s.", len(soon), needs(len(all), len(soon)), listed(soon, 5))
	default:
		r.Headline = "Every certificate is good: " + plural(len(all), "certificate") + "."
		if len(all) == 1 {
			r.Headline = all[0].Certificate.Name + " is good, the only certificate."
		}
	}
	if len(all) > max {
		r.Body = fmt.Sprintf("And %d more, none worse: see the page.", len(all)-max)
	}
	for _, s := range all[:min(len(all), 3)] {
		if state, _ := standingWord(s, now); state != StateGood {
			r.Buttons = append(r.Buttons, Button{Label: "Check " + s.Certificate.Name, Command: "/certcheck " + s.Certificate.Name, Style: style(len(r.Buttons) == 0)})
		}
	}
	return r, nil
}

func style(primary bool) string {
	if primary {
		return "primary"
	}
	return ""
}

func failVerb(all, n int) string {
	s := plural(all, "certificate")
	if n == 1 {
		return s + " fails"
	}
	return s + " fail"
}

func needs(all, n int) string {
	s := plural(all, "certificate")
	if n == 1 {
		return s + " needs"
	}
	return s + " need"
}

// standingWord is how a certificate stands, as state and word.
func standingWord(s renew.Standing, now time.Time) (state, word string) {
	switch {
	case s.Checked.IsZero():
		return StateUnknown, "not checked yet"
	case s.Verdict == renew.Critical:
		hs := hostsOf(s.Certificate, s.Reports)
		if slices.ContainsFunc(hs, func(h seenHost) bool { return h.has("expired") }) {
			return StateCritical, "expired"
		}
		var all []renew.Finding
		for _, r := range s.Reports {
			all = append(all, r.All()...)
		}
		return StateCritical, faultWord(worstOf(all).ID)
	case s.Overdue:
		return StateWarning, "renewal overdue"
	case s.Verdict == renew.Warning:
		var all []renew.Finding
		for _, r := range s.Reports {
			all = append(all, r.All()...)
		}
		return StateWarning, faultWord(worstOf(all).ID)
	case !s.NotAfter.IsZero() && !now.Before(s.NotAfter):
		return StateCritical, "expired"
	case rehearsalBad(s):
		return StateWarning, "renewal would fail"
	}
	return StateGood, "good"
}

func timeLeft(s renew.Standing, now time.Time) string {
	switch {
	case s.NotAfter.IsZero():
		return "not known"
	case now.Before(s.NotAfter):
		return span(s.NotAfter.Sub(now))
	}
	return "none, " + ago(now, s.NotAfter)
}

// shareLeft is the share of the lifetime that is left, in percent.
func shareLeft(s renew.Standing, now time.Time) string {
	life := s.NotAfter.Sub(s.NotBefore)
	if s.NotAfter.IsZero() || s.NotBefore.IsZero() || life <= 0 {
		return "?"
	}
	left := s.NotAfter.Sub(now)
	// In seconds: a hundred times a few years is more nanoseconds than fit.
	return fmt.Sprintf("%d %%", max(0, min(100, int64(left/time.Second)*100/max(1, int64(life/time.Second)))))
}

// The cells of the estate's table are short: seven columns have to fit.

func cellOf(word string) string {
	switch word {
	case "not checked yet":
		return "unchecked"
	case "renewal overdue":
		return "overdue"
	case "renewal would fail":
		return "path fails"
	}
	return shortFault(strings.ReplaceAll(word, " ", "_"))
}

func leftCell(s renew.Standing, now time.Time) string {
	switch {
	case s.NotAfter.IsZero():
		return "?"
	case now.Before(s.NotAfter):
		return brief(s.NotAfter.Sub(now))
	}
	return "none"
}

func renewalCell(s renew.Standing, now time.Time) string {
	switch {
	case s.Renewal != "":
		return s.Renewal + " open"
	case s.Overdue && !s.Window.End.IsZero():
		return "overdue " + brief(now.Sub(s.Window.End))
	case s.Overdue, !s.NotAfter.IsZero() && !now.Before(s.NotAfter):
		return "overdue"
	case s.RenewAt.IsZero():
		return "?"
	case now.Before(s.RenewAt):
		return "due " + briefAgo(now, s.RenewAt)
	}
	return "due now"
}

func rehearsalCell(s renew.Standing, now time.Time) string {
	switch {
	case s.Rehearsed.IsZero():
		return "never"
	case rehearsalBad(s):
		return "fails " + briefAgo(now, s.Rehearsed)
	}
	return "good " + briefAgo(now, s.Rehearsed)
}

// rehearsalBad reports that the last rehearsal found something in the way.
func rehearsalBad(s renew.Standing) bool {
	return slices.ContainsFunc(s.Rehearsal, func(p renew.Proof) bool { return !p.OK })
}

func rehearsalWord(s renew.Standing, now time.Time) string {
	switch {
	case s.Rehearsed.IsZero():
		return "never"
	case !rehearsalBad(s):
		return "good, " + ago(now, s.Rehearsed)
	case s.RehearsedOK.IsZero():
		return "fails, " + ago(now, s.Rehearsed) + "; never good"
	}
	return "fails, " + ago(now, s.Rehearsed) + "; last good " + stamp(s.RehearsedOK)
}
