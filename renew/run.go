package renew

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file holds the Runner and its Run: who drives what, and how it ends.
// What people ask is in start.go and decide.go, the steps in drive.go and the
// files it names, the watch in watch.go.

// Options are what a Runner is made of.
type Options struct {
	Store     store.Store
	Inventory Inventory
	CAs       CAs
	Deployer  Deployer
	Prober    Prober
	Sealer    *Sealer
	// Emit is handed every Event, one at a time and in order for one
	// certificate; an error makes the engine hand it over again later.
	Emit func(ctx context.Context, e Event) error
	Now  func() time.Time
	Log  *slog.Logger

	CheckEvery    time.Duration // between checks of the estate; default 1 min; negative: never. A check also runs just after a served certificate expires.
	RehearseEvery time.Duration // between rehearsals; default 24 h; negative: never
	VerifyFor     time.Duration // how long a reloaded host may take to serve the new certificate; default 30 s
	VerifyStep    time.Duration // between looks; default 1 s, the first few quicker
	VerifySettle  time.Duration // between the first two right looks at a host that was reloaded, doubled between the next; default 25 ms
	Parallel      int           // hosts of one wave at a time; default 4
}

// Bounds of the engine.
const (
	maxRuns      = 32               // renewals that are driven at a time; the others wait their turn
	lockFor      = 15 * time.Second // lease of a certificate's name, renewed at a third of it
	lookFor      = 10 * time.Second // one look at one address
	preflightFor = 2 * time.Minute
	orderFor     = time.Minute      // one newOrder request, which is never cut short
	issueFor     = 10 * time.Minute // authorizations, or the order to become valid
	drainFor     = 5 * time.Second  // handing over the last events at the end
)

// Runner runs renewals and watches the estate.
type Runner struct {
	o        Options
	unit     time.Duration // first pause before something is tried again
	breath   time.Duration // between passes over the events
	wakeSend chan struct{} // there are events to deliver
	wakeRun  chan struct{} // there is a renewal to drive

	people   sync.Mutex                // one decision of a person at a time, and no driver starts amidst it
	accounts map[string]*issuerAccount // by issuer; fixed after New

	mu      sync.Mutex
	active  bool
	changed map[int]chan struct{} // by renewal, closed when it is no longer running; made by who waits
	runs    map[int]*run          // driven now
	queue   []int                 // to be driven

	watch watch
}

// New makes a Runner. Nothing happens before Run.
func New(o Options) (*Runner, error) {
	for name, missing := range map[string]bool{
		"Store": o.Store == nil, "CAs": o.CAs == nil, "Deployer": o.Deployer == nil,
		"Prober": o.Prober == nil, "Sealer": o.Sealer == nil,
	} {
		if missing {
			return nil, fmt.Errorf("renew: Options.%s is missing", name)
		}
	}
	issuers := map[string]bool{}
	for _, i := range o.Inventory.Issuers {
		issuers[i.Name] = true
	}
	names := map[string]bool{}
	for _, c := range o.Inventory.Certificates {
		switch {
		case c.Name == "" || len(c.Domains) == 0:
			return nil, fmt.Errorf("renew: certificate %q needs a name and a domain", c.Name)
		case names[c.Name]:
			return nil, fmt.Errorf("renew: certificate %s is in the inventory twice", c.Name)
		case !issuers[c.Issuer]:
			return nil, fmt.Errorf("renew: certificate %s: issuer %q is not in the inventory", c.Name, c.Issuer)
		}
		names[c.Name] = true
	}
	if o.Emit == nil {
		o.Emit = func(context.Context, Event) error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.CheckEvery, time.Minute)
	setDefault(&o.RehearseEvery, 24*time.Hour)
	setDefault(&o.VerifyFor, 30*time.Second)
	setDefault(&o.VerifyStep, time.Second)
	setDefault(&o.VerifySettle, 25*time.Millisecond)
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	r := &Runner{
		o: o, unit: time.Second, breath: sendBreath,
		wakeSend: make(chan struct{}, 1), wakeRun: make(chan struct{}, 1),
		accounts: map[string]*issuerAccount{}, changed: map[int]chan struct{}{}, runs: map[int]*run{},
	}
	for name := range issuers {
		r.accounts[name] = &issuerAccount{}
	}
	r.watch.init(o.Inventory.Certificates)
	return r, nil
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// Run resumes what was running, watches the estate, delivers events, and
// returns after ctx ends and every renewal has reached a safe point. stopped
// names the renewals that will be resumed at the next start.
func (r *Runner) Run(ctx context.Context) (stopped []string, err error) {
	r.mu.Lock()
	if r.active {
		r.mu.Unlock()
		return nil, errors.New("renew: Run is running already")
	}
	r.active, r.queue = true, nil
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.active = false
		r.mu.Unlock()
	}()

	after := context.WithoutCancel(ctx) // for what must be finished after ctx ends
	sending, endSending := context.WithCancel(after)
	var sender, watcher sync.WaitGroup
	sender.Go(func() { r.deliver(sending) })
	watcher.Go(func() { r.watchEstate(ctx) })

	r.driveAll(ctx)
	watcher.Wait()
	if ferr := r.flushStandings(after); ferr != nil {
		r.o.Log.Error("the last checks could not be written", "error", ferr)
	}
	endSending()
	sender.Wait()

	open, err := r.openRenewals(after)
	for _, d := range open {
		if d.Body.State == Running {
			stopped = append(stopped, d.Body.ID)
		}
	}
	sort.Slice(stopped, func(i, j int) bool { return lessID(stopped[i], stopped[j]) })
	return stopped, err
}

