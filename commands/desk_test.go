package commands_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// TestProblems types everything that a person can get wrong.
func TestProblems(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.engine.hold = true
	r.must("ana", "main", "/incident declare media is down")                    // INC-1
	r.must("ana", "main", "/renew api --yes --force")                           // R-1, waiting
	r.must("ana", "main", "/incident declare other thing --cert api")           // INC-2
	r.must("ana", "main", "/incident declare --private secret matter --anyway") // INC-3
	long := strings.Repeat("x", 20000)
	cases := []struct{ room, line, code, hint string }{
		{"main", "/banana", "unknown_verb", "/help"},
		{"main", "/certchek media", "unknown_verb", "Did you mean /certcheck?"},
		{"main", "/note hello", "unknown_verb", "Did you mean /incident note?"},
		{"main", "/incident nite hello", "unknown_verb", "Did you mean /incident note?"},
		{"main", "/incident banana", "unknown_verb", "It has declare"},
		{"main", "/renew aprove R-1", "extra_words", ""},
		{"main", "/renew aprove", "unknown_verb", "Did you mean /renew approve?"},
		{"main", "everything seems to be broken", "unknown_verb", "/incident note everything"},
		{"main", "/help banana", "unknown_verb", "/help"},
		{"main", "/help incident banana", "unknown_verb", "It has declare"},
		{"main", "/certcheck medai", "unknown_certificate", "Did you mean media?"},
		{"main", "/certcheck banana", "unknown_certificate", "There are media and api"},
		{"main", "/certcheck example.com:99999", "bad_port", "/certcheck"},
		{"main", "/certcheck example.com:https", "bad_port", "/certcheck"},
		{"main", "/certcheck exam/ple.com:443", "bad_host", "without a path"[:0]},
		{"main", "/certcheck media --addr nowhere", "bad_address", "--addr 192.0.2.7"},
		{"main", "/certcheck media --starttls gopher", "bad_starttls", "smtp"},
		{"main", "/certcheck media --sni a/b", "bad_host", ""},
		{"main", "/certcheck media api", "extra_words", "/certcheck media"},
		{"main", "/certcheck media --al", "unknown_flag", "Did you mean --all?"},
		{"main", "/certcheck media --banana", "unknown_flag", "It has --starttls"},
		{"main", "/certcheck media --sni", "missing_value", ""},
		{"main", "/certcheck media --all=1", "bad_flag", ""},
		{"main", "/certcheck media --sni a.example --sni b.example", "flag_twice", ""},
		{"main", "/certcheck who", "missing_certificate", "/certcheck who media"},
		{"main", "/certcheck rehearse", "missing_certificate", ""},
		{"main", "/renew --yes", "missing_certificate", ""},
		{"main", "/renew banana", "unknown_certificate", ""},
		{"main", "/renew media --challenge tls-alpn-01", "unknown_challenge", "http-01 and dns-01"},
		{"main", "/renew media --key rsa", "bad_key", "--key keep"},
		{"main", "/renew api --yes", "busy", "/renew status R-1"},
		{"main", "/renew approve", "missing_renewal", "R-1 (api, waiting)"},
		{"main", "/renew approve api", "bad_renewal", "R-1"},
		{"main", "/renew approve R-99", "unknown_renewal", "/renew"},
		{"main", "/renew approve R-1", "not_approver", "Cleo or dan"},
		{"main", "/renew resume R-1", "wrong_state", "/renew status R-1"},
		{"main", "/renew status R-99", "unknown_renewal", ""},
		{"main", "/incident declare", "missing_title", "/incident declare"},
		{"main", "/incident declare sev5 all is lost", "bad_severity", "/incident declare sev2"},
		{"main", "/incident declare " + strings.Repeat("y", 201), "long_title", ""},
		{"main", "/incident declare x --cert medai", "unknown_certificate", "Did you mean media?"},
		{"main", "/incident declare again --cert media", "duplicate", "--anyway"},
		{"main", "/incident declare x --cret media", "unknown_flag", "Did you mean --cert?"},
		{"main", "/incident declare x --start 2030-01-01T00:00:00Z --anyway", "future", "--plan"},
		{"main", "/incident declare x --start soon --anyway", "bad_time", "14:05"},
		{"main", "/incident note hello", "which_incident", "INC-"},
		{"main", "/incident note INC-99 hello", "unknown_incident", "/incident list all"},
		{"INC-1", "/incident note", "missing_text", "/incident note"},
		{"INC-1", "/incident note a @ 25:00", "bad_time", "14:05"},
		{"INC-1", "/incident note a @ 2030-01-01 10:00", "future", "--plan"},
		{"INC-1", "/incident note a @ 14:05 IST", "bad_time", ""},
		{"INC-1", "/incident note a --plam", "unknown_flag", "Did you mean --plan?"},
		{"INC-1", "/incident impact", "missing_text", ""},
		{"INC-1", "/incident status", "missing_status", "identified"},
		{"INC-1", "/incident status identifed", "bad_status", "Did you mean identified?"},
		{"INC-1", "/incident status closed", "bad_status", "/incident close INC-1"},
		{"INC-1", "/incident sev", "missing_severity", ""},
		{"INC-1", "/incident sev 7", "bad_severity", ""},
		{"INC-1", "/incident lead", "missing_person", ""},
		{"INC-1", "/incident lead bem", "unknown_person", "Did you mean ben?"},
		{"INC-1", "/incident lead zacharias", "unknown_person", "ana"},
		{"INC-1", "/incident show media", "bad_incident", ""},
		{"INC-1", "/incident timeline media", "bad_incident", ""},
		{"INC-1", "/incident resolve", "still_failing", "--anyway"},
		{"INC-1", "/incident close", "not_resolved", "/incident resolve INC-1"},
		{"INC-1", "/incident postmortem pdf", "bad_form", "md, html and json"[:0]},
		{"INC-1", "/incident list search", "missing_words", ""},
		{"INC-1", "/incident note " + long, "too_long", ""},
		{"INC-99", "/incident show", "unknown_incident", ""},
	}
	for _, c := range cases {
		got := r.say("ana", c.room, c.line)
		if got.Problem.Code != c.code || !strings.Contains(got.Problem.Hint, c.hint) {
			t.Errorf("%s: %+v, want %s, %q", clipped(c.line), got.Problem, c.code, c.hint)
		}
		if got.Problem.Message == "" || got.Problem.Hint == "" || got.Headline == "" || got.Public {
			t.Errorf("%s: no words, or public: %+v", clipped(c.line), got)
		}
		if n := len(got.Headline) + len(got.Body); n > 1500 {
			t.Errorf("%s: %d characters", clipped(c.line), n)
		}
	}
	if is, _ := r.book.List(context.Background(), incident.Filter{}); len(is) != 3 {
		t.Errorf("%d incidents after nothing but mistakes, want 3", len(is))
	}
}

