package commands_test

// The tests' stand-in for renew.Runner: an engine in memory that keeps the
// same rules (one renewal at a time, approval by policy, due or not, states),
// and a clock that only moves when told. The incident book is the real one.

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/store"
)

// t0 is when the tests begin: two minutes after the expiry of media.
var t0 = time.Date(2026, 11, 22, 1, 54, 10, 0, time.UTC)

// clock moves when told.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// engine is the stand-in.
type engine struct {
	mu       sync.Mutex
	clock    *clock
	inv      renew.Inventory
	served   map[string]renew.Leaf // by address
	refused  map[string]bool       // addresses that do not answer
	broken   map[string]string     // certificate/challenge: why its rehearsal fails
	standing map[string]renew.Standing
	renewals []renew.Renewal
	steps    map[string][]renew.Step
	emit     func(renew.Event)
	fail     error // of the next check
	events   int
	failHost string // deploying to it fails
	hold     bool   // renewals stay before the rollout
}

func leaf(n int, from, until time.Time) renew.Leaf {
	return renew.Leaf{Subject: "media.example.com", SANs: []string{"media.example.com"}, Issuer: "Pebble Intermediate CA 1", Serial: fmt.Sprintf("0a%02x", n),
		NotBefore: from, NotAfter: until, SHA256: fmt.Sprintf("%064x", n), SPKI: fmt.Sprintf("%064x", n+1000)}
}

func target(name string, n int) renew.Target {
	return renew.Target{Name: name, Directory: renew.Directory{Path: "/srv/" + name, Layout: renew.Certbot}, Verify: []string{fmt.Sprintf("127.0.0.%d:8443", n)}}
}

// newEngine has media, expired on four hosts, and api, good on one, whose
// renewal needs an approval.
func newEngine(c *clock) *engine {
	e := &engine{clock: c, served: map[string]renew.Leaf{}, refused: map[string]bool{}, broken: map[string]string{}, standing: map[string]renew.Standing{}, steps: map[string][]renew.Step{}}
	e.inv = renew.Inventory{
		Issuers: []renew.Issuer{{Name: "pebble", Directory: "https://127.0.0.1:14000/dir", Email: "tls@example.com"}},
		Certificates: []renew.Certificate{
			{Name: "media", Domains: []string{"media.example.com"}, Owner: "web", Issuer: "pebble", Runbook: "https://wiki.example.com/tls",
				Challenges: []renew.Challenge{{Type: renew.HTTP01, Listen: "127.0.0.1:5002"}, {Type: renew.DNS01, Provider: "rfc2136"}},
				Endpoints:  []renew.Endpoint{{Host: "media.example.com", Port: 8443, Addresses: []string{"127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"}}},
				Waves:      [][]renew.Target{{target("cdn-frankfurt-1", 11)}, {target("cdn-fremont-1", 12), target("sally", 13), target("esme", 14)}}},
			{Name: "api", Domains: []string{"api.example.com", "*.api.example.com"}, Owner: "web", Issuer: "pebble", Approval: renew.Approval{Teams: []string{"leads"}},
				Challenges: []renew.Challenge{{Type: renew.DNS01, Provider: "rfc2136"}},
				Endpoints:  []renew.Endpoint{{Host: "api.example.com", Port: 443, Addresses: []string{"127.0.0.21"}}},
				Waves:      [][]renew.Target{{{Name: "api-1", Directory: renew.Directory{Path: "/srv/api"}, Verify: []string{"127.0.0.21:443"}}}}},
		}}
	for n := 11; n <= 14; n++ {
		e.served[fmt.Sprintf("127.0.0.%d:8443", n)] = leaf(1, t0.Add(-90*24*time.Hour), t0.Add(-2*time.Minute))
	}
	e.served["127.0.0.21:443"] = leaf(50, t0.Add(-30*24*time.Hour), t0.Add(60*24*time.Hour))
	for _, cert := range e.inv.Certificates {
		e.check(cert, c.now().Add(-time.Minute))
	}
	s := e.standing["media"]
	s.LastGood = t0.Add(-3 * time.Minute)
	e.standing["media"] = s
	return e
}

