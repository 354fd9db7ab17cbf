package renew

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A window that ends when the certificate is dead, or never, must not silence
// the word that its renewal is overdue.
func TestWindowBeyondTheCertificateIsNotBelieved(t *testing.T) {
	issued := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	leaf := Leaf{SHA256: "aa", NotBefore: issued, NotAfter: issued.Add(90 * 24 * time.Hour)}
	byAge := issued.Add(60 * 24 * time.Hour)
	for name, w := range map[string]Window{
		"in 9999":          {Start: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9999, 1, 2, 0, 0, 0, 0, time.UTC)},
		"begins in time":   {Start: issued.Add(58 * 24 * time.Hour), End: leaf.NotAfter.Add(time.Hour)},
		"as it expires":    {Start: leaf.NotAfter.Add(-time.Hour), End: leaf.NotAfter.Add(time.Second)},
		"after its expiry": {Start: leaf.NotAfter.Add(time.Hour), End: leaf.NotAfter.Add(2 * time.Hour)},
	} {
		st := diskStanding{NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Window: w, WindowOf: "aa"}
		f := facts{st: st, issued: diskIssued{Entries: []diskEntry{{N: 1, Leaf: leaf}}}}
		if at := f.overdueAt(); !at.Equal(byAge) {
			t.Errorf("%s: overdue from %s, want %s", name, at, byAge)
		}
		if !f.overdue(leaf.NotAfter.Add(-24 * time.Hour)) {
			t.Errorf("%s: not overdue a day before it expires", name)
		}
		st.settle(f)
		if st.RenewAt.After(byAge) {
			t.Errorf("%s: renewal begins %s", name, st.RenewAt)
		}
	}
	good := Window{Start: issued.Add(50 * 24 * time.Hour), End: issued.Add(52 * 24 * time.Hour)}
	f := facts{st: diskStanding{NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Window: good, WindowOf: "aa"}, issued: diskIssued{Entries: []diskEntry{{N: 1, Leaf: leaf}}}}
	if !f.overdueAt().Equal(good.End) {
		t.Errorf("a good window: %s", f.overdueAt())
	}
}

// tarpit is a Prober whose endpoints never answer.
type tarpit struct {
	at, most atomic.Int32
	begun    chan struct{}
	end      chan struct{}
}

func (p *tarpit) Check(ctx context.Context, q Query) Report {
	n := p.at.Add(1)
	for m := p.most.Load(); n > m && !p.most.CompareAndSwap(m, n); m = p.most.Load() {
	}
	p.begun <- struct{}{}
	select {
	case <-p.end:
	case <-ctx.Done():
	}
	p.at.Add(-1)
	return Report{}
}

// However many endpoints people ask for at once, few are probed at a time.
func TestAskedEndpointsAreCapped(t *testing.T) {
	p := &tarpit{begun: make(chan struct{}, 101), end: make(chan struct{})}
	r := &Runner{o: Options{Prober: p}}
	r.watch.init(nil)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { r.CheckEndpoint(context.Background(), Query{Host: "192.0.2.1", Port: 443}) })
	}
	for range maxAsked {
		<-p.begun
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	left := make(chan struct{})
	go func() { r.CheckEndpoint(gone, Query{Host: "192.0.2.1", Port: 443}); close(left) }()
	<-left // who goes away does not wait
	close(p.end)
	all.Wait()
	if most := p.most.Load(); most > maxAsked+1 {
		t.Errorf("%d endpoints were probed at a time", most)
	}
}