func clipped(s string) string { return s[:min(len(s), 60)] }

func TestTwiceIsOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	for _, line := range []string{"/incident declare images do not load --cert media", "/incident note hello", "/incident sev 1", "/incident status identified", "/incident lead ben", "/incident impact none", "/renew media --yes"} {
		q := commands.Request{ID: "same " + line, Text: line, By: person("ana"), Room: "main"}
		first := r.desk.Do(ctx, q, nil)
		if !first.Problem.IsZero() {
			t.Fatalf("%s: %+v", line, first.Problem)
		}
		before, _ := r.book.History(ctx, "INC-1")
		// Another desk on the same record: as after a restart.
		again := commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now, Teams: []commands.Team{{Name: "web", People: []string{"ana", "ben"}}}})
		second := r.desk.Do(ctx, q, nil)
		if second.Headline != first.Headline {
			t.Errorf("%s: the second answer is %q, the first was %q", line, second.Headline, first.Headline)
		}
		if line != "/renew media --yes" {
			if third := again.Do(ctx, q, nil); !third.Problem.IsZero() {
				t.Errorf("%s: after a restart: %+v", line, third.Problem)
			}
		}
		after, _ := r.book.History(ctx, "INC-1")
		if len(before) != len(after) {
			t.Errorf("%s: %d lines, %d after it came again: %s", line, len(before), len(after), after[len(after)-1].Text)
		}
	}
	if is, _ := r.book.List(ctx, incident.Filter{}); len(is) != 1 {
		t.Errorf("%d incidents", len(is))
	}
	if rs, _ := r.engine.Renewals(ctx, "", 0); len(rs) != 1 {
		t.Errorf("%d renewals", len(rs))
	}
}

