package renew

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestApproval(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.inv.Certificates[0].Approval.Teams = []string{"leads"}
	e := b.start(t)
	ctx := soon(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Waiting || !rn.Approved.IsZero() {
		t.Fatalf("state %s, approved %v", rn.State, rn.Approved)
	}
	if n, _ := b.ca.count(); n != 0 {
		t.Error("ordered before it was approved")
	}
	if _, err := e.Start(ctx, Ask{Certificate: "media", By: ben, Force: true}); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "R-1") {
		t.Errorf("a second one: %v, want ErrBusy that names R-1", err)
	}
	if _, err := e.Approve(ctx, rn.ID, ana, ""); !errors.Is(err, ErrSelfApproval) {
		t.Errorf("Ana approves her own: %v", err)
	}
	if _, err := e.Resume(ctx, rn.ID, ben); !errors.Is(err, ErrState) {
		t.Errorf("resume of a waiting one: %v", err)
	}
	if _, err := e.Approve(ctx, "r-1", ben, "go"); err != nil {
		t.Fatal(err)
	}
	rn = e.wait(t, rn.ID)
	if rn.State != Done || rn.Approver != ben || rn.Approved.IsZero() {
		t.Errorf("%s by %v: %s", rn.State, rn.Approver, rn.Problem)
	}
	if _, err := e.Approve(ctx, rn.ID, ben, ""); !errors.Is(err, ErrState) {
		t.Errorf("approve a done one: %v", err)
	}
}

func TestDenyAndSelfPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.inv.Certificates[0].Approval = Approval{Teams: []string{"leads"}, Self: true}
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn, err := e.Deny(soon(t), rn.ID, ben, "not tonight"); err != nil || rn.State != Denied || rn.Ended.IsZero() {
		t.Fatalf("%s %v", rn.State, err)
	}
	rn = e.renew(t, Ask{Force: true})
	if rn.ID != "R-2" {
		t.Fatalf("%s: a denied one must not block", rn.ID)
	}
	if _, err := e.Approve(soon(t), rn.ID, ana, ""); err != nil {
		t.Errorf("the policy lets Ana approve her own: %v", err)
	}
	if rn = e.wait(t, rn.ID); rn.State != Done {
		t.Error(rn.Problem)
	}
	all, err := e.Renewals(soon(t), "media", 1)
	if err != nil || len(all) != 1 || all[0].ID != "R-2" {
		t.Errorf("renewals: %v %v", all, err)
	}
}

func TestStopAndResumeWithTheSameOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, time.Hour)
	b.ca.block = make(chan struct{})
	e := b.start(t)
	ctx := soon(t)
	rn, err := e.Start(ctx, Ask{Certificate: "media", By: ana, Force: true})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the challenge runs", func() bool { r, _ := e.Renewal(ctx, rn.ID); return r.Step == StepChallenge })
	if _, err := e.Stop(ctx, rn.ID, ben, "wrong window"); err != nil {
		t.Fatal(err)
	}
	rn = e.wait(t, rn.ID)
	if rn.State != Stopped || !strings.Contains(rn.Problem, "Ben stopped it: wrong window") || !strings.Contains(rn.Next, "R-1") {
		t.Fatalf("%s: %q %q", rn.State, rn.Problem, rn.Next)
	}
	if _, err := e.Start(ctx, Ask{Certificate: "media", By: ben, Force: true}); !errors.Is(err, ErrBusy) {
		t.Errorf("a stopped one is not final: %v", err)
	}
	close(b.ca.block)
	e.stop() // also over a restart
	e = b.start(t)
	if r := e.wait(t, rn.ID); r.State != Stopped {
		t.Fatalf("after a restart it is %s", r.State)
	}
	if _, err := e.Resume(ctx, rn.ID, ben); err != nil {
		t.Fatal(err)
	}
	rn = e.wait(t, rn.ID)
	if n, _ := b.ca.count(); n != 1 || rn.State != Done {
		t.Errorf("%d orders, %s: %s\n%s", n, rn.State, rn.Problem, e.told(t, rn.ID))
	}
}

