package bot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// This file holds errors of what is done outside: their words for people, and
// what becomes of an errand that failed.

// Trouble is an error with words for people.
type Trouble struct {
	Text  string        // what is wrong, without an address's secrets
	Next  string        // what to do
	Final bool          // trying again does not help
	None  bool          // it is known that nothing was done
	After time.Duration // try again after that; 0: by itself
}

func (t *Trouble) Error() string { return t.Text }

// TroubleText is an error without the address that was asked: it may hold a secret.
func TroubleText(err error) string {
	var trouble *Trouble
	if errors.As(err, &trouble) {
		return trouble.Text
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return "the connection was lost"
	}
	return strings.TrimSpace(err.Error())
}

// Judge says what becomes of an errand that failed and waits since then: again
// has it tried again; when it is nil, failed is why it has failed for good.
func (c *Courier) Judge(err error, since time.Time) (failed string, again error) {
	var trouble *Trouble
	known := errors.As(err, &trouble)
	switch {
	case known && trouble.Final:
		return TroubleText(err), nil
	case c.o.GiveUp > 0 && c.o.Now().Sub(since) > c.o.GiveUp:
		return fmt.Sprintf("given up after %s: %s", c.o.GiveUp, TroubleText(err)), nil
	case known && trouble.After > 0:
		return "", &Later{After: trouble.After, Err: err}
	}
	return "", err
}