// check judges what is served, as the probe would.
func (e *engine) check(cert renew.Certificate, at time.Time) renew.Standing {
	s := e.standing[cert.Name]
	before := s.Verdict
	s.Certificate, s.Checked, s.Reports, s.Hosts, s.HostsGood, s.NotAfter = cert, at, nil, 0, 0, time.Time{}
	s.Verdict = renew.Good
	for _, ep := range cert.Endpoints {
		r := e.report(net.JoinHostPort(ep.Host, strconv.Itoa(ep.Port)), cert.Name, ep.Port, ep.Addresses, at)
		s.Reports = append(s.Reports, r)
		for _, a := range r.Addresses {
			s.Hosts++
			if a.Verdict() != renew.Critical {
				s.HostsGood++
			}
			if n := a.Leaf.NotAfter; !n.IsZero() && (s.NotAfter.IsZero() || n.Before(s.NotAfter)) {
				s.NotAfter, s.NotBefore = n, a.Leaf.NotBefore
			}
		}
		if r.Verdict.Rank() > s.Verdict.Rank() {
			s.Verdict = r.Verdict
		}
	}
	if s.Verdict != before {
		s.Since = at
	}
	if s.Verdict == renew.Good {
		s.LastGood = at
	}
	s.RenewAt = s.NotAfter.Add(-s.NotAfter.Sub(s.NotBefore) / 3)
	e.standing[cert.Name] = s
	return s
}

func (e *engine) report(endpoint, name string, port int, addresses []string, at time.Time) renew.Report {
	r := renew.Report{Endpoint: endpoint, Name: name, Verdict: renew.Good, At: at}
	for _, ip := range addresses {
		a := renew.AddressReport{Address: net.JoinHostPort(ip, strconv.Itoa(port))}
		l, ok := e.served[a.Address]
		switch {
		case !ok || e.refused[a.Address]:
			a.Findings = []renew.Finding{{ID: "refused", Severity: renew.Critical, Cause: "The connection to " + a.Address + " was refused", Next: "start the service"}}
		default:
			a.Leaf, a.TLS = l, renew.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256"}
			if at.After(l.NotAfter) {
				a.Findings = []renew.Finding{{ID: "expired", Severity: renew.Critical, Cause: "The certificate expired", Next: "renew it"}}
			}
		}
		r.Addresses = append(r.Addresses, a)
		if v := a.Verdict(); v.Rank() > r.Verdict.Rank() {
			r.Verdict = v
		}
	}
	return r
}

func (e *engine) Inventory() renew.Inventory { return e.inv }

func (e *engine) Check(_ context.Context, name string) (renew.Standing, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.fail; err != nil {
		e.fail = nil
		return renew.Standing{}, err
	}
	cert, ok := e.inv.Certificate(name)
	if !ok {
		return renew.Standing{}, fmt.Errorf("check %s: %w", name, renew.ErrNotFound)
	}
	return e.check(cert, e.clock.now()), nil
}

func (e *engine) CheckEndpoint(_ context.Context, q renew.Query) renew.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	addrs := q.Addresses
	if len(addrs) == 0 {
		addrs = []string{"127.0.0.99"}
	}
	return e.report(net.JoinHostPort(q.Host, strconv.Itoa(q.Port)), q.Declared.Certificate, q.Port, addrs, e.clock.now())
}

func (e *engine) Estate(context.Context) ([]renew.Standing, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []renew.Standing
	for _, c := range e.inv.Certificates {
		s := e.standing[c.Name]
		s.Renewal = ""
		for _, r := range e.renewals {
			if r.Ask.Certificate == c.Name && !r.State.Final() {
				s.Renewal = r.ID
			}
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b renew.Standing) int { return b.Verdict.Rank() - a.Verdict.Rank() })
	return out, nil
}

