package commands_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// known are the lines of an incident that say what was known before.
func known(t *testing.T, r *room, id string) (alerts, rehearsals, overdue []incident.Entry) {
	t.Helper()
	es, err := r.book.Timeline(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		switch {
		case e.Kind == incident.Alert:
			alerts = append(alerts, e)
		case e.Kind == incident.Rehearsal:
			rehearsals = append(rehearsals, e)
		case !e.Evidence.Check.Overdue.IsZero():
			overdue = append(overdue, e)
		}
	}
	return alerts, rehearsals, overdue
}

func TestKnownBefore(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good := r.clock.now()
	r.rehearsed("media")
	r.clock.add(time.Minute)
	r.engine.broken["media/http-01"] = "it answers 404"
	failed := r.clock.now()
	r.rehearsed("media")
	end := t0.Add(-30 * 24 * time.Hour)
	s := r.engine.standing["media"]
	s.Overdue, s.Window.End = true, end
	r.engine.standing["media"] = s
	r.clock.add(time.Minute)
	posted := r.clock.now()
	r.engine.checked("media")
	r.clock.add(time.Minute)
	r.engine.checked("media") // edits the alert that was posted
	r.must("ana", "main", "/incident declare media fails")

	alerts, rehearsals, overdue := known(t, r, "INC-1")
	if len(alerts) != 1 || !alerts[0].At.Equal(posted) || alerts[0].Evidence.Alert.Room != "main" || !strings.Contains(alerts[0].Text, "expired") {
		t.Errorf("alerts: %+v", alerts)
	}
	if len(rehearsals) != 2 || !rehearsals[0].At.Equal(good) || !rehearsals[0].Evidence.Rehearsal.OK || !rehearsals[1].At.Equal(failed) {
		t.Fatalf("rehearsals: %+v", rehearsals)
	}
	if ev := rehearsals[1].Evidence.Rehearsal; ev.OK || !ev.LastGood.Equal(good) || len(ev.Faults) != 1 || ev.Faults[0].Level != renew.HTTP01 || ev.Faults[0].Cause != "it answers 404" {
		t.Errorf("%+v", ev)
	}
	if len(overdue) != 1 || !overdue[0].At.Equal(end) || !overdue[0].Evidence.Check.Overdue.Equal(end) {
		t.Errorf("overdue: %+v", overdue)
	}
	i, err := r.book.Incident(context.Background(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := i.Milestone(incident.Detected); m.At.After(posted) || m.Source != "measured" {
		t.Errorf("detected: %+v", m)
	}

	r.engine.checked("media") // while it is open: nothing twice
	r.rehearsed("media")
	delete(r.engine.broken, "media/http-01")
	r.clock.add(time.Minute)
	r.rehearsed("media")
	a2, r2, o2 := known(t, r, "INC-1")
	if len(a2) != 1 || len(o2) != 1 {
		t.Errorf("%d alerts, %d overdue", len(a2), len(o2))
	}
	if n := len(r2); n < 3 || !r2[n-1].Evidence.Rehearsal.OK {
		t.Errorf("%d rehearsals: %+v", n, r2)
	}
}

// TestAlertWhileOpen: what comes after the declaration lands too.
func TestAlertWhileOpen(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare media fails --cert media")
	if a, h, o := known(t, r, "INC-1"); len(a)+len(h)+len(o) != 0 {
		t.Fatalf("%v %v %v", a, h, o)
	}
	r.engine.checked("media")
	r.engine.checked("media")
	if a, _, _ := known(t, r, "INC-1"); len(a) != 1 || a[0].At.IsZero() {
		t.Errorf("%+v", a)
	}
}

// TestOverdueFromFinding: where the window is not known, the finding's proof says it.
func TestOverdueFromFinding(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	s := r.engine.standing["media"]
	for n := range s.Reports {
		s.Reports[n].Findings = append(s.Reports[n].Findings, renew.Finding{ID: "renewal_overdue", Severity: renew.Warning, Proof: map[string]string{"overdue_at": "2026-10-23 02:31:47 UTC"}})
	}
	e := renew.Event{Key: "k", Kind: renew.EventCheck, At: r.clock.now(), Standing: s, Before: renew.Warning}
	r.must("ana", "main", "/incident declare media fails --cert media")
	r.engine.emit(e)
	if _, _, o := known(t, r, "INC-1"); len(o) != 1 || !o[0].At.Equal(time.Date(2026, 10, 23, 2, 31, 47, 0, time.UTC)) {
		t.Errorf("%+v", o)
	}
}

// tableWidth is how many columns a table needs on a terminal: the mark of a
// row, then every column as wide as its widest cell, two spaces between.
func tableWidth(tab commands.Table) int {
	width := 4 + 2*(len(tab.Columns)-1)
	for n, name := range tab.Columns {
		most := utf8.RuneCountInString(name)
		for _, row := range tab.Rows {
			most = max(most, utf8.RuneCountInString(row.Cells[n]))
		}
		width += most
	}
	return width
}

// TestTablesFit: in the usual case no cell of a table is wrapped at 80 columns.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for a, l := range r.engine.served {
		l.Serial = "03cb56c9080517250" + fmt.Sprint(len(l.Serial))
		r.engine.served[a] = l
	}
	r.rehearsed("media")
	s := r.engine.standing["media"]
	s.Overdue, s.Window.End = true, t0.Add(-30*24*time.Hour)
	r.engine.standing["media"] = s
	for _, line := range []string{"/certcheck", "/certcheck media", "/certcheck media --all", "/renew media --yes"} {
		p := r.must("ana", "main", line)
		if p.Table.IsZero() {
			t.Fatalf("%s: no table", line)
		}
		if n := tableWidth(p.Table); n > 80 {
			t.Errorf("%s: the table is %d columns wide: %+v", line, n, p.Table)
		}
		if line != "/certcheck" && !strings.Contains(fmt.Sprint(p.Table), "03cb56c9…") {
			t.Errorf("%s: no short serial in %+v", line, p.Table)
		}
	}
	if p := r.must("ana", "main", "/certcheck media"); !slices.Contains(p.Facts, commands.Fact{Name: "issued by", Value: "Pebble Intermediate CA 1"}) {
		t.Errorf("one issuer is a fact, not a column: %+v", p.Facts)
	}
}

