package commands_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// heard is an alert about media.
func heard(id, state, policy string) commands.Alert {
	return commands.Alert{Source: "alertmanager", ID: id, Event: state, State: state, Policy: policy, Title: "CertificateExpired", Text: "media.example.com:8443 serves an expired certificate",
		Link: "http://prometheus.example:9090/graph?g0.expr=x", Severity: "critical", Hosts: []string{"media.example.com:8443"}, Started: t0.Add(-time.Minute)}
}

// take has alerts taken now and worked off.
func (r *room) take(as ...commands.Alert) {
	r.t.Helper()
	for n := range as {
		as[n].At = r.clock.now()
	}
	if err := r.desk.TakeAlerts(context.Background(), as); err != nil {
		r.t.Fatal(err)
	}
	r.work()
}

func (r *room) work() {
	r.t.Helper()
	if err := r.desk.AlertRound(context.Background(), r.post); err != nil {
		r.t.Fatal(err)
	}
}

// in are the posts of a room, with those that an edit replaced left out.
func (r *room) in(where string) []commands.Reply {
	var out []commands.Reply
	at := map[string]int{}
	for _, p := range r.posts {
		if p.Room != where {
			continue
		}
		if n, ok := at[p.Reply.Key]; ok && p.Reply.Key != "" {
			out[n] = p.Reply
			continue
		}
		at[p.Reply.Key] = len(out)
		out = append(out, p.Reply)
	}
	return out
}

func TestAlertJoinsOpenIncident(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare media fails --cert media")
	r.clock.add(time.Minute)
	received := r.clock.now()
	r.take(heard("a/1", "firing", "declare"))
	a, _, _ := known(t, r, "INC-1")
	if len(a) != 1 {
		t.Fatalf("%d alerts on the timeline", len(a))
	}
	e := a[0]
	if ev := e.Evidence.Alert; !e.At.Equal(received) || ev.Source != "alertmanager" || ev.ID != "a/1" || ev.Certificate != "media" || ev.Severity != "critical" || !ev.Started.Equal(t0.Add(-time.Minute)) ||
		ev.Link == "" || e.Link != ev.Link || ev.State != "" || !strings.Contains(e.Text, "Alert from Alertmanager: CertificateExpired.") {
		t.Errorf("%+v", e)
	}
	if said := r.in("INC-1"); !strings.Contains(said[len(said)-1].Headline, "An alert from Alertmanager about media is on the timeline: CertificateExpired.") {
		t.Errorf("%+v", said)
	}
	all, _ := r.book.List(context.Background(), incident.Filter{})
	if len(all) != 1 {
		t.Errorf("%d incidents", len(all))
	}

	posts := len(r.posts)
	r.take(heard("a/1", "firing", "declare")) // again
	if a, _, _ := known(t, r, "INC-1"); len(a) != 1 || len(r.posts) != posts {
		t.Errorf("a repetition: %d alerts, %d new posts", len(a), len(r.posts)-posts)
	}

	r.clock.add(time.Minute)
	r.take(heard("a/1", "resolved", "declare"))
	a, _, _ = known(t, r, "INC-1")
	i, _ := r.book.Incident(context.Background(), "INC-1")
	if len(a) != 2 || a[1].Evidence.Alert.State != "resolved" || !a[1].Evidence.Alert.Resolved.Equal(r.clock.now()) || !strings.Contains(a[1].Text, "Alertmanager says it is over: CertificateExpired.") {
		t.Errorf("%+v", a)
	}
	if i.Status != incident.Investigating {
		t.Errorf("a resolved alert made it %s", i.Status)
	}
}