func TestStopWaitsForTheHostInHand(t *testing.T) {
	t.Parallel()
	b := newBench(t, 4, time.Hour)
	e := b.open(t)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	b.hosts[0].onReload = func() { // the process is told to end while the canary reloads
		cancel()
		b.hosts[0].onReload = nil
	}
	var names []string
	go func() { defer close(stopped); names, _ = e.Run(ctx) }()
	rn, err := e.Start(soon(t), Ask{Certificate: "media", By: ana, Force: true})
	if err != nil {
		t.Fatal(err)
	}
	<-stopped
	if len(names) != 1 || names[0] != rn.ID {
		t.Errorf("Run names %v", names)
	}
	r, err := e.Renewal(soon(t), rn.ID)
	if err != nil || r.State != Running || r.Hosts[0].State != HostVerified || r.Hosts[1].State != HostWaiting {
		t.Errorf("%v %s %+v", err, r.State, r.Hosts)
	}
	e.stop()
	e = b.start(t)
	if r = e.wait(t, rn.ID); r.State != Done {
		t.Errorf("%s %s", r.State, r.Problem)
	}
	if b.hosts[0].reloads != 1 {
		t.Errorf("the canary was reloaded %d times", b.hosts[0].reloads)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, 90*24*time.Hour)
	e := b.start(t)
	ctx := soon(t)
	for _, c := range []struct {
		a    Ask
		want error
	}{
		{Ask{Certificate: "nothing", By: ana}, ErrNotFound},
		{Ask{Certificate: "media", By: ana, Challenge: "tls-alpn-01"}, ErrChallenge},
		{Ask{Certificate: "media", By: ana}, ErrNotDue},
	} {
		if _, err := e.Start(ctx, c.a); !errors.Is(err, c.want) {
			t.Errorf("Start %+v: %v, want %v", c.a, err, c.want)
		}
	}
	for _, id := range []string{"", "R-", "R-0", "R-99", "x"} {
		if _, err := e.Renewal(ctx, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Renewal %q: %v", id, err)
		}
		if _, err := e.Stop(ctx, id, ana, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("Stop %q: %v", id, err)
		}
	}
	rn := e.renew(t, Ask{DryRun: true})
	if n, _ := b.ca.count(); rn.State != Done || n != 0 || !strings.Contains(e.told(t, rn.ID), "Nothing was ordered") {
		t.Errorf("dry run: %s, %d orders\n%s", rn.State, n, e.told(t, rn.ID))
	}
}

func TestPreflightFailureOrdersNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.ca.proofs = []Proof{{Level: HTTP01, Subject: "media.example.com", Text: "404", Finding: Finding{ID: "http01_path", Severity: Critical, Cause: "The path answers 404.", Next: "Use dns-01."}}}
	e := b.start(t)
	p, err := e.Plan(soon(t), Ask{Certificate: "media", By: ana})
	if err != nil || p.OK || len(p.OthersOK) != 1 || p.OthersOK[0] != DNS01 {
		t.Errorf("plan: %v ok=%v others=%v", err, p.OK, p.OthersOK)
	}
	rn := e.renew(t, Ask{})
	if n, _ := b.ca.count(); n != 0 || rn.State != Failed || !strings.Contains(rn.Problem, "404") || !strings.Contains(rn.Next, "dns-01") {
		t.Errorf("%s, %d orders: %q %q", rn.State, n, rn.Problem, rn.Next)
	}
	if rn = e.renew(t, Ask{Challenge: DNS01}); rn.State != Done {
		t.Errorf("by the other challenge: %s %s", rn.State, rn.Problem)
	}
	if rn = e.renew(t, Ask{Force: true}); rn.State != Done {
		t.Errorf("forced: %s %s", rn.State, rn.Problem)
	}
	b.ca.mu.Lock()
	defer b.ca.mu.Unlock()
	if len(b.ca.replaces) != 2 || b.ca.replaces[0] != "" || !strings.Contains(b.ca.replaces[1], "BEGIN CERTIFICATE") {
		t.Errorf("replaces: %q", b.ca.replaces)
	}
}

// An ask that comes in again, at once or after a restart, starts nothing.
func TestTheSameAskStartsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	e := b.start(t)
	ask := Ask{Key: "req/1", Certificate: "media", By: ana, Force: true}
	ids := make(chan string, 8)
	for range cap(ids) {
		go func() {
			r, err := e.Start(soon(t), ask)
			if err != nil {
				t.Error(err)
			}
			ids <- r.ID
		}()
	}
	for range cap(ids) {
		if id := <-ids; id != "R-1" {
			t.Errorf("the same ask started %q", id)
		}
	}
	if r, err := e.Wait(soon(t), "R-1"); err != nil || r.State != Done {
		t.Fatalf("%v %s %s", err, r.State, r.Problem)
	}
	if r, err := e.Start(soon(t), ask); err != nil || r.ID != "R-1" || r.State != Done {
		t.Errorf("asked again after the end: %v %s %s", err, r.ID, r.State)
	}
	if n, _ := b.ca.count(); n != 1 {
		t.Errorf("%d orders", n)
	}
}
