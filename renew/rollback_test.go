package renew

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"
)

func (b *bench) serveOld(t *testing.T, rn Renewal, tell string) {
	t.Helper()
	for _, h := range b.hosts {
		if s, d := h.served(t), h.onDisk(t); s != b.old.SHA256 || d != s {
			t.Errorf("%s serves %.8s and holds %.8s, before was %.8s\n%s\n%s", h.name, s, d, b.old.SHA256, rn.Problem, tell)
		}
	}
}

func TestFailingHostIsRolledBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, b *bench, h *host)
		says  string
	}{
		"place":   {func(_ *testing.T, _ *bench, h *host) { h.failSet = errors.New("read-only file system") }, "read-only file system"},
		"test":    {func(_ *testing.T, _ *bench, h *host) { h.failTest = errors.New("exit status 1") }, "configuration test of cdn-3 failed: exit status 1"},
		"reload":  {func(_ *testing.T, _ *bench, h *host) { h.failLoad = errors.New("exit status 7") }, "reload of cdn-3 failed"},
		"ignored": {func(_ *testing.T, _ *bench, h *host) { h.ignore = true }, "the service has not read the new files"},
		"another": {func(t *testing.T, b *bench, h *host) {
			chain, key := b.ca.pair(t, []string{"other.example.com"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
			other, err := tls.X509KeyPair(chain, key)
			if err != nil {
				t.Fatal(err)
			}
			h.swap = &other
			h.onReload = func() {
				if h.reloads > 1 {
					h.swap = nil
				}
			}
		}, "neither the old certificate nor the new one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 4, time.Hour)
			c.spoil(t, b, b.hosts[2])
			if name == "ignored" {
				b.patience = 400 * time.Millisecond
			}
			e := b.start(t)
			rn := e.renew(t, Ask{Force: true})
			if rn.State != RolledBack || !strings.Contains(rn.Problem, c.says) || rn.Next == "" {
				t.Errorf("%s: %q next %q\n%s", rn.State, rn.Problem, rn.Next, e.told(t, rn.ID))
			}
			b.serveOld(t, rn, e.told(t, rn.ID))
			if got := rn.Hosts[0].State; got != HostRolledBack {
				t.Errorf("the canary is %s", got)
			}
			steps, _ := e.Steps(soon(t), rn.ID)
			consistent(t, steps)
			var order []string
			for _, s := range steps {
				if s.Kind == StepRollback && s.Outcome == OK {
					order = append(order, s.Host)
				}
			}
			if len(order) < 3 || order[len(order)-1] != "cdn-1" || order[len(order)-2] != "cdn-2" {
				t.Errorf("put back in the order %v, want the last touched first", order)
			}
			if st, err := e.Check(soon(t), "media"); err != nil || st.Issued.SHA256 != "" {
				t.Errorf("a rolled back certificate counts as issued: %v %v", st.Issued.Serial, err)
			}
		})
	}
}

func TestUntrustedChainFailsTheCanaryAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3, time.Hour)
	stranger := newAuthority(t)
	b.ca.authority = stranger // issues what no client trusts
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != RolledBack || !strings.Contains(rn.Problem, "clients refuse") {
		t.Errorf("%s: %s", rn.State, rn.Problem)
	}
	b.serveOld(t, rn, "")
	if b.hosts[1].reloads+b.hosts[2].reloads != 0 {
		t.Error("a host after the canary was touched")
	}
}

func TestForwardOnlyKeepsVerifiedHostsAndOldFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3, -time.Minute) // what is served has expired
	b.hosts[1].failTest = errors.New("exit status 1")
	e := b.start(t)
	rn := e.renew(t, Ask{})
	tell := e.told(t, rn.ID)
	if rn.State != Failed || !strings.Contains(rn.Problem, "cdn-1 has the new certificate") || !strings.Contains(rn.Next, "cdn-2") {
		t.Errorf("%s: %q next %q\n%s", rn.State, rn.Problem, rn.Next, tell)
	}
	if s := b.hosts[0].served(t); s != rn.Issued.SHA256 || b.hosts[0].onDisk(t) != s {
		t.Errorf("cdn-1 was verified and lost the new certificate\n%s", tell)
	}
	if s := b.hosts[1].served(t); s != b.old.SHA256 || b.hosts[1].onDisk(t) != s {
		t.Errorf("cdn-2: disk and service do not agree on the old certificate\n%s", tell)
	}
	if s := b.hosts[2].served(t); s != b.old.SHA256 {
		t.Error("cdn-3 was touched after a failure")
	}
	if !strings.Contains(tell, "Only forward is possible on cdn-2") {
		t.Errorf("the journal does not say it:\n%s", tell)
	}
	b.hosts[1].set(func() { b.hosts[1].failTest = nil })
	if again := e.renew(t, Ask{}); again.State != Done {
		t.Errorf("forward after mending: %s %s", again.State, again.Problem)
	}
}

func TestPersonRollsBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, time.Hour)
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Done {
		t.Fatal(rn.Problem)
	}
	if _, err := e.Rollback(soon(t), rn.ID, ben, "clients with pins"); err != nil {
		t.Fatal(err)
	}
	if rn = e.wait(t, rn.ID); rn.State != RolledBack || !strings.Contains(rn.Problem, "Ben asked to roll back: clients with pins.") {
		t.Errorf("%s: %s", rn.State, rn.Problem)
	}
	b.serveOld(t, rn, e.told(t, rn.ID))
	steps, _ := e.Steps(soon(t), rn.ID)
	consistent(t, steps)
	if _, err := e.Rollback(soon(t), rn.ID, ben, ""); !errors.Is(err, ErrState) {
		t.Errorf("a second rollback: %v", err)
	}
}

func TestPersonRollbackToExpiredIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, -time.Minute)
	e := b.start(t)
	rn := e.renew(t, Ask{})
	if rn.State != Done {
		t.Fatal(rn.Problem)
	}
	_, err := e.Rollback(soon(t), rn.ID, ben, "")
	if !errors.Is(err, ErrForwardOnly) || !strings.Contains(err.Error(), "cdn-1") {
		t.Errorf("%v, want ErrForwardOnly that names the host", err)
	}
	if got := b.hosts[0].served(t); got != rn.Issued.SHA256 {
		t.Error("the refused rollback touched a host")
	}
}

func TestFailedRollbackIsSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, time.Hour)
	b.patience = 400 * time.Millisecond
	b.hosts[1].failTest = errors.New("exit status 1")
	b.hosts[0].onReload = func() { b.hosts[0].ignore = b.hosts[0].reloads > 1 } // takes the new one, then is deaf
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Failed || !strings.Contains(rn.Problem, "cdn-1 failed") || !strings.Contains(rn.Next, "cdn-1") {
		t.Errorf("%s: %q next %q\n%s", rn.State, rn.Problem, rn.Next, e.told(t, rn.ID))
	}
	if got := b.hosts[1].served(t); got != b.old.SHA256 {
		t.Error("cdn-2 was not put back")
	}
}

func TestNewHostWithNothingBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	empty := newHost(t, "cdn-1", nil, nil)
	b.world.hosts["cdn-1"], b.hosts[0] = empty, empty
	c := &b.inv.Certificates[0]
	c.Waves[0][0] = empty.target()
	c.Endpoints[0].Port = empty.port()
	e := b.start(t)
	if rn := e.renew(t, Ask{}); rn.State != Done {
		t.Errorf("%s: %s\n%s", rn.State, rn.Problem, e.told(t, rn.ID))
	}
}

func TestRollbackBesideAnotherRenewalIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	e := b.start(t)
	done := e.renew(t, Ask{Force: true})
	b.ca.failing("NewOrder", errors.New("the exit is closed"))
	stopped := e.renew(t, Ask{Force: true})
	if done.State != Done || stopped.State != Stopped {
		t.Fatal(done.State, stopped.State)
	}
	if _, err := e.Rollback(soon(t), done.ID, ben, ""); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), stopped.ID) {
		t.Errorf("%v, want ErrBusy that names %s", err, stopped.ID)
	}
	if _, err := e.Deny(soon(t), stopped.ID, ben, "given up"); err != nil {
		t.Fatal(err)
	}
	b.ca.failing("NewOrder", nil)
	if rn := e.renew(t, Ask{Force: true}); rn.State != Done {
		t.Fatal(rn.Problem)
	}
	if _, err := e.Rollback(soon(t), done.ID, ben, ""); !errors.Is(err, ErrState) {
		t.Errorf("a rollback past a newer rollout: %v", err)
	}
}

// TestLockedNameWaits: somebody else holds the certificate's name.
func TestLockedNameWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	e := b.start(t)
	lease, err := e.store.Lock(soon(t), "renew/media", "another machine", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	rn, err := e.Start(soon(t), Ask{Certificate: "media", By: ana, Force: true})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // it may only be too short to notice a fault, never too long
	if r, _ := e.Renewal(soon(t), rn.ID); r.Step != StepPreflight {
		t.Errorf("at %s although the name is locked", r.Step)
	}
	if n, _ := b.ca.count(); n != 0 {
		t.Error("ordered although the name is locked")
	}
	if err := lease.Release(soon(t)); err != nil {
		t.Fatal(err)
	}
	if rn = e.wait(t, rn.ID); rn.State != Done {
		t.Error(rn.Problem)
	}
}