func TestEventTwice(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	var all []renew.Event
	emit := r.engine.emit
	r.engine.emit = func(e renew.Event) { all = append(all, e); emit(e) }
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "main", "/renew media --yes")
	before, _ := r.book.History(ctx, "INC-1")
	was, _ := r.book.Incident(ctx, "INC-1")
	r.clock.add(time.Minute)
	for _, e := range all {
		if err := r.desk.Event(ctx, e, nil); err != nil {
			t.Fatal(err)
		}
	}
	after, _ := r.book.History(ctx, "INC-1")
	if len(after) != len(before) || len(all) < 20 {
		t.Errorf("%d events; %d lines, %d after they came again", len(all), len(before), len(after))
	}
	now, _ := r.book.Incident(ctx, "INC-1")
	if m, ok := now.Milestone(incident.Mitigated); !ok || m.Source != "measured" {
		t.Errorf("mitigated: %+v", m)
	} else if o, _ := was.Milestone(incident.Mitigated); !o.At.Equal(m.At) {
		t.Errorf("mitigated moved from %v to %v", o.At, m.At)
	}
	if broken, err := r.book.Verify(ctx, "INC-1"); broken != "" || err != nil {
		t.Errorf("chain broken at %s, %v", broken, err)
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare sev2 4 images of 10 do not load --cert media.example.com")
	r.must("ana", "main", "/renew media --yes --reason expired")
	i, err := r.book.Incident(ctx, "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	if i.Severity != 2 || i.Title != "4 images of 10 do not load" || i.Owner != "web" || !slices.Equal(i.Certificates, []string{"media"}) {
		t.Errorf("incident: %+v", i)
	}
	m, _ := i.Milestone(incident.Started)
	if !m.At.Equal(t0.Add(-2*time.Minute)) || m.Source != "measured" || m.Text != "notAfter of serial 0a01, served by 4 of 4 hosts" {
		t.Errorf("started: %+v", m)
	}
	m, _ = i.Milestone(incident.Detected)
	if !m.At.Equal(t0.Add(-time.Minute)) || m.Source != "measured" {
		t.Errorf("detected: %+v", m)
	}
	es, _ := r.book.Timeline(ctx, "INC-1")
	kinds := map[string]int{}
	var verified, checks []incident.Entry
	for _, e := range es {
		kinds[e.Kind]++
		if e.Evidence.Step.Step == renew.StepVerify {
			verified = append(verified, e)
		}
		if e.Kind == incident.Check {
			checks = append(checks, e)
		}
		if e.Kind == incident.Approval && (e.Evidence.Approval.Decision != "not needed" || e.Evidence.Approval.AskedBy != "ana" || e.By.Name != "ana") {
			t.Errorf("approval: %+v", e)
		}
	}
	if len(verified) != 4 || verified[3].Evidence.Step.HostsDone != 4 || verified[3].Evidence.Step.Hosts != 4 || verified[0].Evidence.Step.BeforeSerial != "0a01" || verified[0].Evidence.Step.AfterSerial != "0a64" || verified[0].Evidence.Step.Challenge != "http-01" {
		t.Errorf("verified: %+v", verified)
	}
	for n, want := range []int{1, 2, 2, 2} { // the canary, then the others
		if got := verified[n].Evidence.Step.Wave; got != want {
			t.Errorf("%s is verified in wave %d, want %d", verified[n].Evidence.Step.Host, got, want)
		}
		if h := checks[0].Evidence.Check.Hosts[n]; h.Wave != want {
			t.Errorf("%s is checked in wave %d, want %d", h.Host, h.Wave, want)
		}
	}
	if len(checks) != 2 || len(checks[0].Evidence.Check.Hosts) != 4 || checks[0].Evidence.Check.Hosts[0].Host != "cdn-frankfurt-1" || checks[0].Evidence.Check.Verdict != "critical" || checks[1].Evidence.Check.Verdict != "good" {
		t.Errorf("checks: %+v", checks)
	}
	if kinds[incident.Deploy] != 8 || kinds[incident.Approval] != 1 {
		t.Errorf("kinds: %v", kinds)
	}
}

func TestStartedOfWrongCertificate(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	s := r.engine.standing["media"]
	for i := range s.Reports[0].Addresses {
		s.Reports[0].Addresses[i].Findings = nil
	}
	r.engine.served["127.0.0.11:8443"] = leaf(9, t0.Add(-time.Hour), t0.Add(time.Hour))
	// A desk whose engine sees the wrong certificate.
	d := commands.New(commands.Options{Book: r.book, Renewer: wrong{r.engine}, Now: r.clock.now})
	p := d.Do(ctx, commands.Request{Text: "/incident declare wrong one --cert media", By: person("ana"), Room: "main"}, nil)
	if !p.Problem.IsZero() {
		t.Fatal(p.Problem)
	}
	i, _ := r.book.Incident(ctx, "INC-1")
	if m, ok := i.Milestone(incident.Started); !ok || !m.At.Equal(t0.Add(-3*time.Minute)) || !strings.Contains(m.Text, "last check with every host good") {
		t.Errorf("started: %+v", m)
	}
}

// wrong is an engine whose first host serves another certificate.
type wrong struct{ *engine }

func (w wrong) Check(context.Context, string) (renew.Standing, error) {
	s := w.standing["media"]
	f := renew.Finding{ID: "declared_mismatch", Severity: renew.Critical, Cause: "Another certificate is served"}
	s.Reports = []renew.Report{{Endpoint: "media.example.com:8443", Verdict: renew.Critical, Addresses: []renew.AddressReport{{Address: "127.0.0.11:8443", Findings: []renew.Finding{f}, Leaf: leaf(9, t0, t0.Add(time.Hour))}}}}
	return s, nil
}

