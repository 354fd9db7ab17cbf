package acme

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/renew"
)

const (
	parallel   = 8                // authorizations of one order at a time
	cleanupFor = 15 * time.Second // longest that taking a token or record away may take, also after ctx ended
)

// solver prepares one kind of challenge. Its methods are called concurrently,
// each may be repeated, and remove is called for every challenge of an order,
// also for those that present was never called for here: a killed process may
// have left them.
type solver interface {
	// present puts the answer in its place and returns when the CA can see it.
	// It tells what it did in one sentence.
	present(ctx context.Context, name, token, keyAuth string) (did string, err error)
	// remove takes it away. did is "" when there was nothing.
	remove(ctx context.Context, name, token, keyAuth string) (did string, err error)
	// pause is how long to wait between two authorizations, which then are
	// done one after the other; 0: at once, side by side.
	pause() time.Duration
}

// solver makes the solver of a configured challenge.
func (c *client) solver(ch renew.Challenge) (solver, error) {
	switch ch.Type {
	case renew.HTTP01:
		if ch.Webroot != "" {
			return &webroot{dir: ch.Webroot}, nil
		}
		if ch.Listen == "" {
			return nil, errors.New("http-01 needs listen: (host:port of an own listener) or webroot: (a directory)")
		}
		return &listening{addr: ch.Listen}, nil
	case renew.DNS01:
		return newDNS01(ch, c.o.Hide)
	}
	return nil, fmt.Errorf("challenge %q is not known; there are %s and %s", ch.Type, renew.HTTP01, renew.DNS01)
}

// goodToken is what section 8.1 allows. A token becomes a file name.
var goodToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// Authorize implements renew.CA. Authorizations are dealt with side by side;
// the failure of one does not keep the others from being reported. What
// cannot be taken away is said, and is no error.
func (c *client) Authorize(ctx context.Context, o renew.Order, ch renew.Challenge, say func(string)) error {
	s, err := c.solver(ch)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Wait, fmt.Errorf("the authorizations are not valid after %s", c.o.Wait))
	defer cancel()
	var mu sync.Mutex
	j := &job{c: c, s: s, kind: ch.Type, domains: o.Domains, say: func(f string, a ...any) {
		mu.Lock()
		defer mu.Unlock()
		if say != nil {
			say(fmt.Sprintf(f, a...))
		}
	}}
	errs := make([]error, len(o.Authorizations))
	if s.pause() > 0 {
		for i, url := range o.Authorizations {
			if i > 0 {
				_ = sleep(ctx, s.pause())
			}
			errs[i] = j.authorize(ctx, url)
		}
	} else {
		sideBySide(len(errs), func(i int) { errs[i] = j.authorize(ctx, o.Authorizations[i]) })
	}
	return together(errs)
}

// sideBySide calls f for 0 to n-1, at most parallel at a time, and returns
// when all have returned.
func sideBySide(n int, f func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

// together makes one error of several, in one line, keeping all of them.
func together(errs []error) error {
	var bad []error
	var verbs []string
	for _, err := range errs {
		if err != nil {
			bad = append(bad, err)
			verbs = append(verbs, "%w")
		}
	}
	switch len(bad) {
	case 0:
		return nil
	case 1:
		return bad[0]
	}
	args := []any{len(bad), len(errs)}
	for _, err := range bad {
		args = append(args, err)
	}
	return fmt.Errorf("%d of %d authorizations failed: "+strings.Join(verbs, "; "), args...)
}

// job is one Authorize.
type job struct {
	c       *client
	s       solver
	kind    string
	domains []string // of the order
	say     func(format string, args ...any)
}

func (j *job) authorize(ctx context.Context, url string) error {
	a, wait, err := j.c.getAuthorization(ctx, url)
	if err != nil {
		return fmt.Errorf("authorization %s: %w", url, err)
	}
	name := a.name
	if a.wildcard {
		name = "*." + a.name
	}
	if !ordered(j.domains, name) { // it becomes a record's name and a program's argument
		return fmt.Errorf("the CA wants a proof for %q, which was not ordered", printable([]byte(name), 100))
	}
	ch, found := a.challenge(j.kind)
	if found && !goodToken.MatchString(ch.token) {
		return fmt.Errorf("%s: the CA sends a token that RFC 8555 does not allow: %q", name, printable([]byte(ch.token), 60))
	}
	var keyAuth string
	if found {
		if keyAuth, err = j.c.keyAuthorization(ctx, ch.token); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer j.clean(ctx, name, a.name, ch.token, keyAuth)
	}
	switch a.status {
	case "valid":
		j.say("%s: the CA still holds an earlier proof to be good", name)
		return nil
	case "pending":
	default:
		return a.failure(name, j.kind)
	}
	if !found {
		return fmt.Errorf("%s: the CA does not offer %s for it%s", name, j.kind, wildcardHint(a, j.kind))
	}
	did, err := j.s.present(ctx, a.name, ch.token, keyAuth)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	j.say("%s: %s", name, did)
	if ch.status == "pending" {
		if err := j.c.accept(ctx, ch.url); err != nil {
			return fmt.Errorf("%s: %s: %w", name, j.kind, err)
		}
	}
	return j.wait(ctx, url, name, wait)
}

// ordered reports whether a name is one of the order's. Servers may change the
// case of a name.
func ordered(domains []string, name string) bool {
	return slices.ContainsFunc(domains, func(d string) bool {
		if strings.EqualFold(d, name) {
			return true
		}
		a, aerr := netip.ParseAddr(d)
		b, berr := netip.ParseAddr(name)
		return aerr == nil && berr == nil && a.Unmap() == b.Unmap()
	})
}

func wildcardHint(a authorization, kind string) string {
	if a.wildcard && kind == renew.HTTP01 {
		return "; a wildcard can only be proved with dns-01"
	}
	return ""
}

// wait looks at the authorization until it is not pending.
func (j *job) wait(ctx context.Context, url, name string, asked time.Duration) error {
	var p pace
	for {
		if err := p.wait(ctx, asked); err != nil {
			return fmt.Errorf("%s: the CA has not decided about %s: %w", name, j.kind, err)
		}
		a, wait, err := j.c.getAuthorization(ctx, url)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		switch a.status {
		case "valid":
			j.say("%s: the CA is satisfied with %s", name, j.kind)
			return nil
		case "pending":
			asked = wait
		default:
			return a.failure(name, j.kind)
		}
	}
}

// clean takes away what present put there, or what a killed process left. It
// goes on for a while after ctx has ended.
func (j *job) clean(ctx context.Context, name, identifier, token, keyAuth string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupFor)
	defer cancel()
	did, err := j.s.remove(ctx, identifier, token, keyAuth)
	switch {
	case err != nil:
		j.c.o.Log.Warn("challenge not cleaned up", "name", name, "challenge", j.kind, "err", err)
		j.say("%s: not cleaned up after %s: %v", name, j.kind, err)
	case did != "":
		j.say("%s: %s", name, did)
	}
}

func (a authorization) challenge(kind string) (challenge, bool) {
	for _, ch := range a.challenges {
		if ch.kind == kind {
			return ch, true
		}
	}
	return challenge{}, false
}

// failure is the error of an authorization that cannot become valid any more,
// with the CA's problem of the challenge that was tried.
func (a authorization) failure(name, kind string) error {
	for _, ch := range a.challenges {
		if ch.err != nil {
			return fmt.Errorf("%s: %s failed: %w", name, ch.kind, ch.err)
		}
	}
	return fmt.Errorf("%s: the authorization is %s, a new order is needed (%s)", name, a.status, kind)
}