// TestRenewKey: the engine is told which request an ask is.
func TestRenewKey(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/renew media --yes")
	if all, _ := r.engine.Renewals(context.Background(), "media", 1); len(all) != 1 || all[0].Ask.Key != "req/d-1" {
		t.Errorf("%+v", all)
	}
}

// TestNextButton: the first button is the right one for each state of an outage.
func TestNextButton(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	first := func(who, where, line, want string) commands.Reply {
		t.Helper()
		p := r.must(who, where, line)
		if len(p.Buttons) == 0 || p.Buttons[0].Command != want {
			t.Errorf("%s: %+v, want %s first", line, p.Buttons, want)
		}
		return p
	}
	first("ana", "main", "/incident declare sev2 images do not load --cert media", "/incident lead INC-1 me")
	p := first("ana", "INC-1", "/incident lead me", "/renew media")
	for _, b := range p.Buttons {
		if strings.Contains(b.Command, "resolve") {
			t.Errorf("resolve is offered while every host fails: %+v", p.Buttons)
		}
	}
	first("ana", "INC-1", "/renew media", "/renew media --yes")
	first("ana", "INC-1", "/renew media --yes", "/incident resolve INC-1")
	first("ana", "INC-1", "/incident", "/incident resolve INC-1")
	p = r.must("ana", "INC-1", "/incident resolve")
	if b := p.Buttons[0]; !strings.HasPrefix(b.Command, "/incident impact INC-1 ") || b.Confirm == "" || b.Style != "primary" {
		t.Fatalf("resolved, no impact: %+v", p.Buttons)
	}
	p = first("ana", "INC-1", p.Buttons[0].Command, "/incident close INC-1")
	if i, _ := r.book.Incident(context.Background(), "INC-1"); !strings.Contains(i.Impact, "media failed for") {
		t.Errorf("impact %q", i.Impact)
	}
	p = r.must("ana", "INC-1", p.Buttons[0].Command)
	if len(p.Links) == 0 || p.Links[0].Path != "/incident/INC-1/draft" {
		t.Errorf("%+v", p.Links)
	}
}

// TestPlanButton: when only the first challenge's path is broken, the button
// plans with the one that works.
func TestPlanButton(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	if b := r.must("ana", "main", "/certcheck rehearse media").Buttons[0]; b.Command != "/renew media" {
		t.Errorf("all good: %+v", b)
	}
	r.engine.broken["media/http-01"] = "it answers 404"
	p := r.must("ana", "main", "/certcheck rehearse media")
	if b := p.Buttons[0]; b.Command != "/renew media --challenge dns-01" || b.Style != "primary" {
		t.Errorf("%+v", b)
	}
	if b := r.must("ana", "main", p.Buttons[0].Command).Buttons[0]; b.Command != "/renew media --challenge dns-01 --yes" {
		t.Errorf("its plan: %+v", b)
	}
}

// TestNoWayBack: what has expired is not offered to be put back.
func TestNoWayBack(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.engine.failHost = "sally"
	p := r.say("ana", "main", "/renew media --yes")
	if len(p.Buttons) == 0 || p.Buttons[0].Command != "/renew media" {
		t.Fatalf("%+v", p)
	}
	for _, b := range p.Buttons {
		if strings.Contains(b.Command, "rollback") {
			t.Errorf("a rollback to an expired certificate is offered: %+v", b)
		}
	}
}
