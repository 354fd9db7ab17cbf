package acme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
	legolog "github.com/go-acme/lego/v4/log"

	"github.com/certmedic/certmedic/renew"
)

// This file holds every call into lego, and turns lego's types into ours and
// its errors into *renew.CAError. It is longer than others so that lego stays
// in one place.

// quietLego sends what lego would print on standard error to log, once.
var quietOnce sync.Once

func quietLego(log *slog.Logger) {
	quietOnce.Do(func() { legolog.Logger = legoLog{log} })
}

type legoLog struct{ log *slog.Logger }

func (l legoLog) Fatal(a ...any)            { l.log.Error("lego", "says", fmt.Sprint(a...)) }
func (l legoLog) Fatalln(a ...any)          { l.Fatal(a...) }
func (l legoLog) Fatalf(f string, a ...any) { l.Fatal(fmt.Sprintf(f, a...)) }
func (l legoLog) Print(a ...any)            { l.log.Debug("lego", "says", fmt.Sprint(a...)) }
func (l legoLog) Println(a ...any)          { l.Print(a...) }
func (l legoLog) Printf(f string, a ...any) { l.Print(fmt.Sprintf(f, a...)) }

// call is one conversation: a lego core of its own over a wire with ctx.
type call struct {
	core *api.Core
	wire *wire
}

// badNonceTries bounds how often a refused nonce is replaced; with half of
// all nonces refused the chance of needing more is one in 10^12.
const badNonceTries = 40

// call runs f with a core that signs as kid ("": with the key itself). A
// refused nonce (RFC 8555 section 6.5) repeats f at once with the new nonce
// that came with the refusal: the server has not acted on the request.
func (c *client) call(ctx context.Context, kid string, f func(*call) error) error {
	for try := 0; ; try++ {
		w := &wire{ctx: ctx, srv: c.srv}
		err := c.once(w, kid, f)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ended(ctx, err)
		}
		if !w.refused || try == badNonceTries {
			return c.caError(err, w)
		}
	}
}

func (c *client) once(w *wire, kid string, f func(*call) error) error {
	core, err := api.New(&http.Client{Transport: w}, c.o.UserAgent, c.issuer.Directory, kid, c.key)
	if err != nil {
		return err
	}
	return f(&call{core: core, wire: w})
}

// signed is call as the account.
func (c *client) signed(ctx context.Context, f func(*call) error) error {
	kid, err := c.registered(ctx)
	if err != nil {
		return err
	}
	return c.call(ctx, kid, f)
}

// read is signed for requests that change nothing: a broken connection or a
// failing server (5xx) is tried again, three times.
func (c *client) read(ctx context.Context, f func(*call) error) error {
	for try := 0; ; try++ {
		err := c.signed(ctx, f)
		var ca *renew.CAError
		if err == nil || ctx.Err() != nil || try == 3 || errors.As(err, &ca) && ca.Status < 500 {
			return err
		}
		if sleep(ctx, 100*time.Millisecond<<(2*try)) != nil {
			return ended(ctx, err)
		}
	}
}

// caError keeps the server's problem document. An answer without one becomes
// a CAError of type about:blank (RFC 9457 section 4.2.1); no answer stays what
// it is.
func (c *client) caError(err error, w *wire) error {
	var p *acme.ProblemDetails
	e := &renew.CAError{Status: w.status, Err: err}
	switch {
	case errors.As(err, &p):
		e.Type, e.Detail = strings.TrimSuffix(p.Type, ":refused"), detail(p)
		if p.HTTPStatus > 0 {
			e.Status = p.HTTPStatus
		}
	case w.answered && w.status >= 400:
		e.Type, e.Detail = "about:blank", fmt.Sprintf("HTTP status %d, no problem document: %q", w.status, w.snippet)
	default:
		return err
	}
	e.RetryAfter = retryAfter(w.header.Get("Retry-After"), c.o.Now())
	return e
}

// detail returns a problem's words with those of its subproblems (RFC 8555
// section 6.7.1), capped.
func detail(p *acme.ProblemDetails) string {
	words := []string{p.Detail}
	for _, s := range p.SubProblems {
		words = append(words, fmt.Sprintf("%s: %s (%s)", s.Identifier.Value, s.Detail, s.Type))
	}
	return printable([]byte(strings.Join(words, "; ")), 2000)
}

// directory is what we need to know of an ACME directory.
type directory struct {
	needsEAB    bool
	profiles    map[string]string
	renewalInfo string
	date        time.Time // the server's clock, zero when not said
}

// getDirectory fetches the directory anew.
func (c *client) getDirectory(ctx context.Context) (d directory, err error) {
	w := &wire{ctx: ctx, srv: c.srv, fresh: true}
	err = c.once(w, "", func(l *call) error {
		m := l.core.GetDirectory()
		d = directory{needsEAB: m.Meta.ExternalAccountRequired, profiles: m.Meta.Profiles, renewalInfo: m.RenewalInfo}
		if t, err := http.ParseTime(w.header.Get("Date")); err == nil {
			d.date = t
		}
		return nil
	})
	if err != nil {
		err = ended(ctx, c.caError(err, w))
	}
	return d, err
}

type account struct{ status, orders string }

func (c *client) getAccount(ctx context.Context, kid string) (a account, err error) {
	err = c.call(ctx, kid, func(l *call) error {
		got, err := l.core.Accounts.Get(kid)
		a = account{got.Status, got.Orders}
		return err
	})
	return a, err
}

