package renew

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// journalCount counts the writes that touch a renewal.
type journalCount struct {
	store.Store
	mu sync.Mutex
	n  int
}

type countedTx struct {
	store.Tx
	hit bool
}

func (c *countedTx) Put(key string, value []byte) error {
	c.hit = c.hit || strings.HasPrefix(key, prefixRun)
	return c.Tx.Put(key, value)
}

func (j *journalCount) Update(ctx context.Context, fn func(store.Tx) error) error {
	hit := false
	err := j.Store.Update(ctx, func(tx store.Tx) error {
		c := &countedTx{Tx: tx}
		err := fn(c)
		hit = c.hit
		return err
	})
	if hit {
		j.mu.Lock()
		j.n++
		j.mu.Unlock()
	}
	return err
}

// TestWritesOfARenewal keeps the journal cheap: each write is a disk flush.
func TestWritesOfARenewal(t *testing.T) {
	t.Parallel()
	b := newBench(t, 4, time.Hour)
	var j *journalCount
	b.wrap = func(s store.Store) store.Store {
		j = &journalCount{Store: s}
		return j
	}
	e := b.start(t)
	if rn := e.renew(t, Ask{Force: true}); rn.State != Done {
		t.Fatal(rn.Problem)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	t.Logf("%d writes for 4 hosts", j.n)
	if j.n < 8 || j.n > 19 {
		t.Errorf("%d journal writes for one renewal on 4 hosts", j.n)
	}
}

// many turns a bench into n certificates on its one host's listener each.
func many(t testing.TB, n int) *bench {
	b := newBench(t, 0, time.Hour)
	b.inv.Certificates = nil
	for i := range n {
		domain := fmt.Sprintf("c%d.example.com", i)
		chain, key := b.ca.pair(t, []string{domain}, time.Now().Add(-24*time.Hour), time.Now().Add(time.Hour))
		h := newHost(t, fmt.Sprintf("host-%d", i), chain, key)
		b.hosts = append(b.hosts, h)
		b.world.hosts[h.name] = h
		b.inv.Certificates = append(b.inv.Certificates, Certificate{
			Name: fmt.Sprintf("c%d", i), Domains: []string{domain}, Issuer: "test", Challenges: []Challenge{{Type: HTTP01}},
			Endpoints: []Endpoint{{Host: domain, Port: h.port(), Addresses: []string{"127.0.0.1"}}}, Waves: [][]Target{{h.target()}},
		})
	}
	return b
}

// renewAll starts every certificate's renewal at once and waits for all.
func (e *engine) renewAll(t testing.TB) {
	t.Helper()
	var all sync.WaitGroup
	for _, c := range e.b.inv.Certificates {
		all.Go(func() {
			rn, err := e.Start(context.Background(), Ask{Certificate: c.Name, By: ana, Force: true})
			if err == nil {
				rn, err = e.Wait(soon(t), rn.ID)
			}
			if err != nil || rn.State != Done {
				t.Errorf("%s: %v %s %s", c.Name, err, rn.State, rn.Problem)
			}
		})
	}
	all.Wait()
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := many(t, 40)
	e := b.start(t)
	e.renewAll(t)
	if n, _ := b.ca.count(); n != 40 {
		t.Errorf("%d orders for 40 certificates", n)
	}
	for i, h := range b.hosts {
		rns, err := e.Renewals(soon(t), b.inv.Certificates[i].Name, 0)
		if err != nil || len(rns) != 1 || rns[0].Issued.SHA256 != h.served(t) {
			t.Errorf("%s: %v %d renewals", h.name, err, len(rns))
		}
	}
}

func BenchmarkHundredAtOnce(b *testing.B) {
	for range b.N {
		b.StopTimer()
		w := many(b, 100)
		e := w.start(b)
		b.StartTimer()
		e.renewAll(b)
		b.StopTimer()
		e.stop()
		b.StartTimer()
	}
}

func BenchmarkOneOnFourHosts(b *testing.B) {
	w := newBench(b, 4, time.Hour)
	e := w.start(b)
	for b.Loop() {
		if rn := e.renew(b, Ask{Force: true}); rn.State != Done {
			b.Fatal(rn.Problem)
		}
	}
}

// BenchmarkIdleThousand reports what a thousand endpoints cost in memory while
// nothing happens.
func BenchmarkIdleThousand(b *testing.B) {
	w := newBench(b, 1, 90*24*time.Hour)
	c := w.inv.Certificates[0]
	w.inv.Certificates = nil
	for i := range 1000 {
		one := c
		one.Name = fmt.Sprintf("c%d", i)
		w.inv.Certificates = append(w.inv.Certificates, one)
	}
	e := w.start(b)
	eventually(b, "all are checked", func() bool {
		s, err := e.Estate(context.Background())
		if err != nil {
			return false
		}
		time.Sleep(50 * time.Millisecond)
		for _, s := range s {
			if s.Checked.IsZero() {
				return false
			}
		}
		return true
	})
	time.Sleep(2 * flushAfter)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MB-heap")
	for b.Loop() {
		if _, err := e.Estate(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestStepsOfADrivenRenewal: what is at hand is what is on the record.
func TestStepsOfADrivenRenewal(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, time.Hour)
	e := b.open(t)
	u := &run{r: e.Runner, n: 1, cert: b.inv.Certificates[0], began: map[string]time.Time{}}
	u.d = diskRenewal{V: diskVersion, N: 1, Body: diskBody{ID: "R-1", State: Running}}
	e.mu.Lock()
	e.runs[1] = u
	e.mu.Unlock()
	for i := range 5 {
		u.note(Step{Kind: StepOrder, Text: "A note."})
		c := change{steps: []Step{{Kind: StepOrder, Outcome: Started, Text: fmt.Sprintf("Step %d.", i), Findings: []Finding{{ID: "x", Severity: Info, Cause: "y"}}}}}
		if err := u.commit(soon(t), c); err != nil {
			t.Fatal(err)
		}
		have, err := e.Steps(soon(t), "R-1")
		if err != nil {
			t.Fatal(err)
		}
		kept, err := e.steps(soon(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(pack(have)), string(pack(kept)); got != want || len(have) != 2*(i+1) {
			t.Errorf("%d steps at hand:\n%s\non the record:\n%s", len(have), got, want)
		}
		have[0].Text = "somebody's own"
	}
	e.stop()
}