func (e *engine) proofs(cert renew.Certificate, challenge string) []renew.Proof {
	at := e.clock.now()
	ps := []renew.Proof{{Level: "directory", Subject: "https://127.0.0.1:14000/dir", OK: true, Text: "answers in 4 ms", At: at}}
	p := renew.Proof{Level: challenge, Subject: cert.Domains[0], OK: true, Text: "the token came back from every address", At: at}
	if why := e.broken[cert.Name+"/"+challenge]; why != "" {
		p.OK, p.Text = false, why
		p.Finding = renew.Finding{ID: "http01_path", Severity: renew.Warning, Cause: why, Next: "let the address answer for the token's path"}
	}
	return append(ps, p)
}

func (e *engine) Rehearse(_ context.Context, name string) (renew.Standing, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	cert, _ := e.inv.Certificate(name)
	s := e.standing[name]
	s.Rehearsed, s.Rehearsal = e.clock.now(), nil
	ok := true
	for _, c := range cert.Challenges {
		s.Rehearsal = append(s.Rehearsal, e.proofs(cert, c.Type)...)
		ok = ok && e.broken[name+"/"+c.Type] == ""
	}
	if ok {
		s.RehearsedOK = s.Rehearsed
	}
	e.standing[name] = s
	return s, nil
}

func (e *engine) Plan(_ context.Context, a renew.Ask) (renew.Plan, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	cert, ok := e.inv.Certificate(a.Certificate)
	if !ok {
		return renew.Plan{}, renew.ErrNotFound
	}
	p := renew.Plan{Certificate: cert, Issuer: e.inv.Issuers[0], Approval: len(cert.Approval.Teams) > 0, Standing: e.standing[cert.Name]}
	for _, r := range e.renewals {
		if r.Ask.Certificate == cert.Name && !r.State.Final() {
			p.Standing.Renewal = r.ID
		}
	}
	for i, c := range cert.Challenges {
		if c.Type == a.Challenge || a.Challenge == "" && i == 0 {
			p.Challenge = c
		} else {
			p.Others = append(p.Others, c)
		}
	}
	p.Proofs = e.proofs(cert, p.Challenge.Type)
	p.OK = e.broken[cert.Name+"/"+p.Challenge.Type] == ""
	for _, o := range p.Others {
		if !p.OK && e.broken[cert.Name+"/"+o.Type] == "" {
			p.OthersOK = append(p.OthersOK, o.Type)
		}
	}
	return p, nil
}

func (e *engine) Start(ctx context.Context, a renew.Ask) (renew.Renewal, error) {
	p, err := e.Plan(ctx, a)
	if err != nil {
		return renew.Renewal{}, err
	}
	switch {
	case p.Standing.Renewal != "":
		return renew.Renewal{}, fmt.Errorf("%s: %w", p.Standing.Renewal, renew.ErrBusy)
	case !p.OK && !a.Force:
		return renew.Renewal{}, renew.ErrPreflight
	case !a.Force && p.Standing.Verdict == renew.Good && e.clock.now().Before(p.Standing.RenewAt):
		return renew.Renewal{}, renew.ErrNotDue
	}
	e.mu.Lock()
	r := renew.Renewal{ID: fmt.Sprintf("R-%d", len(e.renewals)+1), Ask: a, State: renew.Running, Step: renew.StepAsk, Asked: e.clock.now()}
	for w, wave := range p.Certificate.Waves {
		for _, t := range wave {
			r.Hosts = append(r.Hosts, renew.HostState{Host: t.Name, Wave: w, State: renew.HostWaiting, Before: e.served[t.Verify[0]]})
		}
	}
	if p.Approval {
		r.State = renew.Waiting
	} else {
		r.Approved = r.Asked
	}
	e.renewals = append(e.renewals, r)
	e.mu.Unlock()
	e.step(r.ID, renew.Step{Kind: renew.StepAsk, Outcome: renew.OK, Text: a.By.Name + " asked to renew " + a.Certificate + ".", By: a.By})
	if !p.Approval {
		e.run(r.ID)
	}
	return e.Renewal(ctx, r.ID)
}