// TestDeclaredBeforeItExpired: the start is measured when the certificate
// expires, once, and what a person says later does not move it.
func TestDeclaredBeforeItExpired(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	until := r.clock.now().Add(10 * time.Minute)
	for n := 11; n <= 14; n++ {
		r.engine.served[fmt.Sprintf("127.0.0.%d:8443", n)] = leaf(1, t0.Add(-90*24*time.Hour), until)
	}
	started := func() (incident.Milestone, bool) {
		i, err := r.book.Incident(ctx, "INC-1")
		if err != nil {
			t.Fatal(err)
		}
		return i.Milestone(incident.Started)
	}
	r.must("ana", "main", "/incident declare media expires soon --cert media")
	r.engine.checked("media")
	if m, ok := started(); ok {
		t.Fatalf("started before it expired: %+v", m)
	}
	r.clock.add(11 * time.Minute)
	first := r.engine.checked("media")
	m, ok := started()
	if !ok || !m.At.Equal(until) || m.Source != "measured" || m.Text != "notAfter of serial 0a01, served by 4 of 4 hosts" {
		t.Fatalf("started: %+v", m)
	}
	r.must("ana", "INC-1", "/incident started -5m a call")
	before, _ := r.book.History(ctx, "INC-1")
	if err := r.desk.Event(ctx, first, nil); err != nil {
		t.Fatal(err)
	}
	after, _ := r.book.History(ctx, "INC-1")
	if m, _ := started(); !m.At.Equal(until) || len(after) != len(before) {
		t.Errorf("started moved to %+v; %d lines, then %d", m, len(before), len(after))
	}
}

func TestFailsAgainTakesMitigatedAway(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	mitigated := func() bool {
		i, err := r.book.Incident(ctx, "INC-1")
		if err != nil {
			t.Fatal(err)
		}
		_, ok := i.Milestone(incident.Mitigated)
		return ok
	}
	r.must("ana", "main", "/incident declare images do not load --cert media")
	if mitigated() {
		t.Fatal("mitigated at once")
	}
	r.must("ana", "main", "/renew media --yes")
	if !mitigated() {
		t.Fatal("not mitigated after the renewal")
	}
	r.clock.add(time.Minute)
	r.engine.refused["127.0.0.13:8443"] = true
	failed := r.engine.checked("media")
	if mitigated() {
		t.Fatal("mitigated although sally fails")
	}
	r.clock.add(time.Minute)
	delete(r.engine.refused, "127.0.0.13:8443")
	r.engine.checked("media")
	if !mitigated() {
		t.Fatal("not mitigated again")
	}
	if err := r.desk.Event(ctx, failed, nil); err != nil { // an old event delivered late
		t.Fatal(err)
	}
	if !mitigated() {
		t.Error("an old event took it away")
	}
}

func TestResolveIsRefusedWhenNotChecked(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "main", "/renew media --yes")
	r.engine.fail = errors.New("no route")
	if p := r.say("ana", "main", "/incident resolve"); p.Problem.Code != "still_failing" || !strings.Contains(p.Problem.Message, "media: could not be checked") {
		t.Errorf("resolve: %+v", p.Problem)
	}
	r.must("ana", "main", "/incident resolve")
}

func TestWait(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.engine.failHost = "sally"
	p := r.desk.Do(ctx, commands.Request{Text: "/renew media --yes", By: person("ana"), Room: "main", Wait: true}, nil)
	if p.Problem.Code != "renewal_failed" || p.Of != 4 || p.Done != 2 {
		t.Errorf("failed: %+v", p)
	}
	r.engine.failHost = ""
	p = r.desk.Do(ctx, commands.Request{Text: "/renew media --yes", By: person("ana"), Room: "main", Wait: true}, nil)
	if !p.Problem.IsZero() || p.State != commands.StateGood || p.Done != 4 {
		t.Errorf("done: %+v", p)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	var log bytes.Buffer
	full := errors.New("no room left for the record")
	o := commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Explain: func(err error) (commands.Problem, bool) {
			if errors.Is(err, full) {
				return commands.Problem{Code: "full", Message: "The disk is full.", Hint: "Free some space."}, true
			}
			return commands.Problem{}, false
		}}
	d := commands.New(o)
	ask := commands.Request{Text: "/certcheck media", By: person("ana"), Room: "main"}
	r.engine.fail = fmt.Errorf("write: %w", full)
	if p := d.Do(ctx, ask, nil); p.Problem.Code != "full" {
		t.Errorf("full: %+v", p.Problem)
	}
	r.engine.fail = fmt.Errorf("dial 127.0.0.1: %w", io.ErrUnexpectedEOF)
	p := d.Do(ctx, ask, nil)
	if p.Problem.Code != "internal" || strings.Contains(draw(p), "EOF") {
		t.Errorf("internal: %+v", p)
	}
	id := strings.TrimSuffix(strings.TrimPrefix(p.Problem.Message, "Internal error "), ".")
	if len(id) != 8 || !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "check media: dial 127.0.0.1: unexpected EOF") {
		t.Errorf("id %q is not in the log with the chain: %s", id, log.String())
	}
	r.engine.fail = context.DeadlineExceeded
	if p := d.Do(ctx, ask, nil); p.Problem.Code != "timeout" {
		t.Errorf("timeout: %+v", p.Problem)
	}
	d = commands.New(commands.Options{Book: r.book, Now: r.clock.now, Log: o.Log}) // without an engine every look panics
	if p := d.Do(ctx, ask, nil); p.Problem.Code != "internal" {
		t.Errorf("panic: %+v", p.Problem)
	}
}

