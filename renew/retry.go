package renew

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// This file tries a step at the CA again when its error may pass, and says how
// it ends when not.

const (
	tries    = 4                // attempts of one step
	waitMost = 30 * time.Second // a longer Retry-After is left to a person
)

// passing reports whether an error may pass by itself, and how long the CA
// wants us to wait (0: not said).
func passing(err error) (bool, time.Duration) {
	var ca *CAError
	if errors.As(err, &ca) {
		limited := strings.HasSuffix(ca.Type, ":rateLimited") || ca.Status == http.StatusTooManyRequests
		return limited || ca.Status >= 500 || strings.HasSuffix(ca.Type, ":serverInternal") || strings.HasSuffix(ca.Type, ":badNonce"), ca.RetryAfter
	}
	var ne net.Error
	var ue *url.Error
	return errors.As(err, &ne) || errors.As(err, &ue) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded), 0
}

// try runs f, and again while its error may pass. It returns errPause when
// soft ended, a Stopped ending when the error did not pass, and f's own error
// when it will not pass by itself.
func (u *run) try(ctx, soft context.Context, kind string, f func() error) error {
	wait := u.r.unit
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil {
			return nil
		}
		if soft.Err() != nil {
			return errPause
		}
		may, after := passing(err)
		if !may {
			return err
		}
		if attempt == tries || after > waitMost {
			return u.stopped(kind, err, after)
		}
		d := max(wait, after)
		wait *= 3
		u.note(Step{Kind: kind, Text: fmt.Sprintf("%s Trying again in %s (%d of %d).", sentence(err.Error()), d, attempt+1, tries)})
		if err := u.flush(ctx); err != nil {
			return err
		}
		if !pause(soft, d) {
			return errPause
		}
	}
}

// stopped ends a step so that a person can resume it.
func (u *run) stopped(kind string, err error, after time.Duration) *ending {
	d := u.state()
	next := d.goOn()
	if after > 0 {
		next = "The CA asks to wait until " + when(u.r.now().Add(after)) + ". " + next
	}
	return &ending{state: Stopped, problem: "It stopped at " + spoken(kind) + ": " + sentence(err.Error()), next: next, err: err}
}

// failed ends a renewal that its CA refused.
func (u *run) failed(kind string, err error) *ending {
	return &ending{
		state: Failed, err: err,
		problem: "It failed at " + spoken(kind) + ": " + sentence(err.Error()) + " No host was touched.",
		next:    "Mend what the CA names, rehearse, and start again: that makes a new order.",
	}
}

// refused turns an error that will not pass into an ending: Failed when the CA
// has decided, Stopped when it is ours to mend (a hook, a DNS provider).
func (u *run) refused(kind string, err error) error {
	var e *ending
	var ca *CAError
	switch {
	case errors.Is(err, errPause), errors.As(err, &e):
		return err
	case errors.As(err, &ca):
		return u.failed(kind, err)
	}
	return u.stopped(kind, err, 0)
}

// noAccount reports whether the CA does not know our account any more.
func noAccount(err error) bool {
	var ca *CAError
	return errors.As(err, &ca) && strings.HasSuffix(ca.Type, ":accountDoesNotExist")
}