// step journals and emits.
func (e *engine) step(id string, s renew.Step) {
	e.mu.Lock()
	e.clock.add(time.Second)
	i := e.index(id)
	r := &e.renewals[i]
	s.Renewal, s.Certificate, s.Seq, s.At = id, r.Ask.Certificate, len(e.steps[id])+1, e.clock.now()
	r.Step = s.Kind
	e.steps[id] = append(e.steps[id], s)
	ev := renew.Event{Key: fmt.Sprintf("step/%s/%d", id, s.Seq), Kind: renew.EventStep, At: s.At, Step: s, Renewal: *r}
	ev.Renewal.Hosts = slices.Clone(r.Hosts)
	emit := e.emit
	e.mu.Unlock()
	if emit != nil {
		emit(ev)
	}
}

func (e *engine) index(id string) int {
	return slices.IndexFunc(e.renewals, func(r renew.Renewal) bool { return r.ID == id })
}

// run plays a renewal to its end.
func (e *engine) run(id string) {
	both := func(kind, text string, took time.Duration) {
		e.step(id, renew.Step{Kind: kind, Outcome: renew.Started, Text: text})
		e.step(id, renew.Step{Kind: kind, Outcome: renew.OK, Text: text, Took: took})
	}
	both(renew.StepPreflight, "The preflight found nothing in the way.", 40*time.Millisecond)
	both(renew.StepKey, "A private key was made and sealed.", 10*time.Millisecond)
	both(renew.StepOrder, "The order was made.", 20*time.Millisecond)
	if e.hold {
		return
	}
	e.rollout(id, both)
}

func (e *engine) rollout(id string, both func(kind, text string, took time.Duration)) {
	both(renew.StepChallenge, "The names were proved.", 1200*time.Millisecond)
	e.mu.Lock()
	i := e.index(id)
	fresh := leaf(100+i, e.clock.now(), e.clock.now().Add(90*24*time.Hour))
	e.renewals[i].Issued = fresh
	hosts := slices.Clone(e.renewals[i].Hosts)
	cert, _ := e.inv.Certificate(e.renewals[i].Ask.Certificate)
	e.mu.Unlock()
	both(renew.StepFinalize, "The certificate was issued.", 300*time.Millisecond)
	both(renew.StepMaterial, "Chain and key fit.", time.Millisecond)
	both(renew.StepBaseline, "What every host serves was noted.", 30*time.Millisecond)
	for n, h := range hosts {
		e.step(id, renew.Step{Kind: renew.StepDeploy, Host: h.Host, Outcome: renew.Started, Text: "Deploying to " + h.Host + "."})
		if h.Host == e.failHost {
			e.set(id, func(r *renew.Renewal) {
				r.Hosts[n].State, r.State = renew.HostFailed, renew.Failed
				r.Problem, r.Next, r.Ended = "The reload of "+h.Host+" failed: exit status 1", "Look at the service's log.", e.clock.now()
			})
			e.step(id, renew.Step{Kind: renew.StepDeploy, Host: h.Host, Outcome: renew.Bad, Text: "The reload of " + h.Host + " failed.", Before: h.Before})
			return
		}
		e.mu.Lock()
		for _, t := range cert.Hosts() {
			if t.Name == h.Host {
				e.served[t.Verify[0]] = fresh
			}
		}
		e.mu.Unlock()
		e.step(id, renew.Step{Kind: renew.StepDeploy, Host: h.Host, Outcome: renew.OK, Text: "Deployed to " + h.Host + ".", Took: 200 * time.Millisecond})
		e.set(id, func(r *renew.Renewal) { r.Hosts[n].State, r.Hosts[n].After = renew.HostVerified, fresh })
		e.step(id, renew.Step{Kind: renew.StepVerify, Host: h.Host, Outcome: renew.OK, Text: h.Host + " serves the new certificate.", Before: h.Before, After: fresh, Took: 100 * time.Millisecond})
	}
	both(renew.StepVerifyAll, "Every host serves the new certificate.", 50*time.Millisecond)
	e.set(id, func(r *renew.Renewal) { r.State, r.Ended = renew.Done, e.clock.now() })
	e.step(id, renew.Step{Kind: renew.StepEnd, Outcome: renew.OK, Text: "Done."})
	e.checked(cert.Name)
}

