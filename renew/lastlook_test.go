package renew

import (
	"bytes"
	"context"
	"crypto/tls"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// lastLook calls begins when the journal holds the intent of the last look.
type lastLook struct {
	store.Store
	once   sync.Once
	begins func()
}

type lastLookTx struct {
	store.Tx
	hit bool
}

func (l *lastLookTx) Put(key string, value []byte) error {
	l.hit = l.hit || bytes.Contains(value, []byte(`"phase":"verify_all"`))
	return l.Tx.Put(key, value)
}

func (l *lastLook) Update(ctx context.Context, fn func(store.Tx) error) error {
	hit := false
	err := l.Store.Update(ctx, func(tx store.Tx) error {
		w := &lastLookTx{Tx: tx}
		err := fn(w)
		hit = w.hit
		return err
	})
	if hit {
		l.once.Do(l.begins)
	}
	return err
}

// countedProber counts looks.
type countedProber struct {
	Prober
	mu sync.Mutex
	n  int
}

func (p *countedProber) Check(ctx context.Context, q Query) Report {
	p.mu.Lock()
	p.n++
	p.mu.Unlock()
	return p.Prober.Check(ctx, q)
}

func (p *countedProber) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// TestTheLastLookIsOneHandshake: the hosts, the endpoints and the check after
// the renewal share it, where they are the same addresses.
func TestTheLastLookIsOneHandshake(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3, time.Hour)
	p := &countedProber{Prober: b.world}
	b.tune = func(o *Options) { o.Prober, o.CheckEvery = p, -1 }
	before := 0
	b.wrap = func(s store.Store) store.Store { return &lastLook{Store: s, begins: func() { before = p.count() }} }
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Done {
		t.Fatal(rn.Problem)
	}
	var st Standing
	eventually(t, "the last look is the check", func() bool {
		all, err := e.Estate(soon(t))
		st = all[0]
		return err == nil && !st.Checked.IsZero()
	})
	if n := p.count() - before; n != 3 || before == 0 {
		t.Errorf("%d looks for 3 endpoints after %d", n, before)
	}
	if st.Verdict != Good || st.HostsGood != 3 || st.Reports[0].Addresses[0].Leaf.SHA256 != rn.Issued.SHA256 || st.Reports[0].Name != "media" {
		t.Errorf("%s, %d hosts good, %+v", st.Verdict, st.HostsGood, st.Reports)
	}
	if st.Checked.After(rn.Ended) || rn.Ended.Sub(st.Checked) > 5*time.Second {
		t.Errorf("checked %s, ended %s", st.Checked, rn.Ended)
	}
}

// TestAHostThatTurnsBackAfterItWasVerified is caught by the last look.
func TestAHostThatTurnsBackAfterItWasVerified(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"an endpoint's address": false, "an address that no endpoint has": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 2, time.Hour)
			b.patience = 2 * time.Second
			if own {
				b.inv.Certificates[0].Endpoints = b.inv.Certificates[0].Endpoints[:1]
			}
			h := b.hosts[1]
			var old *tls.Certificate
			h.mu.Lock()
			old = h.serving
			h.mu.Unlock()
			b.wrap = func(s store.Store) store.Store {
				return &lastLook{Store: s, begins: func() {
					h.mu.Lock()
					defer h.mu.Unlock()
					h.serving = old
				}}
			}
			e := b.start(t)
			rn := e.renew(t, Ask{Force: true})
			if rn.State != RolledBack {
				t.Errorf("%s: %s\n%s", rn.State, rn.Problem, e.told(t, rn.ID))
			}
			if got := b.hosts[0].served(t); got != b.old.SHA256 {
				t.Errorf("the other host serves %.8s, not the old %.8s", got, b.old.SHA256)
			}
		})
	}
}

// oldAgain has the host serve its old certificate for the third right look
// after it was reloaded, as an old process does that still accepts connections.
type oldAgain struct {
	Prober
	h     *host
	old   *tls.Certificate
	mu    sync.Mutex
	right []time.Time // looks that saw the new certificate
	slips int
}

func (p *oldAgain) Check(ctx context.Context, q Query) Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.h.mu.Lock()
	now := p.h.serving
	if slip := len(p.right) == 2 && p.slips == 0; slip {
		p.h.serving, p.slips = p.old, 1
	}
	p.h.mu.Unlock()
	rep := p.Prober.Check(ctx, q)
	p.h.mu.Lock()
	p.h.serving = now
	p.h.mu.Unlock()
	if now != p.old && p.slips != 1 {
		p.right = append(p.right, time.Now())
	}
	if p.slips == 1 {
		p.slips, p.right = 2, nil
	}
	return rep
}

// TestAReloadedHostMustKeepServing: one wrong look among the right ones, and
// all of them are made again, each twice as long after the one before.
func TestAReloadedHostMustKeepServing(t *testing.T) {
	t.Parallel()
	const settle = 20 * time.Millisecond
	b := newBench(t, 1, time.Hour)
	h := b.hosts[0]
	h.mu.Lock()
	p := &oldAgain{Prober: b.world, h: h, old: h.serving}
	h.mu.Unlock()
	b.tune = func(o *Options) { o.Prober, o.CheckEvery, o.VerifySettle, o.VerifyStep = p, -1, settle, time.Second }
	b.wrap = func(s store.Store) store.Store {
		return &lastLook{Store: s, begins: func() { p.mu.Lock(); p.slips = 3; p.mu.Unlock() }}
	}
	e := b.start(t)
	if rn := e.renew(t, Ask{Force: true}); rn.State != Done {
		t.Fatal(rn.Problem)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slips != 3 || len(p.right) < settleLooks {
		t.Fatalf("%d right looks after the slip, at %d", len(p.right), p.slips)
	}
	for i := 1; i < settleLooks; i++ {
		if d := p.right[i].Sub(p.right[i-1]); d < settle<<(i-1) {
			t.Errorf("look %d came %s after the one before", i+1, d)
		}
	}
}