// newAccount makes the account, or finds it when it exists (section 7.3.1).
func (c *client) newAccount(ctx context.Context, onlyExisting bool) (kid string, err error) {
	req := acme.Account{TermsOfServiceAgreed: true, OnlyReturnExisting: onlyExisting}
	if c.issuer.Email != "" {
		req.Contact = []string{"mailto:" + c.issuer.Email}
	}
	err = c.call(ctx, "", func(l *call) error {
		var got acme.ExtendedAccount
		var err error
		if c.issuer.EABKeyID != "" && !onlyExisting {
			got, err = l.core.Accounts.NewEAB(req, c.issuer.EABKeyID, c.issuer.EABKey)
		} else {
			got, err = l.core.Accounts.New(req)
		}
		if err == nil && got.Location == "" {
			err = errors.New("the CA registers the account without saying its URL")
		}
		kid = got.Location
		return err
	})
	return kid, err
}

func (c *client) newOrder(ctx context.Context, domains []string, profile, replaces string) (o renew.Order, err error) {
	err = c.signed(ctx, func(l *call) error {
		// lego repeats it by itself without replaces on alreadyReplaced.
		got, err := l.core.Orders.NewWithOptions(domains, &api.OrderOptions{Profile: profile, ReplacesCertID: replaces})
		if err == nil && got.Location == "" {
			err = errors.New("the CA makes an order without saying its URL")
		}
		o = order(got.Location, got.Order)
		return err
	})
	return o, err
}

// getOrder fetches an order, with its error as a *renew.CAError when the CA
// has one for it, and what Retry-After asks for.
func (c *client) getOrder(ctx context.Context, url string) (o renew.Order, failed error, wait time.Duration, err error) {
	err = c.read(ctx, func(l *call) error {
		got, err := l.core.Orders.Get(url)
		if err != nil {
			return err
		}
		o, wait = order(url, got.Order), c.asked(l)
		failed = problem(got.Error)
		return nil
	})
	return o, failed, wait, err
}

func (c *client) finalize(ctx context.Context, finalizeURL string, csr []byte) error {
	return c.signed(ctx, func(l *call) error {
		_, err := l.core.Orders.UpdateForCSR(finalizeURL, csr)
		return err
	})
}

func order(url string, o acme.Order) renew.Order {
	out := renew.Order{URL: url, Status: o.Status, Authorizations: o.Authorizations, Finalize: o.Finalize, Certificate: o.Certificate}
	for _, id := range o.Identifiers {
		out.Domains = append(out.Domains, id.Value)
	}
	if t, err := time.Parse(time.RFC3339, o.Expires); err == nil {
		out.Expires = t
	}
	return out
}

// problem turns an error inside an object into a *renew.CAError, or nil.
func problem(p *acme.ProblemDetails) error {
	if p == nil {
		return nil
	}
	return &renew.CAError{Type: p.Type, Detail: detail(p), Status: p.HTTPStatus, Err: p}
}

func (c *client) asked(l *call) time.Duration {
	return retryAfter(l.wire.header.Get("Retry-After"), c.o.Now())
}

// authorization is an authorization object (section 7.1.4).
type authorization struct {
	name       string // identifier, without "*."
	wildcard   bool
	status     string
	challenges []challenge
}

type challenge struct {
	kind, url, status, token string
	err                      error // *renew.CAError, nil when there is none
}

func (c *client) getAuthorization(ctx context.Context, url string) (a authorization, wait time.Duration, err error) {
	err = c.read(ctx, func(l *call) error {
		got, err := l.core.Authorizations.Get(url)
		if err != nil {
			return err
		}
		a = authorization{name: got.Identifier.Value, wildcard: got.Wildcard, status: got.Status}
		for _, ch := range got.Challenges {
			a.challenges = append(a.challenges, challenge{ch.Type, ch.URL, ch.Status, ch.Token, problem(ch.Error)})
		}
		wait = c.asked(l)
		return nil
	})
	return a, wait, err
}

// accept tells the CA that the challenge is prepared (section 7.5.1).
func (c *client) accept(ctx context.Context, url string) error {
	return c.signed(ctx, func(l *call) error {
		_, err := l.core.Challenges.New(url)
		return err
	})
}

// keyAuthorization is section 8.1: token, dot, thumbprint of the account key.
func (c *client) keyAuthorization(ctx context.Context, token string) (ka string, err error) {
	err = c.call(ctx, c.account(), func(l *call) error {
		ka, err = l.core.GetKeyAuthorization(token)
		return err
	})
	return ka, err
}

// download gets a resource as it is (POST-as-GET, section 6.3). lego has this
// for certificates; nothing in it minds what is downloaded.
func (c *client) download(ctx context.Context, url string) (body []byte, h http.Header, err error) {
	err = c.read(ctx, func(l *call) error {
		body, _, err = l.core.Certificates.Get(url, true)
		h = l.wire.header
		return err
	})
	return body, h, err
}

// getRenewalInfo asks for RFC 9773's resource, without a signature. found is
// false when the server has none, or none for this certificate.
func (c *client) getRenewalInfo(ctx context.Context, certID string) (body []byte, wait time.Duration, found bool, err error) {
	err = c.call(ctx, c.account(), func(l *call) error {
		base := l.core.GetDirectory().RenewalInfo
		if base == "" {
			return nil
		}
		resp, err := l.core.HTTPClient.Get(strings.TrimSuffix(base, "/") + "/" + certID)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err = io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode == http.StatusNotFound {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("renewalInfo: %s", resp.Status)
		}
		found, wait = true, c.asked(l)
		return nil
	})
	return body, wait, found, err
}