// checked looks again and emits what differs.
func (e *engine) checked(name string) renew.Event {
	e.mu.Lock()
	before := e.standing[name].Verdict
	cert, _ := e.inv.Certificate(name)
	e.events++
	ev := renew.Event{Key: fmt.Sprintf("check/%d", e.events), Kind: renew.EventCheck, At: e.clock.now(), Before: before, Standing: e.check(cert, e.clock.now())}
	emit := e.emit
	e.mu.Unlock()
	if emit != nil {
		emit(ev)
	}
	return ev
}

func (e *engine) set(id string, f func(*renew.Renewal)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.renewals[e.index(id)])
}

// decide checks the state and applies f.
func (e *engine) decide(id string, states []renew.State, f func(*renew.Renewal)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.index(id)
	if i < 0 {
		return renew.ErrNotFound
	}
	if !slices.Contains(states, e.renewals[i].State) {
		return fmt.Errorf("%s is %s: %w", id, e.renewals[i].State, renew.ErrState)
	}
	f(&e.renewals[i])
	return nil
}

func (e *engine) Approve(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error) {
	err := e.decide(id, []renew.State{renew.Waiting}, func(r *renew.Renewal) { r.State, r.Approver, r.Approved = renew.Running, by, e.clock.now() })
	if err != nil {
		return renew.Renewal{}, err
	}
	e.step(id, renew.Step{Kind: renew.StepApproval, Outcome: renew.OK, Text: by.Name + " approved: " + reason, By: by})
	e.run(id)
	return e.Renewal(ctx, id)
}

func (e *engine) Deny(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error) {
	var was renew.State
	err := e.decide(id, []renew.State{renew.Waiting, renew.Stopped}, func(r *renew.Renewal) {
		was = r.State
		r.State, r.Ended, r.Problem = renew.Denied, e.clock.now(), by.Name+" denied: "+reason
		if was == renew.Stopped {
			r.State, r.Problem = renew.Failed, by.Name+" gave it up: "+reason
		}
	})
	if err != nil {
		return renew.Renewal{}, err
	}
	kind := renew.StepApproval
	if was == renew.Stopped {
		kind = renew.StepEnd
	}
	e.step(id, renew.Step{Kind: kind, Outcome: renew.Bad, Text: by.Name + " ended it: " + reason, By: by})
	return e.Renewal(ctx, id)
}

func (e *engine) Stop(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error) {
	err := e.decide(id, []renew.State{renew.Running}, func(r *renew.Renewal) {
		r.State, r.Problem, r.Next = renew.Stopped, "Stopped by "+by.Name+": "+reason, "Resume it, or roll it back."
	})
	if err != nil {
		return renew.Renewal{}, err
	}
	e.step(id, renew.Step{Kind: renew.StepEnd, Outcome: renew.Bad, Text: "Stopped by " + by.Name + ".", By: by})
	return e.Renewal(ctx, id)
}

func (e *engine) Resume(ctx context.Context, id string, by renew.Person) (renew.Renewal, error) {
	err := e.decide(id, []renew.State{renew.Stopped}, func(r *renew.Renewal) { r.State, r.Problem, r.Next = renew.Running, "", "" })
	if err != nil {
		return renew.Renewal{}, err
	}
	e.rollout(id, func(kind, text string, took time.Duration) {
		e.step(id, renew.Step{Kind: kind, Outcome: renew.OK, Text: text, Took: took})
	})
	return e.Renewal(ctx, id)
}