func TestStrangersBytes(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	evil := leaf(1, t0, t0.Add(time.Hour))
	evil.Subject, evil.Issuer = "a\x1b[2Jb\u202ec\n"+strings.Repeat("x", 5000), strings.Repeat("\x00y", 5000)
	r.engine.served["127.0.0.11:8443"] = evil
	r.must("ana", "main", "/incident declare \x1b[31mred\x00 \u202ealert --cert media")
	r.must("ana", "main", "/incident note "+strings.Repeat("long\n", 2000))
	for _, line := range []string{"/certcheck media", "/incident show", "/incident timeline", "/incident list"} {
		p := r.must("ana", "main", line)
		got := draw(p)
		for _, row := range p.Table.Rows {
			for _, cell := range row.Cells {
				if len(cell) > 200 {
					t.Errorf("%s: a cell of %d bytes", line, len(cell))
				}
			}
		}
		if strings.ContainsAny(got, "\x1b\x00\u202e") || len(got) > 6000 {
			t.Errorf("%s: %d bytes: %.300q", line, len(got), got)
		}
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare --private key leaked --cert media")
	if p := r.say("ben", "main", "/incident list all"); strings.Contains(draw(p), "leaked") {
		t.Errorf("ben sees it in the list: %s", draw(p))
	}
	if p := r.say("ben", "main", "/incident note hello"); p.Problem.Code != "no_incident" {
		t.Errorf("ben: %+v", p.Problem)
	}
	if p := r.must("ben", "main", "/incident declare media down --cert media"); strings.Contains(draw(p), "leaked") || strings.Contains(draw(p), "INC-1") {
		t.Errorf("ben: %s", draw(p))
	}
	if p := r.say("ben", "main", "/incident declare media down --cert media"); p.Problem.Code != "duplicate" || strings.Contains(draw(p), "INC-1") || !strings.Contains(draw(p), "INC-2") {
		t.Errorf("ben: %s", draw(p))
	}
	r.must("ben", "main", "/incident cancel INC-2 declared to look")
	if p := r.say("ana", "main", "/incident list"); !strings.Contains(draw(p), "leaked") {
		t.Errorf("ana does not see her own: %s", draw(p))
	}
	for room, public := range map[string]bool{"main": false, "INC-1": true} {
		for _, line := range []string{"/incident note x", "/incident sev 2", "/incident lead me"} {
			if p := r.must("ana", room, line+""); p.Public != public {
				t.Errorf("%s in %s: public %v", line, room, p.Public)
			}
		}
	}
	r.posts = nil
	r.engine.checked("media")
	for _, p := range r.posts {
		if p.Room == "main" && strings.Contains(draw(p.Reply), "INC-1") {
			t.Errorf("main hears of it: %s", draw(p.Reply))
		}
	}
	for name, want := range map[string]int{"ana": 2, "ben": 1, "": 1} {
		page, err := r.desk.IncidentsPage(context.Background(), "", commands.Person{ID: "web:" + name, Name: name, Platform: "web"})
		if err != nil || len(page.Incidents) != want {
			t.Errorf("%q sees %+v, %v", name, page, err)
		}
	}
}

func TestNarrowChecks(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for line, want := range map[string]string{
		"/certcheck media.example.com:8443":                   "media.example.com:8443 expired",
		"/certcheck https://media.example.com:8443/":          "media.example.com:8443 expired",
		"/certcheck other.example.net":                        "other.example.net:443 fails",
		"/certcheck [::1]:443":                                "[::1]:443 fails",
		"/certcheck mail.example.net --starttls smtp":         "mail.example.net:25 fails",
		"/certcheck api.example.com":                          "api is good",
		"/certcheck x.api.example.com":                        "api is good",
		"/certcheck API.Example.com.":                         "api is good",
		"/cc media --addr 127.0.0.12":                         "on 1 of 1 host",
		"CERTCHECK media --all":                               "on 4 of 4 hosts",
		"/certcheck <http://api.example.com|api.example.com>": "api is good",
	} {
		if p := r.must("ana", "main", line); !strings.Contains(p.Headline, want) {
			t.Errorf("%s: %s, want %q", line, p.Headline, want)
		}
	}
}

func TestNoteTimes(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare images do not load --cert media")
	berlin := person("ben")
	berlin.Zone = "Europe/Berlin"
	cases := []struct{ line, text, at, said string }{
		{"/incident note first report @ 02:51", "first report", "2026-11-22T01:51:00Z", "your zone Europe/Berlin"},
		{"/incident note first report @02:51", "first report", "2026-11-22T01:51:00Z", "your zone Europe/Berlin"},
		{"/incident note call ben @ the office", "call ben @ the office", "", ""},
		{"/incident note ask @ana", "ask @ana", "", ""},
		{`/incident note "at the gate" @ 01:50Z`, "at the gate", "2026-11-22T01:50:00Z", "read as"},
		{"/incident note seen @ 14:05 EST", "seen", "2026-11-21T19:05:00Z", "2026-11-21 19:05:00 UTC"},
		{"/incident note --plan reboot @ 23:00", "Planned for 2026-11-22 22:00:00 UTC: reboot", "", "Europe/Berlin"},
	}
	for n, c := range cases {
		p := r.desk.Do(ctx, commands.Request{ID: fmt.Sprint("n", n), Text: c.line, By: berlin, Room: "INC-1"}, nil)
		es, _ := r.book.History(ctx, "INC-1")
		e := es[len(es)-1]
		if !p.Problem.IsZero() || e.Text != c.text || c.at != "" && e.At.Format(time.RFC3339) != c.at || !strings.Contains(p.Body, c.said) {
			t.Errorf("%s: %q at %v, said %q %v", c.line, e.Text, e.At, p.Body, p.Problem)
		}
	}
	p := r.must("ana", "INC-1", "/incident note password=hunter2hunter2")
	if es, _ := r.book.History(ctx, "INC-1"); strings.Contains(es[len(es)-1].Text, "hunter2") || !strings.Contains(p.Body, "cut out") {
		t.Errorf("a password: %q, said %q", es[len(es)-1].Text, p.Body)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "main", "/renew api --yes --force")
	for line, want := range map[string]string{
		"":                            "/certcheck",
		"/":                           "/certcheck",
		"/ce":                         "/certcheck",
		"inci":                        "incident",
		"/certcheck m":                "/certcheck media",
		"/certcheck r":                "/certcheck rehearse",
		"/certcheck rehearse a":       "/certcheck rehearse api",
		"/cc ":                        "/cc rehearse",
		"/renew media --ch":           "/renew media --challenge",
		"/renew media --challenge d":  "/renew media --challenge dns-01",
		"/renew app":                  "/renew approve",
		"/renew approve ":             "/renew approve R-1",
		"/incident no":                "/incident note",
		"/inc note ":                  "/inc note INC-1",
		"/incident lead b":            "/incident lead ben",
		"/incident lead INC-1 c":      "/incident lead INC-1 Cleo",
		"/incident status id":         "/incident status id" + "entified",
		"/incident declare x --cert ": "/incident declare x --cert media",
		"/help inc":                   "/help incident",
	} {
		got := r.desk.Complete(ctx, line, "main")
		if len(got) == 0 || got[0] != want {
			t.Errorf("%q: %q, want %q first", line, got, want)
		}
	}
	for _, line := range []string{"/banana x", "/certcheck zzz", strings.Repeat("/x", 20000)} {
		if got := r.desk.Complete(ctx, line, "main"); len(got) != 0 {
			t.Errorf("%.20q: %q", line, got)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "main", "/renew media --yes")
	estate, err := r.desk.EstatePage(ctx, person("ana"))
	if err != nil || len(estate.Standings) != 2 || len(estate.Open) != 1 {
		t.Errorf("estate: %+v, %v", estate, err)
	}
	cert, err := r.desk.CertificatePage(ctx, "media.example.com", person("ana"))
	if err != nil || cert.Standing.Certificate.Name != "media" || len(cert.Renewals) != 1 || len(cert.Incidents) != 1 {
		t.Errorf("certificate: %+v, %v", cert, err)
	}
	inc, err := r.desk.IncidentPage(ctx, "inc-1", person("ana"))
	if err != nil || inc.Incident.ID != "INC-1" || len(inc.Timeline) < 20 || len(inc.Standings) != 1 || len(inc.Renewals) != 1 || len(inc.Metrics.Spans) == 0 || !bytes.Contains(inc.Draft, []byte("0a64")) {
		t.Errorf("incident: %d lines, %d standings, %v", len(inc.Timeline), len(inc.Standings), err)
	}
	list, err := r.desk.IncidentsPage(ctx, "images", person("ana"))
	if err != nil || len(list.Incidents) != 1 {
		t.Errorf("list: %+v, %v", list, err)
	}
	for form, typ := range map[string]string{"md": "text/markdown", "html": "text/html", "json": "application/json"} {
		f, err := r.desk.Draft(ctx, "INC-1", form, person("ana"))
		if err != nil || f.Name != "INC-1-postmortem."+form || !strings.HasPrefix(f.Type, typ) || !bytes.Contains(f.Data, []byte("INC-1")) {
			t.Errorf("draft %s: %s, %s, %v", form, f.Name, f.Type, err)
		}
	}
	var p commands.Problem
	for _, id := range []string{"INC-9", "INC-x", "../etc/passwd", ""} {
		if _, err := r.desk.IncidentPage(ctx, id, person("ana")); !errors.As(err, &p) || p.Code != "unknown_incident" {
			t.Errorf("incident %q: %v", id, err)
		}
	}
	if _, err := r.desk.CertificatePage(ctx, "nope", person("ana")); !errors.As(err, &p) || p.Code != "unknown_certificate" {
		t.Errorf("certificate nope: %v", err)
	}
	if _, err := r.desk.Draft(ctx, "INC-1", "pdf", person("ana")); !errors.As(err, &p) || p.Code != "bad_form" {
		t.Errorf("draft pdf: %v", err)
	}
}

// TestReplyInTheRoom: what changes the record in main is heard in the incident's room.
func TestReplyInTheRoom(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "main", "/renew media --yes")
	for _, line := range []string{"/incident note a", "/incident sev 1", "/incident lead me", "/incident impact b", "/incident status identified", "/incident resolve"} {
		r.posts = nil
		p := r.must("ana", "main", line)
		r.posts = slices.DeleteFunc(r.posts, func(p commands.Post) bool { return p.For != "" }) // what a role is for
		if !p.Public || len(r.posts) != 1 || r.posts[0].Room != "INC-1" || r.posts[0].Reply.Headline != p.Headline {
			t.Errorf("%s: public %v, posts %+v", line, p.Public, r.posts)
		}
		r.posts = nil
		if p := r.say("ana", "INC-1", line); len(r.posts) != 0 && p.Problem.IsZero() {
			t.Errorf("%s in its own room: said twice: %+v", line, r.posts)
		}
	}
	r.posts = nil
	if p := r.must("ana", "main", "/incident show"); p.Public || len(r.posts) != 0 {
		t.Errorf("show is public or echoed: %+v", r.posts)
	}
}

// TestScreen: no answer is longer than a screen, however large the estate, the
// certificate and the timeline are.
func TestScreen(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	media := &r.engine.inv.Certificates[0]
	for n := 15; n < 100; n++ {
		tg := target(fmt.Sprintf("cdn-%d", n), n)
		media.Waves[1] = append(media.Waves[1], tg)
		media.Endpoints[0].Addresses = append(media.Endpoints[0].Addresses, strings.TrimSuffix(tg.Verify[0], ":8443"))
		r.engine.served[tg.Verify[0]] = leaf(1, t0.Add(-90*24*time.Hour), t0.Add(-2*time.Minute))
	}
	for n := range 60 {
		c := r.engine.inv.Certificates[1]
		c.Name, c.Domains = fmt.Sprintf("c-%d", n), []string{fmt.Sprintf("c-%d.example.com", n)}
		r.engine.inv.Certificates = append(r.engine.inv.Certificates, c)
		r.engine.check(c, r.clock.now())
	}
	r.engine.check(*media, r.clock.now())
	for _, line := range []string{"/certcheck", "/certcheck media", "/incident declare images do not load --cert media", "/renew media", "/renew", "/certcheck who media", "/certcheck rehearse media", "/renew media --yes", "/renew status R-1", "/incident timeline", "/incident show", "/help"} {
		p := r.must("ana", "main", line)
		if n := strings.Count(draw(p), "\n"); n > 48 {
			t.Errorf("%s: %d lines", line, n)
		}
		if len(p.Facts) > 5 || len(p.Buttons) > 5 {
			t.Errorf("%s: %d facts, %d buttons", line, len(p.Facts), len(p.Buttons))
		}
	}
	if p := r.say("ana", "main", "/certcheck media"); p.Done != 0 || !strings.Contains(p.Headline, "on 89 of 89 hosts") {
		t.Errorf("all hosts are counted: %s", p.Headline)
	}
	r.engine.refused["127.0.0.11:8443"] = true
	if p := r.say("ana", "main", "/incident resolve"); p.Problem.Code != "still_failing" || len(p.Headline) > 400 {
		t.Errorf("resolve: %+v", p.Problem)
	}
}

// TestMetricsOfARun: what the record says of one outage is true to the clock.
func TestMetricsOfARun(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ctx := context.Background()
	r.must("ana", "main", "/incident declare images do not load --cert media --start -30m")
	i, _ := r.book.Incident(ctx, "INC-1")
	if m, _ := i.Milestone(incident.Started); m.Source != "measured" || len(i.Conflicts) != 1 {
		t.Errorf("a said start beside a measured one: %+v, %d conflicts", m, len(i.Conflicts))
	}
	if p := r.must("ana", "main", "/incident show"); !strings.Contains(p.Body, "not agreed") {
		t.Errorf("the contradiction is not shown: %s", p.Body)
	}
	r.must("ana", "main", "/incident lead me")
	r.must("ana", "main", "/renew media --yes")
	r.must("ana", "main", "/incident resolve")
	es, _ := r.book.Timeline(ctx, "INC-1")
	i, _ = r.book.Incident(ctx, "INC-1")
	spans := map[string]time.Duration{}
	for _, s := range incident.MetricsOf(i, es, r.clock.now()).Spans {
		spans[s.Name] = s.Took
	}
	if spans["detect"] != time.Minute || spans["acknowledge"] == 0 || spans["mitigate"] == 0 || spans["resolve"] < spans["mitigate"] {
		t.Errorf("spans: %v", spans)
	}
}

func TestApprovalPolicy(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.engine.inv.Certificates[1].Approval.Self = true
	r.must("dan", "main", "/renew api --yes --force")
	if p := r.say("ben", "main", "/renew deny R-1"); p.Problem.Code != "not_approver" {
		t.Errorf("ben denies: %+v", p.Problem)
	}
	r.must("DAN", "main", "/renew approve R-1") // names are compared without case; the policy allows one's own
	if ren, _ := r.engine.Renewal(context.Background(), "R-1"); ren.State != renew.Done || ren.Approver.Name != "DAN" {
		t.Errorf("R-1: %+v", ren)
	}
	r.engine.hold = true
	r.must("ana", "main", "/renew media --yes")
	r.must("ben", "main", "/renew stop R-2 why not")
	r.must("ben", "main", "/renew deny R-2 start over")
	if ren, _ := r.engine.Renewal(context.Background(), "R-2"); ren.State != renew.Failed {
		t.Errorf("R-2: %+v", ren)
	}
}

// TestShareLeftOfLongLives: the share of the lifetime that is left, of a
// certificate that lives for longer than a duration times a hundred can hold.
func TestShareLeftOfLongLives(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.engine.served["127.0.0.21:443"] = leaf(50, t0.AddDate(-1, 0, 0), t0.AddDate(9, 0, 0))
	r.engine.checked("api")
	b, _ := json.Marshal(r.must("ana", "main", "/certcheck --all").Table)
	if !strings.Contains(string(b), `"90 %"`) && !strings.Contains(string(b), `"89 %"`) {
		t.Errorf("9 of 10 years left: %s", b)
	}
}

// brokenEngine cannot read its record.
type brokenEngine struct{ *engine }

func (brokenEngine) Estate(context.Context) ([]renew.Standing, error) {
	return nil, errors.New("the page is torn")
}

// TestInternalErrorLogsNoSecret: the log of an internal error has the line that
// was typed, without what is secret in it.
func TestInternalErrorLogsNoSecret(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	var log bytes.Buffer
	d := commands.New(commands.Options{Book: r.book, Renewer: brokenEngine{r.engine}, Now: r.clock.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	p := d.Do(context.Background(), commands.Request{Text: "/incident declare the CA took password=hunter2hunter2 of us", By: person("ana"), Room: "main", At: r.clock.now()}, nil)
	if p.Problem.Code != "internal" || !strings.Contains(log.String(), "the page is torn") || !strings.Contains(log.String(), "took") {
		t.Fatalf("%+v %s", p.Problem, log.String())
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log has it: %s", log.String())
	}
}

// TestDeclareButtonWithoutHosts: a fault of the set of addresses (a name that
// does not resolve) is not told as a count of no hosts.
func TestDeclareButtonWithoutHosts(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	s := r.engine.standing["media"]
	s.Verdict, s.Hosts, s.HostsGood, s.Since = renew.Critical, 0, 0, t0
	s.Reports = []renew.Report{{Endpoint: "media.example.com:8443", Name: "media", Verdict: renew.Critical, At: t0,
		Findings: []renew.Finding{{ID: "no_such_name", Severity: renew.Critical, Cause: "The name does not exist."}}}}
	r.posts = nil
	r.engine.emit(renew.Event{Key: "check/1", Kind: renew.EventCheck, At: t0, Standing: s, Before: renew.Good})
	b, _ := json.Marshal(r.posts)
	if strings.Contains(string(b), "0 of 0") || !strings.Contains(string(b), "/incident declare sev1 media fails (no such name) --cert media") {
		t.Errorf("%s", b)
	}
}

// TestPlanButtonKeepsItsWords: what somebody gave as one word stays one word in
// the button that starts the plan.
func TestPlanButtonKeepsItsWords(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	p := r.must("ana", "main", `/renew media --profile "short --force" --reason "it is --dry-run time"`)
	if len(p.Buttons) == 0 || !strings.Contains(p.Buttons[0].Command, ` --profile="short --force" `) || !strings.Contains(p.Buttons[0].Command, ` --reason="it is --dry-run time" `) {
		t.Errorf("%+v", p.Buttons)
	}
}

// TestSnoozeOfWhatThereIsNot: a reminder of something that the incident does
// not have is not said to be quiet.
func TestSnoozeOfWhatThereIsNot(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	r.must("ana", "INC-1", "/incident task add look at it")
	r.must("ana", "INC-1", "/incident update we look")
	r.must("ana", "INC-1", "/renew media --yes")
	for id, code := range map[string]string{"T-9": "unknown_task", "U-2": "unknown_update", "R-7": "unknown_renewal", "T-1": "", "u-1": "", "R-1": ""} {
		for _, line := range []string{"/incident snooze " + id + " 30m", "/incident quiet " + id} {
			if p := r.say("ana", "INC-1", line); p.Problem.Code != code {
				t.Errorf("%s: %q %s", line, p.Problem.Code, p.Headline)
			}
		}
	}
}
