package postmortem

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests, on every machine

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

var (
	ana = incident.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	ben = incident.Person{ID: "web:ben", Name: "ben", Platform: "web"}
)

// tape writes a record line by line, each at its time.
type tape struct {
	t    testing.TB
	b    *incident.Book
	now  time.Time
	day  string
	last incident.Incident
	wave int // of the hosts that place places, from 1; 0: not written down
}

func newTape(t testing.TB, day string) *tape {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"), store.Options{Program: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p := &tape{t: t, day: day}
	p.b = incident.NewBook(s, func() time.Time { return p.now })
	return p
}

// at sets the clock and returns the moment.
func (p *tape) at(clock string) time.Time {
	p.t.Helper()
	if len(clock) == 5 {
		clock += ":00"
	}
	at, err := time.Parse("2006-01-02 15:04:05", p.day+" "+clock)
	if err != nil {
		p.t.Fatal(err)
	}
	p.now = at
	return at
}

func (p *tape) must(i incident.Incident, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	p.last = i
}

func (p *tape) entry(clock string, e incident.Entry) {
	p.t.Helper()
	p.at(clock)
	if _, added, _, err := p.b.Append(p.t.Context(), "INC-1", e); err != nil || !added {
		p.t.Fatal(added, err)
	}
}

func (p *tape) note(clock string, by incident.Person, kind, text string) {
	p.entry(clock, incident.Entry{By: by, Kind: kind, Text: text, Link: "https://chat.example.com/m/" + strings.ReplaceAll(clock, ":", "")})
}

func (p *tape) step(clock string, s incident.StepEvidence, text string) {
	p.entry(clock, incident.Entry{By: incident.Bot, Kind: incident.RenewalStep, Text: text, Evidence: incident.Evidence{Step: s}})
}

// record reads everything back.
func (p *tape) record(zone *time.Location) Record {
	p.t.Helper()
	ctx := p.t.Context()
	i, err := p.b.Incident(ctx, "INC-1")
	if err != nil {
		p.t.Fatal(err)
	}
	timeline, err := p.b.Timeline(ctx, "INC-1")
	if err != nil {
		p.t.Fatal(err)
	}
	history, err := p.b.History(ctx, "INC-1")
	if err != nil {
		p.t.Fatal(err)
	}
	for n := range timeline { // salted, so never twice the same
		timeline[n].Prev, timeline[n].Hash = "", ""
	}
	updates, err := p.b.Updates(ctx, "INC-1")
	if err != nil {
		p.t.Fatal(err)
	}
	return Record{Incident: i, Timeline: timeline, History: history, Updates: updates, Zone: zone}
}

var (
	oldSum = strings.Repeat("0f1e", 16)
	newSum = strings.Repeat("a1b2", 16)
	hosts  = []string{"cdn-frankfurt-1", "cdn-fremont-1", "sally", "esme"}
)

// checked is a check of the four hosts, of which the first fresh serve the new
// certificate.
func (p *tape) checked(clock string, fresh int) {
	c := incident.CheckEvidence{Certificate: "media", Verdict: "critical", Cause: "The certificate expired at 2023-02-28 01:51:07 UTC."}
	if fresh == len(hosts) {
		c.Verdict, c.Cause = "good", ""
	}
	expiry := p.at("01:51:07")
	for n, h := range hosts {
		hc := incident.HostCheck{Host: h, Address: "192.0.2." + string(rune('1'+n)) + ":443", State: "critical", Findings: []string{"expired", "renewal_overdue"}, Cause: "expired", Serial: "03c4", SHA256: oldSum, Issuer: "CN=R3", NotAfter: expiry}
		if n < fresh {
			hc.State, hc.Findings, hc.Cause, hc.Serial, hc.SHA256, hc.NotAfter = "good", nil, "", "03d5", newSum, expiry.AddDate(0, 0, 90)
		}
		c.Hosts = append(c.Hosts, hc)
	}
	text := "media: 0 of 4 hosts good."
	if fresh == len(hosts) {
		text = "media: 4 of 4 hosts good."
	}
	p.entry(clock, incident.Entry{By: incident.Bot, Kind: incident.Check, Text: text, Evidence: incident.Evidence{Check: c}})
}