func (e *engine) Rollback(ctx context.Context, id string, by renew.Person, reason string) (renew.Renewal, error) {
	r, err := e.Renewal(ctx, id)
	if err != nil {
		return r, err
	}
	for _, h := range r.Hosts {
		if e.clock.now().After(h.Before.NotAfter) {
			return r, renew.ErrForwardOnly
		}
	}
	err = e.decide(id, []renew.State{renew.Done, renew.Stopped, renew.Failed}, func(r *renew.Renewal) {
		r.State, r.Problem = renew.RolledBack, "Rolled back by "+by.Name+": "+reason
		for n := range r.Hosts {
			r.Hosts[n].State = renew.HostRolledBack
		}
	})
	if err != nil {
		return r, err
	}
	e.step(id, renew.Step{Kind: renew.StepEnd, Outcome: renew.OK, Text: "Rolled back.", By: by})
	return e.Renewal(ctx, id)
}

func (e *engine) Renewal(_ context.Context, id string) (renew.Renewal, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.index(id)
	if i < 0 {
		return renew.Renewal{}, fmt.Errorf("renewal %s: %w", id, renew.ErrNotFound)
	}
	r := e.renewals[i]
	r.Hosts = slices.Clone(r.Hosts)
	return r, nil
}

func (e *engine) Renewals(_ context.Context, name string, limit int) ([]renew.Renewal, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []renew.Renewal
	for i := len(e.renewals) - 1; i >= 0; i-- {
		if r := e.renewals[i]; (name == "" || r.Ask.Certificate == name) && (limit == 0 || len(out) < limit) {
			r.Hosts = slices.Clone(r.Hosts)
			out = append(out, r)
		}
	}
	return out, nil
}

func (e *engine) Steps(_ context.Context, id string) ([]renew.Step, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.steps[id]), nil
}

func (e *engine) Wait(ctx context.Context, id string) (renew.Renewal, error) {
	return e.Renewal(ctx, id)
}

// room is a desk with everything around it.
type room struct {
	t      testing.TB
	clock  *clock
	engine *engine
	store  store.Store
	book   *incident.Book
	desk   *commands.Desk
	posts  []commands.Post
	shown  []commands.Reply // with buttons
	n      int
}

func newRoom(t testing.TB) *room {
	t.Helper()
	c := &clock{t: t0}
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "certmedic.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := &room{t: t, clock: c, store: s, engine: newEngine(c), book: incident.NewBook(s, c.now)}
	r.desk = commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: c.now, Log: slog.New(slog.DiscardHandler),
		Teams: []commands.Team{{Name: "web", People: []string{"ana", "ben"}, Escalate: []string{"leads"}}, {Name: "leads", People: []string{"Cleo", "dan"}}}})
	r.engine.emit = func(e renew.Event) {
		if err := r.desk.Event(context.Background(), e, r.post); err != nil {
			t.Errorf("event %s: %v", e.Key, err)
		}
	}
	return r
}

func (r *room) post(p commands.Post) { r.posts = append(r.posts, p) }

func person(name string) commands.Person {
	return commands.Person{ID: "web:" + name, Name: name, Platform: "web"}
}

// say types a line; ten seconds pass first.
func (r *room) say(who, where, text string) commands.Reply {
	r.clock.add(10 * time.Second)
	r.n++
	p := r.desk.Do(context.Background(), commands.Request{ID: fmt.Sprintf("d-%d", r.n), Text: text, By: person(who), Room: where, At: r.clock.now()}, r.post)
	if len(p.Buttons) > 0 {
		r.shown = append(r.shown, p)
	}
	return p
}

// must types a line that has to work.
func (r *room) must(who, where, text string) commands.Reply {
	r.t.Helper()
	p := r.say(who, where, text)
	if !p.Problem.IsZero() {
		r.t.Fatalf("%s: %s: %+v", who, text, p.Problem)
	}
	return p
}

// rehearsed rehearses and emits the result.
func (r *room) rehearsed(name string) {
	s, _ := r.engine.Rehearse(context.Background(), name)
	r.engine.events++
	r.engine.emit(renew.Event{Key: fmt.Sprintf("rehearsal/%d", r.engine.events), Kind: renew.EventRehearsal, At: r.clock.now(), Standing: s})
}
