package renew

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (b *bench) checks() []Event {
	var out []Event
	for _, e := range b.seen() {
		if e.Kind == EventCheck {
			out = append(out, e)
		}
	}
	return out
}

func TestExpiryIsNoticedWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 4*time.Second) // and CheckEvery is an hour
	r := b.start(t)
	var next time.Time // a slow machine looks later than it planned
	eventually(t, "it is planned", func() bool {
		s := r.watch.of("media")
		s.mu.Lock()
		defer s.mu.Unlock()
		next = s.checkAt
		return next.After(b.old.NotAfter)
	})
	if late := next.Sub(b.old.NotAfter); late > 2*time.Second {
		t.Errorf("planned %s after NotAfter", late)
	}
	var e Event
	eventually(t, "the expiry is told", func() bool {
		for _, e = range b.checks() {
			if e.Standing.Verdict == Critical {
				return true
			}
		}
		return false
	})
	if late := e.At.Sub(b.old.NotAfter); late < time.Second {
		t.Errorf("told %s after NotAfter", late)
	}
	if e.Before == Critical || e.Standing.LastGood.IsZero() && e.Before == Good {
		t.Errorf("before %q, last good %v", e.Before, e.Standing.LastGood)
	}
	if e.Standing.HostsGood != 0 || e.Standing.Hosts != 2 || e.Key == "" {
		t.Errorf("%d of %d good, key %q", e.Standing.HostsGood, e.Standing.Hosts, e.Key)
	}
}

// heldUp holds up the second look at one port; the first one tells which
// certificate is served, and is repeated with what is known of that.
type heldUp struct {
	Prober
	port  int
	looks atomic.Int32
	till  func()
}

func (h *heldUp) Check(ctx context.Context, q Query) Report {
	if q.Port == h.port && h.looks.Add(1) == 2 {
		h.till()
	}
	return h.Prober.Check(ctx, q)
}

// TestExpiryDuringACheckIsNoticed: a certificate that expires while a check
// waits for another host is looked at again at once, not at the next round.
func TestExpiryDuringACheckIsNoticed(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 2*time.Second) // and CheckEvery is an hour
	b.tune = func(o *Options) {
		o.Prober = &heldUp{Prober: b.world, port: b.inv.Certificates[0].Endpoints[1].Port, till: func() {
			time.Sleep(time.Until(b.old.NotAfter) + 1500*time.Millisecond)
		}}
	}
	e := b.start(t)
	eventually(t, "both hosts are told to have expired", func() bool {
		s, err := e.Estate(t.Context())
		return err == nil && s[0].Verdict == Critical && s[0].Hosts == 2 && s[0].HostsGood == 0
	})
}

func TestChecksTellChangesOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, 90*24*time.Hour)
	e := b.start(t)
	ctx := soon(t)
	for range 3 {
		if st, err := e.Check(ctx, "media"); err != nil || st.Verdict != Good || st.LastGood.IsZero() {
			t.Fatalf("%s %v", st.Verdict, err)
		}
	}
	good, _ := e.Check(ctx, "media")
	b.hosts[0].l.Close()
	for range 3 {
		if _, err := e.Check(ctx, "media"); err != nil {
			t.Fatal(err)
		}
	}
	st, _ := e.Check(ctx, "media")
	if st.Verdict != Critical || st.HostsGood != 1 || !st.LastGood.Equal(good.Checked) || !st.Since.After(good.Checked) {
		t.Errorf("%s %d good, last good %v, since %v", st.Verdict, st.HostsGood, st.LastGood, st.Since)
	}
	eventually(t, "it is told", func() bool { return len(b.checks()) > 0 })
	b.hosts[1].l.Close() // the verdict stays, the findings change
	if _, err := e.Check(ctx, "media"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second host is told", func() bool { return len(b.checks()) > 1 })
	e.stop()
	if got := b.checks(); len(got) != 2 || got[0].Before != Good || got[1].Before != Critical || got[0].Key == got[1].Key {
		t.Errorf("%d check events", len(got))
	}
	e = b.start(t) // and the record knows after a restart
	eventually(t, "checked again", func() bool { s, _ := e.Estate(ctx); return s[0].Checked.After(st.Checked) })
	if s, _ := e.Estate(ctx); !s[0].LastGood.Equal(good.Checked) || !s[0].Since.Equal(st.Since) {
		t.Errorf("after a restart: last good %v since %v", s[0].LastGood, s[0].Since)
	}
	e.stop()
	if n := len(b.checks()); n != 2 {
		t.Errorf("a restart told %d events again", n-2)
	}
}

func TestEventsAreHandedOverAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	var mu sync.Mutex
	refused := map[string]int{}
	b.emit = func(e Event) error {
		mu.Lock()
		defer mu.Unlock()
		if refused[e.Key]++; e.Kind == EventStep && refused[e.Key] == 1 && e.Step.Seq%7 == 3 {
			return errors.New("the room is away")
		}
		return nil
	}
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	steps, err := e.Steps(soon(t), rn.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.allEventsOnce(t, steps)
	e.stop()
	last := 0
	for _, ev := range b.seen() {
		if ev.Kind != EventStep {
			continue
		}
		if ev.Step.Seq != last+1 {
			t.Errorf("step %d was told after step %d", ev.Step.Seq, last)
		}
		last = ev.Step.Seq
		if ev.Renewal.ID != "R-1" || ev.Step.Certificate != "media" {
			t.Errorf("event %+v", ev.Key)
		}
	}
	b.events = nil
	b.start(t).stop()
	for _, ev := range b.seen() {
		if ev.Kind == EventStep {
			t.Errorf("%s was delivered and is told again", ev.Key)
		}
	}
}

func TestUndeliveredEventsSurviveARestart(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.emit = func(Event) error { return errors.New("away") }
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	e.stop()
	b.mu.Lock()
	b.emit = nil
	b.mu.Unlock()
	e = b.start(t)
	steps, _ := e.Steps(soon(t), rn.ID)
	b.allEventsOnce(t, steps)
}

func TestWindowIsDrawnOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	now := time.Now().UTC().Truncate(time.Second)
	b.ca.window = Window{Start: now.Add(24 * time.Hour), End: now.Add(72 * time.Hour), Explanation: "https://ca.test/why", RetryAfter: now.Add(-time.Second)}
	e := b.start(t)
	if rn := e.renew(t, Ask{Force: true}); rn.State != Done {
		t.Fatal(rn.Problem)
	}
	var drawn time.Time
	eventually(t, "the window is known", func() bool {
		s, err := e.Estate(context.Background())
		drawn = s[0].RenewAt
		return err == nil && s[0].Window.Start.Equal(b.ca.window.Start)
	})
	if drawn.Before(b.ca.window.Start) || !drawn.Before(b.ca.window.End) {
		t.Fatalf("%v is not in the window", drawn)
	}
	for range 5 {
		if err := e.refreshWindow(soon(t), b.inv.Certificates[0]); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := e.Check(soon(t), "media"); err != nil || !st.RenewAt.Equal(drawn) {
		t.Errorf("drawn %v, then %v", drawn, st.RenewAt)
	}
	e.stop()
	e = b.start(t)
	if st, err := e.Check(soon(t), "media"); err != nil || !st.RenewAt.Equal(drawn) || st.Overdue {
		t.Errorf("after a restart: drawn %v, then %v, overdue %v", drawn, st.RenewAt, st.Overdue)
	}
	b.ca.mu.Lock()
	b.ca.window.Start, b.ca.window.End = now.Add(-2*time.Hour), now.Add(-time.Hour) // as after a revocation
	b.ca.mu.Unlock()
	if err := e.refreshWindow(soon(t), b.inv.Certificates[0]); err != nil {
		t.Fatal(err)
	}
	st, err := e.Check(soon(t), "media")
	if err != nil || st.RenewAt.Equal(drawn) || !st.Overdue || st.Verdict != Warning {
		t.Errorf("moved into the past: renew at %v, overdue %v, %s %v", st.RenewAt, st.Overdue, st.Verdict, err)
	}
	if _, err := e.Start(soon(t), Ask{Certificate: "media", By: ana}); err != nil {
		t.Errorf("overdue is due: %v", err)
	}
}