// hachyderm replays the outage of 28 February 2023 with its times and our words.
func hachyderm(t testing.TB) *tape {
	p := newTape(t, "2023-02-28")
	ctx := t.Context()
	p.at("01:54")
	p.must(p.b.Declare(ctx, incident.Declaration{Title: "Images of media do not load", Severity: 2, Certificates: []string{"media"}, Owner: "infra", By: ben, Start: p.at("01:54").Add(time.Minute)}, false))
	p.at("01:54:30")
	if _, _, _, err := p.b.Append(ctx, "INC-1", incident.Entry{At: p.now.Add(-150 * time.Second), By: ana, Kind: incident.Report, Text: "First report: no images.", Link: "https://chat.example.com/m/0152"}); err != nil {
		t.Fatal(err)
	}
	p.note("01:54:40", ben, incident.NoteKind, "Broken from a proxy in the EU too.")
	p.at("01:56")
	p.must(p.b.SetCommander(ctx, "INC-1", ana, incident.Change{By: ben}))
	p.checked("01:57", 0)
	expiry := p.at("01:51:07")
	p.at("01:57")
	p.must(p.b.SetMilestone(ctx, "INC-1", incident.Milestone{Kind: incident.Started, At: expiry, Source: "measured", Text: "notAfter of serial 03c4, served by 4 of 4 addresses"}))
	p.must(p.b.SetStatus(ctx, "INC-1", incident.Identified, incident.Change{By: ben, Text: "The certificate has expired."}))
	p.step("02:05", incident.StepEvidence{Renewal: "R-1", Certificate: "media", Step: "preflight", Outcome: "failed", Challenge: "http-01", Output: "GET http://media.example.com/.well-known/acme-challenge/x: 404 from cdn-fremont-1"}, "The HTTP-01 path answers 404 on cdn-fremont-1: the name is a CNAME to a proxy that does not know it.")
	p.must(p.b.SetSeverity(ctx, "INC-1", 1, incident.Change{By: ana, Text: "All regions."}))
	p.at("02:30")
	p.entry("02:30", incident.Entry{By: ben, Kind: incident.Approval, Text: "ben asked to renew media by DNS-01.", Evidence: incident.Evidence{Approval: incident.ApprovalEvidence{Renewal: "R-2", Decision: "asked", AskedBy: "ben"}}})
	p.entry("02:33", incident.Entry{By: ana, Kind: incident.Approval, Text: "ana approved R-2.", Evidence: incident.Evidence{Approval: incident.ApprovalEvidence{Renewal: "R-2", Decision: "approved", Asked: p.at("02:30"), AskedBy: "ben", By: "ana"}}})
	p.step("02:33:20", incident.StepEvidence{Renewal: "R-2", Certificate: "media", Step: "finalize", Outcome: "ok", Order: "https://ca.example.com/order/7", Challenge: "dns-01", Issuer: "CN=R3", AfterSerial: "03d5", AfterSHA256: newSum, AfterUntil: expiry.AddDate(0, 0, 90), Took: 1200 * time.Millisecond}, "The CA issued serial 03d5.")
	p.note("02:34", ben, "temp", "Alert for media silenced until 03:30 UTC; undo: nothing, it ends by itself.")
	for n, h := range hosts {
		clock := []string{"02:35", "02:37", "02:38", "02:39"}[n]
		s := incident.StepEvidence{Renewal: "R-2", Certificate: "media", Host: h, Outcome: "ok", BeforeSerial: "03c4", BeforeSHA256: oldSum, BeforeUntil: expiry, AfterSerial: "03d5", AfterSHA256: newSum, AfterUntil: expiry.AddDate(0, 0, 90), HostsDone: n + 1, Hosts: 4, Wave: min(n, 1) + 1}
		s.Step = "deploy"
		p.step(clock+":10", s, "New files on "+h+", configuration tested, reloaded.")
		s.Step = "verify"
		p.step(clock+":15", s, h+" serves the new certificate.")
	}
	p.checked("02:40", 4)
	p.at("02:40")
	p.must(p.b.SetMilestone(ctx, "INC-1", incident.Milestone{Kind: incident.Mitigated, Source: "measured", Text: "every endpoint checked good"}))
	p.at("02:45")
	p.must(p.b.Resolve(ctx, "INC-1", nil, incident.Change{By: ana}))
	p.must(p.b.SetImpact(ctx, "INC-1", "No images, in every region.", incident.Change{By: ana}))
	p.day = "2023-03-01"
	p.at("00:10")
	if _, err := p.b.Correct(ctx, "INC-1", "E-4", incident.Correction{Text: "Broken from a remote proxy in the EU too."}, incident.Change{By: ben}); err != nil {
		t.Fatal(err)
	}
	p.must(p.b.Close(ctx, "INC-1", incident.Change{By: ana}))
	return p
}