// TestAlertDetected: the first alert received is when it was detected, also
// for an incident declared later; that it is over never is.
func TestAlertDetected(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good(r)
	first := r.clock.now()
	r.take(heard("a/1", "firing", "suggest"))
	r.clock.add(10 * time.Minute)
	expire(r)
	r.must("ana", "main", "/incident declare media fails --cert media")
	i, _ := r.book.Incident(context.Background(), "INC-1")
	if m, ok := i.Milestone(incident.Detected); !ok || !m.At.Equal(first) || m.Source != "measured" {
		t.Errorf("detected: %+v, the alert came %s", m, first)
	}
	if a, _, _ := known(t, r, "INC-1"); len(a) != 1 || !a[0].At.Equal(first) {
		t.Errorf("%+v", a)
	}
	r.work() // the message in main leads to the incident now
	main := r.in("main")
	if n := len(main); n == 0 || !strings.Contains(fmt.Sprint(main), "Open INC-1") {
		t.Errorf("%+v", main)
	}

	r2 := newRoom(t)
	good(r2)
	r2.take(heard("b/1", "resolved", "suggest"))
	if main := r2.in("main"); len(main) != 0 {
		t.Errorf("what is over already is suggested: %+v", main)
	}
	r2.clock.add(time.Minute)
	expire(r2)
	r2.must("ana", "main", "/incident declare media fails --cert media")
	i, _ = r2.book.Incident(context.Background(), "INC-1")
	if m, _ := i.Milestone(incident.Detected); !m.At.Equal(r2.clock.now()) {
		t.Errorf("detected by an alert that was over: %+v", m)
	}
	if a, _, _ := known(t, r2, "INC-1"); len(a) != 1 || a[0].Evidence.Alert.State != "resolved" {
		t.Errorf("%+v", a)
	}
}

// good has every host serve a certificate that lasts; expire takes that back.
func good(r *room) {
	for n := 11; n <= 14; n++ {
		r.engine.served[fmt.Sprintf("127.0.0.%d:8443", n)] = leaf(2, t0.Add(-time.Hour), t0.Add(60*24*time.Hour))
	}
	_, _ = r.engine.Check(context.Background(), "media")
}

func expire(r *room) {
	for n := 11; n <= 14; n++ {
		r.engine.served[fmt.Sprintf("127.0.0.%d:8443", n)] = leaf(1, t0.Add(-90*24*time.Hour), t0.Add(-2*time.Minute))
	}
}

func TestAlertSuggested(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good(r)
	r.take(heard("a/1", "firing", "suggest"), heard("a/2", "firing", "suggest"))
	main := r.in("main")
	if len(main) != 1 {
		t.Fatalf("%d messages: %+v", len(main), main)
	}
	m := main[0]
	if m.Headline != "Alertmanager says of media: CertificateExpired." || !strings.Contains(m.Body, "Alertmanager: CertificateExpired (2 alerts), critical, since 2026-11-22 01:53:10 UTC.") ||
		m.Facts[1].Value != "good on 4 of 4 hosts, "+stampOf(r.clock.now()) {
		t.Errorf("%+v", m)
	}
	r.press(m, "Declare incident")
	i, err := r.book.Incident(context.Background(), "INC-1")
	if err != nil || i.Certificates[0] != "media" || i.Severity != 2 {
		t.Errorf("%+v %v", i, err)
	}
	r.work()
	if main := r.in("main"); len(main) != 1 || main[0].Buttons[0].Command != "/incident show INC-1" {
		t.Errorf("%+v", main)
	}
	r.clock.add(time.Minute)
	r.take(heard("a/1", "resolved", "suggest"))
	if a, _, _ := known(t, r, "INC-1"); len(a) != 1 {
		t.Errorf("one of two is over, and it says so: %+v", a)
	}
	r.take(heard("a/2", "resolved", "suggest"))
	if a, _, _ := known(t, r, "INC-1"); len(a) != 2 || !strings.Contains(a[1].Text, "It was 2 alerts.") {
		t.Errorf("%+v", a)
	}
}

// press says what a button of a message says.
func (r *room) press(m commands.Reply, label string) {
	r.t.Helper()
	for _, b := range m.Buttons {
		if b.Label == label {
			r.must("ana", "main", b.Command)
			return
		}
	}
	r.t.Fatalf("no button %q in %+v", label, m.Buttons)
}

func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// TestAlertAndOwnAlert: where certmedic sees the failure itself, there is one
// message about it, not two.
func TestAlertAndOwnAlert(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.engine.checked("media") // its own alert
	r.take(heard("a/1", "firing", "suggest"))
	main := r.in("main")
	if len(main) != 1 || !strings.Contains(main[0].Headline, "media expired") || !strings.Contains(main[0].Body, "Also reported by others:\nAlertmanager: CertificateExpired") {
		t.Errorf("%d: %+v", len(main), main)
	}
}

