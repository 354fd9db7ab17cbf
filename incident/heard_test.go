package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// toMedia files everything under media.
func toMedia(HeardAlert) string { return "media" }

// file takes alerts and files them.
func file(t testing.TB, b *Book, alerts ...HeardAlert) (fresh int) {
	t.Helper()
	if err := b.TakeAlerts(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
	for _, p := range must[[]Parcel](t)(b.Parcels(t.Context(), "", 0)) {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
		fresh += must[int](t)(b.FileAlerts(t.Context(), p, toMedia))
		if err := b.ParcelDone(t.Context(), p.Key); err != nil {
			t.Fatal(err)
		}
	}
	return fresh
}

// TestAlertsTaken: what was taken is in the record as it came, in parcels, and
// is there after it is opened anew.
func TestAlertsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/x.db"
	open := func() (*store.Bolt, *Book) {
		s, err := store.Open(context.Background(), dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s, NewBook(s, time.Now)
	}
	s, b := open()
	var all []HeardAlert
	for n := range 450 {
		all = append(all, HeardAlert{Source: "x", ID: fmt.Sprint(n), Title: "down", Hosts: []string{"a.example"}, Started: time.Unix(1700000000, 0)})
	}
	if err := b.TakeAlerts(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, b = open()
	defer s.Close()
	n, after := 0, ""
	for {
		ps := must[[]Parcel](t)(b.Parcels(t.Context(), after, 1))
		if len(ps) == 0 {
			break
		}
		after = ps[0].Key
		for _, a := range ps[0].Alerts {
			if a.ID != fmt.Sprint(n) || a.Title != "down" || a.Hosts[0] != "a.example" || !a.Started.Equal(time.Unix(1700000000, 0)) || a.State != Firing || a.At.IsZero() {
				t.Fatalf("%d: %+v", n, a)
			}
			n++
		}
	}
	if n != 450 {
		t.Errorf("%d alerts", n)
	}
}

// TestAlertsFiledOnce: a parcel filed again after a kill changes nothing, and
// counts are right over every cut between transactions.
func TestAlertsFiledOnce(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	var all []HeardAlert
	for n := range 300 {
		all = append(all, HeardAlert{Source: "x", ID: fmt.Sprint(n), Event: Firing, State: Firing, Title: fmt.Sprint("kind ", n%3), At: w.now()})
	}
	p := Parcel{Alerts: all}
	for n := 0; n <= 300; n += 50 { // killed after n of them
		must[int](t)(b.FileAlerts(t.Context(), Parcel{Alerts: all[:n]}, toMedia))
	}
	if fresh := must[int](t)(b.FileAlerts(t.Context(), p, toMedia)); fresh != 0 {
		t.Errorf("%d new", fresh)
	}
	due := must[[]AlertGroup](t)(b.DueAlerts(t.Context(), 0))
	if len(due) != 1 || due[0].Count() != 300 || due[0].Firing() != 300 || len(due[0].Kinds) != 3 || due[0].Kinds[1].Count != 100 {
		t.Fatalf("%+v", due)
	}
	g := due[0]
	g.InMain = true
	if err := b.AlertsTold(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if due := must[[]AlertGroup](t)(b.DueAlerts(t.Context(), 0)); len(due) != 0 {
		t.Errorf("still due: %+v", due)
	}
	file(t, b, HeardAlert{Source: "x", ID: "0", Event: Over, State: Over, Title: "kind 0"})
	again := must[[]AlertGroup](t)(b.DueAlerts(t.Context(), 0))
	if len(again) != 1 || !again[0].InMain || again[0].Firing() != 299 {
		t.Errorf("%+v", again)
	}
	if err := b.AlertsTold(t.Context(), g); err != nil { // of the revision before
		t.Fatal(err)
	}
	if due := must[[]AlertGroup](t)(b.DueAlerts(t.Context(), 0)); len(due) != 1 {
		t.Error("what changed while it was said is lost")
	}
}

// TestAlertsManyGroups: no transaction passes the store's limit, however many
// groups one parcel touches.
func TestAlertsManyGroups(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	var all []HeardAlert
	for n := range 200 {
		all = append(all, HeardAlert{Source: "x", ID: fmt.Sprint(n), State: Firing, Title: "down", Names: []string{fmt.Sprint("c", n%70)}, At: w.now()})
	}
	by := func(a HeardAlert) string { return a.Names[0] }
	if n, err := b.FileAlerts(t.Context(), Parcel{Alerts: all}, by); err != nil || n != 200 {
		t.Fatal(n, err)
	}
	w.add(time.Hour)
	var more []HeardAlert // as many new ones, in groups of their own; then the old ones are over
	for n := range all {
		all[n].State, all[n].At = Over, w.now()
		more = append(more, HeardAlert{Source: "x", ID: fmt.Sprint("n", n), State: Firing, Title: "down", Names: all[n].Names, At: w.now()})
	}
	all = append(more, all...)
	if n, err := b.FileAlerts(t.Context(), Parcel{Alerts: all}, by); err != nil || n != 400 {
		t.Fatal(n, err)
	}
	if due := must[[]AlertGroup](t)(b.DueAlerts(t.Context(), 0)); len(due) != 140 {
		t.Errorf("%d groups", len(due))
	}
}

// TestAlertsCleaned: no secret and nothing endless is kept of strangers' words.
func TestAlertsCleaned(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	long := strings.Repeat("x", 100_000)
	err := b.TakeAlerts(t.Context(), []HeardAlert{{Source: long, ID: long, Event: long, State: long, Title: "password=hunter2hunter2 " + long, Text: "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", Link: "javascript:alert(1)", Severity: long, By: "a\u202eb\n", Hosts: make([]string, 1000), Names: []string{long}, Started: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)}})
	if err != nil {
		t.Fatal(err)
	}
	a := must[[]Parcel](t)(b.Parcels(t.Context(), "", 0))[0].Alerts[0]
	if text := fmt.Sprint(a); len(text) > 3000 || strings.Contains(text, "hunter2") || strings.Contains(text, "MIIE") || a.Link != "" || a.By != "ab" || a.State != Firing || !a.Started.IsZero() {
		t.Errorf("%d: %+v", len(text), a)
	}
	for link, want := range map[string]string{"https://a.example/x?y=1#z": "https://a.example/x?y=1#z", "HTTP://a.example": "HTTP://a.example", "http://a b": "", "ftp://a": "", "https://a/\"><script>": "", "": ""} {
		if got := webAddress(link); got != want {
			t.Errorf("%q: %q", link, got)
		}
	}
}

func TestAlertsSwept(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	a := HeardAlert{Source: "x", ID: "1", Event: Firing, Title: "down"}
	file(t, b, a)
	w.add(40 * day)
	if n := file(t, b, a); n != 0 { // a repetition keeps it known
		t.Error("a repetition is new")
	}
	w.add(40 * day)
	if err := b.SweepAlerts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := file(t, b, a); n != 0 {
		t.Error("swept although it was heard of 40 days ago")
	}
	w.add(keepGroup + day)
	if err := b.SweepAlerts(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := 0
	err := b.s.View(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Scan(store.Range{Prefix: keyHeardID}, func(string, []byte) error { left++; return nil }),
			tx.Scan(store.Range{Prefix: keyHeardGroup}, func(string, []byte) error { left++; return nil }))
	})
	if err != nil || left != 0 {
		t.Errorf("%d keys are left, %v", left, err)
	}
	for _, g := range must[[]AlertGroup](t)(b.DueAlerts(t.Context(), 0)) { // its mark goes with the next look
		if err := b.AlertsTold(t.Context(), g); err != nil {
			t.Error(err)
		}
	}
	if n := len(must[[]AlertGroup](t)(b.DueAlerts(t.Context(), 0))); n != 0 {
		t.Errorf("%d due", n)
	}
}

// BenchmarkAlertBurst takes and files 10,000 alerts about one certificate.
func BenchmarkAlertBurst(b *testing.B) {
	book, _ := testBook(b)
	k := 0
	for b.Loop() {
		k++
		var all []HeardAlert
		for n := range 10_000 {
			all = append(all, HeardAlert{Source: "x", ID: fmt.Sprint(k, "/", n), Event: Firing, Title: "CertificateExpired", Text: "media.example.com:443 serves an expired certificate", Hosts: []string{"media.example.com:443"}})
		}
		start := time.Now()
		if err := book.TakeAlerts(b.Context(), all); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/acknowledged")
		if n := file(b, book); n != 10_000 {
			b.Fatal(n)
		}
	}
}