func TestOverdueByAge(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ life, want time.Duration }{{90 * day, 60 * day}, {6 * day, 3 * day}, {10 * day, 10 * day / 3 * 2}, {time.Minute, 30 * time.Second}} {
		if got := overdueByAge(from, from.Add(c.life)).Sub(from); got != c.want {
			t.Errorf("lifetime %s: overdue after %s, want %s", c.life, got, c.want)
		}
	}
	b := newBench(t, 1, time.Hour) // 25 h long, 24 h old
	e := b.start(t)
	if st, err := e.Check(soon(t), "media"); err != nil || !st.Overdue || st.Verdict != Warning {
		t.Errorf("%v overdue %v %s", err, st.Overdue, st.Verdict)
	}
}

func TestRehearsalTellsWhenThePathBreaks(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 90*24*time.Hour)
	e := b.start(t)
	ctx := soon(t)
	st, err := e.Rehearse(ctx, "media")
	if err != nil || st.RehearsedOK.IsZero() || len(st.Rehearsal) != 2 {
		t.Fatalf("%v %+v", err, st.Rehearsal)
	}
	b.ca.mu.Lock()
	b.ca.proofs = []Proof{{Level: DNS01, Subject: "media.example.com", Text: "REFUSED", Finding: Finding{ID: "dns01_write", Severity: Critical, Cause: "REFUSED"}}}
	b.ca.mu.Unlock()
	for range 2 {
		if st, err = e.Rehearse(ctx, "media"); err != nil || !st.Rehearsed.After(st.RehearsedOK) {
			t.Fatalf("%v", err)
		}
	}
	e.stop()
	n := 0
	for _, ev := range b.seen() {
		if ev.Kind == EventRehearsal {
			n++
			if len(ev.Standing.Rehearsal) != 3 {
				t.Errorf("the event has %d proofs", len(ev.Standing.Rehearsal))
			}
		}
	}
	if n != 1 {
		t.Errorf("%d rehearsal events, want 1", n)
	}
}

func TestRehearsesByItself(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 90*24*time.Hour)
	b.tune = func(o *Options) { o.RehearseEvery = time.Hour }
	e := b.start(t)
	eventually(t, "a rehearsal soon after the start", func() bool {
		s, err := e.Estate(context.Background())
		return err == nil && !s[0].RehearsedOK.IsZero()
	})
}

func TestEndpointBesideTheHostsStops(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3, time.Hour)
	b.patience = 400 * time.Millisecond
	c := &b.inv.Certificates[0]
	c.Waves = [][]Target{{b.hosts[0].target()}, {b.hosts[1].target()}} // nobody told certmedic of cdn-3
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Stopped || !strings.Contains(rn.Problem, "not served") {
		t.Fatalf("%s: %s", rn.State, rn.Problem)
	}
	if b.hosts[0].served(t) != rn.Issued.SHA256 || b.hosts[1].served(t) != rn.Issued.SHA256 {
		t.Error("good hosts were put back")
	}
	b.hosts[2].set(func() { b.hosts[2].serving = b.hosts[0].serving })
	if _, err := e.Resume(soon(t), rn.ID, ana); err != nil {
		t.Fatal(err)
	}
	if rn = e.wait(t, rn.ID); rn.State != Done {
		t.Errorf("%s: %s", rn.State, rn.Problem)
	}
	steps, _ := e.Steps(soon(t), rn.ID)
	consistent(t, steps)
}