func TestAlertDeclares(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := heard("a/1", "firing", "declare")
	a.Title, a.Severity = "Down --private <!channel> ](x)", "P1"
	r.take(a)
	i, err := r.book.Incident(context.Background(), "INC-1")
	if err != nil || i.Severity != 1 || i.DeclaredBy.ID != incident.Bot.ID || i.Private || i.Owner != "web" || i.Title != "media: Down --private <!channel> ](x)" {
		t.Fatalf("%+v %v", i, err)
	}
	if a, _, _ := known(t, r, "INC-1"); len(a) < 1 || a[0].Evidence.Alert.Source != "alertmanager" {
		t.Errorf("%+v", a)
	}
	if !strings.Contains(fmt.Sprint(r.in("main")), "Declared unasked, because of an alert from Alertmanager") {
		t.Errorf("%+v", r.in("main"))
	}
	r.clock.add(time.Minute)
	r.take(heard("a/2", "firing", "declare"), heard("a/1", "firing", "declare"))
	if all, _ := r.book.List(context.Background(), incident.Filter{}); len(all) != 1 {
		t.Errorf("%d incidents", len(all))
	}
}

// TestAlertPolicyMixed: the policy that does most counts, whatever came first,
// and the incident is named after the alert that called for it.
func TestAlertPolicyMixed(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good(r)
	r.take(heard("a/1", "firing", "suggest"))
	b := heard("b/1", "firing", "declare")
	b.Source, b.Title = "pagerduty", "checkout fails"
	r.take(b)
	c := heard("c/1", "firing", "entry")
	c.Source = "cron"
	r.take(c)
	i, err := r.book.Incident(context.Background(), "INC-1")
	if err != nil || i.Title != "media: checkout fails" {
		t.Errorf("%+v %v", i, err)
	}
	if a, _, _ := known(t, r, "INC-1"); len(a) != 3 {
		t.Errorf("%+v", a)
	}
}

func TestAlertPolicyEntry(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good(r)
	r.take(heard("a/1", "firing", "entry"))
	if len(r.posts) != 0 {
		t.Errorf("%+v", r.posts)
	}
	r.must("ana", "main", "/incident declare media fails --cert media")
	if a, _, _ := known(t, r, "INC-1"); len(a) != 1 {
		t.Errorf("%+v", a)
	}
}

// TestAlertSeverities: the configuration's words go before the usual ones, and
// a word that is not known is SEV2.
func TestAlertSeverities(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]incident.Severity{"critical": 2, "warning": 3, "info": 4, "P1": 1, "high": 2, "low": 3, "": 2, "rubbish": 2} {
		r := newRoom(t)
		a := heard("a/1", "firing", "declare")
		a.Severity = word
		r.take(a)
		if i, err := r.book.Incident(context.Background(), "INC-1"); err != nil || i.Severity != want {
			t.Errorf("%q: SEV%d, want %d %v", word, i.Severity, want, err)
		}
	}
}

func TestAlertFitsNothing(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for n := range 3 {
		a := heard(fmt.Sprint("u/", n), "firing", "entry")
		a.Hosts = []string{fmt.Sprintf("web-%d.elsewhere.example", n)}
		r.take(a)
		r.clock.add(time.Minute)
	}
	main := r.in("main")
	if len(main) != 1 || main[0].Headline != "3 alerts from Alertmanager fit no certificate here." || !strings.Contains(main[0].Body, "web-0.elsewhere.example, web-1.elsewhere.example and web-2.elsewhere.example") {
		t.Errorf("%d: %+v", len(main), main)
	}
	if len(main[0].Buttons) != 0 {
		t.Errorf("a stranger's host on a button: %+v", main[0].Buttons)
	}
}

