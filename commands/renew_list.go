package commands

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// renewals answers /renew alone: due, overdue, running, waiting, failed.
func (c *call) renewals(ctx context.Context) (Reply, error) {
	all, err := c.d.o.Renewer.Renewals(ctx, "", 100)
	if err != nil {
		return Reply{}, fmt.Errorf("list renewals: %w", err)
	}
	estate, err := c.d.o.Renewer.Estate(ctx)
	if err != nil {
		return Reply{}, fmt.Errorf("read the estate: %w", err)
	}
	now := c.now()
	r := Reply{State: StateGood, Links: []Link{{"Estate", estatePath}}}
	t := Table{Columns: []string{"certificate", "renewal", "state", "since", "what next"}}
	count := map[string]int{}
	last := map[string]bool{}
	for _, ren := range all {
		name := ren.Ask.Certificate
		newest := !last[name]
		last[name] = true
		if ren.State.Final() && (ren.State != renew.Failed && ren.State != renew.RolledBack || !newest) {
			continue
		}
		state, since, next := listWords(ren)
		count[string(ren.State)]++
		t.Rows = append(t.Rows, Row{State: state, Cells: []string{name, ren.ID, strings.ReplaceAll(string(ren.State), "_", " "), stamp(since), next}})
		r.Buttons = append(r.Buttons, Button{Label: "Show " + ren.ID, Command: "/renew status " + ren.ID})
	}
	for _, s := range estate {
		word, state := dueWord(s, now)
		if word == "" || s.Renewal != "" {
			continue
		}
		count[word]++
		name := s.Certificate.Name
		since := s.RenewAt
		if word == "overdue" && !s.Window.End.IsZero() {
			since = s.Window.End
		}
		t.Rows = append(t.Rows, Row{State: state, Cells: []string{name, "-", word, stamp(since), "/renew " + name}})
		r.Buttons = append(r.Buttons, Button{Label: "Renew " + name, Command: "/renew " + name})
	}
	r.Headline = "No renewal is due, running or waiting."
	if len(t.Rows) > 0 {
		r.Table, r.State = t, StateInfo
		var parts []string
		for _, k := range []string{"overdue", "failed", "rolled_back", "waiting", "stopped", "running", "due"} {
			if n := count[k]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(k, "_", " ")))
			}
		}
		if count["overdue"]+count["failed"]+count["rolled_back"] > 0 {
			r.State = StateWarning
		}
		r.Headline = "Renewals: " + strings.Join(parts, ", ") + "."
	}
	if n := len(t.Rows); n > maxRows {
		r.Table.Rows = t.Rows[:maxRows]
		r.Body = fmt.Sprintf("And %d more: see the page.", n-maxRows)
	}
	r.Buttons = r.Buttons[:min(3, len(r.Buttons))]
	return r, nil
}

func listWords(r renew.Renewal) (state string, since time.Time, next string) {
	switch r.State {
	case renew.Waiting:
		return StateWarning, r.Asked, "/renew approve " + r.ID
	case renew.Running:
		return StateRunning, r.Asked, "/renew status " + r.ID
	case renew.Stopped:
		return StateWarning, r.Asked, "/renew resume " + r.ID
	}
	return StateCritical, r.Ended, "/renew " + r.Ask.Certificate
}

// dueWord is "overdue", "due" or "".
func dueWord(s renew.Standing, now time.Time) (word, state string) {
	switch {
	case s.Overdue:
		return "overdue", StateWarning
	case !s.NotAfter.IsZero() && !now.Before(s.NotAfter):
		return "overdue", StateCritical
	case !s.RenewAt.IsZero() && !now.Before(s.RenewAt):
		return "due", StateInfo
	}
	return "", ""
}

// renewalsTable lists renewals of one certificate.
func renewalsTable(rs []renew.Renewal, now time.Time) Table {
	t := Table{Columns: []string{"renewal", "asked", "by", "state", "serial"}}
	for _, r := range rs {
		state := StateInfo
		switch r.State {
		case renew.Done:
			state = StateGood
		case renew.Failed, renew.RolledBack:
			state = StateCritical
		case renew.Running:
			state = StateRunning
		}
		t.Rows = append(t.Rows, Row{State: state, Cells: []string{r.ID, stamp(r.Asked) + " (" + ago(now, r.Asked) + ")", who(r.Ask.By.Name), strings.ReplaceAll(string(r.State), "_", " "), orElse(short16(r.Issued.Serial), "-")}})
	}
	return t
}