// driveAll starts a driver for every renewal that is to run, and returns when
// ctx has ended and all drivers have.
func (r *Runner) driveAll(ctx context.Context) {
	var drivers sync.WaitGroup
	defer drivers.Wait()
	slots := make(chan struct{}, maxRuns)
	every := r.o.CheckEvery
	if every < 0 {
		every = time.Minute
	}
	tick := time.NewTicker(max(every, 100*time.Millisecond))
	defer tick.Stop()
	r.queueOrphans(ctx)
	for {
		for n, ok := r.next(); ok; n, ok = r.next() {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			soft, u, err := r.take(ctx, n)
			if err != nil || u == nil {
				<-slots
				if err != nil && ctx.Err() == nil {
					r.o.Log.Error("renewal could not be started", "renewal", idOf(n), "error", err)
				}
				continue
			}
			drivers.Go(func() {
				defer func() { <-slots }()
				r.drive(ctx, soft, u)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wakeRun:
		case <-tick.C:
			r.queueOrphans(ctx)
		}
	}
}

// queueOrphans queues every renewal whose state is Running and that nobody
// drives: what a killed process left, or one that lost its record or lock.
func (r *Runner) queueOrphans(ctx context.Context) {
	open, err := r.openRenewals(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.o.Log.Error("open renewals could not be read", "error", err)
		}
		return
	}
	for _, d := range open {
		if d.Body.State == Running {
			r.enqueue(d.N)
		}
	}
}

// enqueue asks for a driver. Without a Run nothing happens: Run looks itself.
func (r *Runner) enqueue(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.active || r.runs[n] != nil {
		return
	}
	for _, q := range r.queue {
		if q == n {
			return
		}
	}
	r.queue = append(r.queue, n)
	poke(r.wakeRun)
}

func (r *Runner) next() (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return 0, false
	}
	n := r.queue[0]
	r.queue = r.queue[1:]
	return n, true
}

// take loads a renewal and registers its driver; nil when there is nothing to
// do. soft ends with ctx, or when a person wants the renewal to stop or turn.
func (r *Runner) take(ctx context.Context, n int) (soft context.Context, u *run, err error) {
	r.people.Lock()
	defer r.people.Unlock()
	r.mu.Lock()
	taken := r.runs[n] != nil
	r.mu.Unlock()
	if taken {
		return nil, nil, nil
	}
	u, err = r.load(ctx, n)
	if err != nil || u.d.Body.State != Running {
		return nil, nil, err
	}
	soft, u.cancel = context.WithCancel(ctx)
	r.mu.Lock()
	r.runs[n] = u
	r.mu.Unlock()
	return soft, u, nil
}

// untake ends a driver's registration. A person may have decided to go on
// while it was ending.
func (r *Runner) untake(u *run, again bool) {
	u.cancel()
	r.mu.Lock()
	delete(r.runs, u.n)
	r.mu.Unlock()
	if again && u.state().Body.State == Running {
		r.enqueue(u.n)
	}
	r.announce(u.n)
}

// driven returns the run of a renewal that is driven now, or nil.
func (r *Runner) driven(n int) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[n]
}

// announce wakes everybody who waits for a renewal to be no longer running.
func (r *Runner) announce(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.changed[n]; c != nil {
		close(c)
		delete(r.changed, n)
	}
}

func (r *Runner) news(n int) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed[n] == nil {
		r.changed[n] = make(chan struct{})
	}
	return r.changed[n]
}

func (r *Runner) now() time.Time { return r.o.Now().UTC() }

// owner names this machine in a lock. It is the same after a restart: a lock
// that a killed process left is its successor's.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return "certmedic on " + host
}

// Inventory returns the configured inventory.
func (r *Runner) Inventory() Inventory { return r.o.Inventory }

func (r *Runner) certificate(nameOrDomain string) (Certificate, error) {
	c, ok := r.o.Inventory.Certificate(strings.TrimSpace(nameOrDomain))
	if !ok {
		return Certificate{}, fmt.Errorf("certificate %q: %w", nameOrDomain, ErrNotFound)
	}
	return c, nil
}

func (r *Runner) issuer(c Certificate) Issuer {
	for _, i := range r.o.Inventory.Issuers {
		if i.Name == c.Issuer {
			return i
		}
	}
	return Issuer{Name: c.Issuer}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func lessID(a, b string) bool {
	x, _ := numberOf(a)
	y, _ := numberOf(b)
	return x < y
}