// TestAlertBurst: ten thousand alerts are few messages and few lines, and
// counted; what waits is bounded.
func TestAlertBurst(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good(r)
	var all []commands.Alert
	size := 10_000
	if testing.Short() {
		size = 2_000
	}
	for n := range size {
		a := heard(fmt.Sprint("b/", n), "firing", "suggest")
		switch n % 4 {
		case 1:
			a.Title = fmt.Sprint("Alert ", n) // a title each
		case 2:
			a.Hosts = []string{fmt.Sprintf("h%d.elsewhere.example", n)}
		case 3:
			a.Hosts, a.Source = []string{"api.example.com"}, "pagerduty"
		}
		all = append(all, a)
	}
	r.take(all...)
	main := r.in("main")
	if len(main) != 3 {
		t.Fatalf("%d messages", len(main))
	}
	text := fmt.Sprint(main)
	for _, want := range []string{fmt.Sprint(size/2, ", first received"), fmt.Sprint(size/4, " alerts from Alertmanager fit no certificate"), fmt.Sprintf("(%d alerts)", size/4), "alerts of other kinds"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	r.must("ana", "main", "/incident declare media fails --cert media")
	if a, _, _ := known(t, r, "INC-1"); len(a) != 8 {
		t.Errorf("%d lines", len(a))
	}
	if n := r.desk.AlertsWaiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
	if ps, err := r.book.Parcels(context.Background(), "", 0); err != nil || len(ps) != 0 {
		t.Errorf("%d parcels are left, %v", len(ps), err)
	}
	r.work() // the declaration has main's messages changed
	posts := len(r.posts)
	r.take(all...) // all of them again
	if len(r.posts) != posts {
		t.Errorf("%d posts because of a repetition", len(r.posts)-posts)
	}
	few := make([]commands.Alert, 25_000)
	for range 2 {
		if err := r.desk.TakeAlerts(context.Background(), few); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.desk.TakeAlerts(context.Background(), all[:1]); err != commands.ErrAlertsFull {
		t.Errorf("50,001 wait: %v", err)
	}
}

// TestAlertManyCertificates: alerts that name many certificates at once do not
// make as many messages, nor as many incidents.
func TestAlertManyCertificates(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]int{"suggest": 11, "declare": 11} {
		r := newRoom(t)
		r.engine.inv.Certificates = nil
		var all []commands.Alert
		for n := range 40 {
			name := fmt.Sprintf("site%d", n)
			r.engine.inv.Certificates = append(r.engine.inv.Certificates, renew.Certificate{Name: name, Domains: []string{name + ".example.com"}})
			a := heard(fmt.Sprint("m/", n), "firing", policy)
			a.Hosts = []string{name + ".example.com"}
			all = append(all, a)
		}
		for _, c := range r.engine.inv.Certificates {
			r.engine.standing[c.Name] = renew.Standing{Certificate: c}
		}
		r.take(all...)
		incidents, _ := r.book.List(context.Background(), incident.Filter{})
		messages := 0
		for _, m := range r.in("main") {
			if strings.HasPrefix(m.Headline, "Alertmanager says of") || strings.HasPrefix(m.Headline, "Alerts name") {
				messages++
			}
		}
		if declared := map[string]int{"declare": 5}[policy]; len(incidents) != declared || messages != want {
			t.Errorf("%s: %d incidents, %d messages", policy, len(incidents), messages)
		}
	}
}

// TestAlertPause: what comes later than the pause is another group; what is
// over and fires again is told again.
func TestAlertPause(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good(r)
	r.take(heard("a/1", "firing", "suggest"))
	r.clock.add(incident.AlertPause)
	r.take(heard("a/2", "firing", "suggest"))
	if n := len(r.in("main")); n != 1 {
		t.Errorf("%d messages within the pause", n)
	}
	r.clock.add(incident.AlertPause + time.Second)
	r.take(heard("a/3", "firing", "suggest"))
	if n := len(r.in("main")); n != 2 {
		t.Errorf("%d messages after the pause", n)
	}
	// Without an event of their own, the state tells.
	x := heard("g", "firing", "suggest")
	x.Source, x.Event, x.Title = "cron", "", "tls-check failed"
	r.clock.add(time.Hour)
	r.must("ana", "main", "/incident declare media fails --cert media")
	lines := func() int { a, _, _ := known(t, r, "INC-1"); return len(a) }
	before := lines()
	for _, state := range []string{"firing", "firing", "resolved", "resolved", "firing", "resolved"} {
		r.clock.add(time.Minute)
		x.State = state
		r.take(x)
	}
	if n := lines() - before; n != 3 { // it fires; it is over; it is over again
		a, _, _ := known(t, r, "INC-1")
		t.Errorf("%d lines: %+v", n, a)
	}
}

func TestAlertOutOfOrder(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare media fails --cert media")
	over, fires := heard("p1", "resolved", ""), heard("p1", "firing", "")
	over.Event, over.Happened, fires.Event, fires.Happened = "e2", t0.Add(2*time.Minute), "e1", t0
	r.clock.add(5 * time.Minute)
	r.take(over)
	r.take(fires) // delivered late: it is over by their own account
	if a, _, _ := known(t, r, "INC-1"); len(a) != 1 || a[0].Evidence.Alert.State != "resolved" {
		t.Errorf("%+v", a)
	}
}

// TestAlertPrivate: main hears nothing of a private incident.
func TestAlertPrivate(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	good(r)
	r.take(heard("a/1", "firing", "suggest"))
	r.must("ana", "main", "/incident declare media fails --cert media --private")
	r.take(heard("a/2", "firing", "declare"))
	if text := fmt.Sprint(r.in("main")); strings.Contains(text, "INC-1") {
		t.Errorf("main: %s", text)
	}
	if a, _, _ := known(t, r, "INC-1"); len(a) != 1 || len(r.in("INC-1")) == 0 {
		t.Errorf("%+v", a)
	}
}

func TestHostsIn(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://Media.Example.com:8443/health?x=a.b": "media.example.com:8443 a.b",
		"media.example.com":                           "media.example.com",
		"media.example.com.":                          "media.example.com",
		"CN=media.example.com,O=Example Inc.":         "media.example.com",
		"the certificate of *.api.example.com ends":   "*.api.example.com",
		"127.0.0.1:9115 [::1]:443 ::1":                "127.0.0.1:9115 [::1]:443 ::1",
		"ana@example.com":                             "",
		"bücher.example":                              "xn--bcher-kva.example",
		"1.2.3 v1.2 3.14":                             "",
		"cdn-1":                                       "",
		"a.example:0 b.example:99999 c.example:x":     "",
		"<script>evil.example</script>":               "evil.example",
		"\xff\xfe..--::[[":                            "",
	} {
		if got := strings.Join(commands.HostsIn(in), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCertificateOf(t *testing.T) {
	t.Parallel()
	inv := newEngine(&clock{t: t0}).inv
	inv.Certificates = append(inv.Certificates, renew.Certificate{Name: "other", Domains: []string{"deep.api.example.com"},
		Endpoints: []renew.Endpoint{{Host: "media.example.com", Port: 9443, Addresses: []string{"127.0.0.11"}}}})
	for _, c := range []struct {
		a    commands.Alert
		want string
	}{
		{commands.Alert{Hosts: []string{"media.example.com"}}, "media"},
		{commands.Alert{Hosts: []string{"media.example.com:8443"}}, "media"},
		{commands.Alert{Hosts: []string{"media.example.com:9100"}}, "media"}, // an exporter beside it
		{commands.Alert{Hosts: []string{"media.example.com:9443"}}, "other"}, // its endpoint, although the name is media's
		{commands.Alert{Hosts: []string{"x.api.example.com"}}, "api"},        // the wildcard
		{commands.Alert{Hosts: []string{"deep.api.example.com"}}, "other"},   // a name goes before a wildcard
		{commands.Alert{Hosts: []string{"x.y.api.example.com"}}, ""},         // a wildcard covers one label (RFC 9525 section 6.3)
		{commands.Alert{Hosts: []string{"*.api.example.com"}}, "api"},
		{commands.Alert{Hosts: []string{"127.0.0.12:8443"}}, "media"},
		{commands.Alert{Hosts: []string{"127.0.0.12"}}, "media"},
		{commands.Alert{Hosts: []string{"127.0.0.11"}}, ""}, // two certificates are served there
		{commands.Alert{Hosts: []string{"127.0.0.11:8443"}}, "media"},
		{commands.Alert{Hosts: []string{"blackbox.example.com:9115", "api.example.com"}}, "api"},
		{commands.Alert{Names: []string{"sally"}}, "media"},
		{commands.Alert{Names: []string{"MEDIA"}}, "media"},
		{commands.Alert{Names: []string{"nothing"}}, ""},
		{commands.Alert{Certificate: "api", Hosts: []string{"media.example.com"}}, "api"},
		{commands.Alert{Certificate: "no such", Hosts: []string{"media.example.com"}}, "media"},
		{commands.Alert{}, ""},
	} {
		if got := commands.CertificateOf(inv, c.a); got != c.want {
			t.Errorf("%+v: %q, want %q", c.a, got, c.want)
		}
	}
}

func FuzzHostsIn(f *testing.F) {
	for _, s := range []string{"https://media.example.com:8443/", "[::1]:443", "*.a.b", "bücher.example", "xn--", "\xff."} {
		f.Add(s)
	}
	inv := newEngine(&clock{t: t0}).inv
	f.Fuzz(func(t *testing.T, s string) {
		hosts := commands.HostsIn(s)
		for _, h := range hosts {
			if strings.ContainsAny(h, " \n\"'<>&/;") || len(h) > 320 {
				t.Errorf("%q gives %q", s, h)
			}
			if again := commands.HostsIn(h); len(again) != 1 || again[0] != h {
				t.Errorf("%q gives %q, which gives %q", s, h, again)
			}
		}
		commands.CertificateOf(inv, commands.Alert{Certificate: s, Hosts: hosts, Names: []string{s}})
	})
}
