package acme

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/certmedic/certmedic/renew"
)

// NewOrder implements renew.CA. When the CA refuses to link the order to the
// certificate that it replaces (409 alreadyReplaced, or because that is not
// this account's), the order is asked for once more without the link: being
// exempt from rate limits is not worth a certificate.
//
// A server without an orders list (Let's Encrypt) gives back the account's own
// pending order for the same identifiers, so that asking again after a lost
// answer costs no second order there.
func (c *client) NewOrder(ctx context.Context, o renew.OrderRequest) (renew.Order, error) {
	var replaces string
	if o.Replaces != "" {
		id, err := certID([]byte(o.Replaces))
		if err != nil {
			c.o.Log.Info("order without replaces", "why", err)
		}
		replaces = id
	}
	got, err := c.newOrder(ctx, o.Domains, o.Profile, replaces)
	var ca *renew.CAError
	if err != nil && replaces != "" && errors.As(err, &ca) && aboutReplaces(ca) {
		c.o.Log.Info("order without replaces", "why", ca.Detail)
		got, err = c.newOrder(ctx, o.Domains, o.Profile, "")
	}
	if err != nil {
		return renew.Order{}, fmt.Errorf("new order for %v: %w", o.Domains, err)
	}
	return got, nil
}

// aboutReplaces says whether the refusal may be about the replaced
// certificate. Servers differ in the type: alreadyReplaced, malformed,
// unauthorized, serverInternal.
func aboutReplaces(e *renew.CAError) bool {
	const ns = "urn:ietf:params:acme:error:"
	switch e.Type {
	case ns + "alreadyReplaced", ns + "malformed", ns + "unauthorized":
		return true
	case ns + "serverInternal":
		return e.Status == http.StatusInternalServerError
	}
	return e.Status == http.StatusConflict
}

// Order implements renew.CA.
func (c *client) Order(ctx context.Context, url string) (renew.Order, error) {
	o, _, _, err := c.getOrder(ctx, url)
	if err != nil {
		return renew.Order{}, fmt.Errorf("order %s: %w", url, err)
	}
	return o, nil
}

// Limits of an account's orders list.
const (
	maxOrderPages = 100
	maxOrderLooks = 300 // orders that are fetched, the newest first
)

// FindOrder implements renew.CA. spki is the DER SubjectPublicKeyInfo of the
// key, or the SHA-256 of it (raw or hexadecimal).
//
// Let's Encrypt has no orders list: ok is false there, and NewOrder gives back
// the pending order that the lost answer was about.
func (c *client) FindOrder(ctx context.Context, domains []string, spki []byte) (renew.Order, bool, error) {
	kid, err := c.registered(ctx)
	if err != nil {
		return renew.Order{}, false, err
	}
	a, err := c.getAccount(ctx, kid)
	if err != nil {
		return renew.Order{}, false, fmt.Errorf("account %s: %w", kid, err)
	}
	if a.orders == "" {
		return renew.Order{}, false, nil
	}
	urls, err := c.orderURLs(ctx, a.orders)
	var ca *renew.CAError
	if errors.As(err, &ca) && (ca.Status == http.StatusNotFound || ca.Status == http.StatusMethodNotAllowed || ca.Status == http.StatusNotImplemented) {
		return renew.Order{}, false, nil
	}
	if err != nil {
		return renew.Order{}, false, fmt.Errorf("orders list %s: %w", a.orders, err)
	}
	slices.Reverse(urls)
	for _, url := range urls[:min(len(urls), maxOrderLooks)] {
		o, _, _, err := c.getOrder(ctx, url)
		if errors.As(err, &ca) && ca.Status == http.StatusNotFound {
			continue // gone since it was listed
		}
		if err != nil {
			return renew.Order{}, false, fmt.Errorf("order %s: %w", url, err)
		}
		ours, err := c.ours(ctx, o, domains, spki)
		if err != nil {
			return renew.Order{}, false, err
		}
		if ours {
			return o, true, nil
		}
	}
	return renew.Order{}, false, nil
}

// ours says whether an order is one to go on with.
func (c *client) ours(ctx context.Context, o renew.Order, domains []string, spki []byte) (bool, error) {
	if !sameNames(o.Domains, domains) {
		return false, nil
	}
	switch o.Status {
	case "pending", "ready", "processing":
		return o.Expires.IsZero() || o.Expires.After(c.o.Now()), nil
	case "valid":
		chain, err := c.Chain(ctx, o)
		if err != nil {
			return false, err
		}
		return hasKey(chain, spki), nil
	}
	return false, nil
}

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// hasKey says whether the first certificate of the PEM has the key.
func hasKey(chain, spki []byte) bool {
	block, _ := pem.Decode(chain)
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return bytes.Equal(spki, cert.RawSubjectPublicKeyInfo) || bytes.Equal(spki, sum[:]) || string(spki) == hex.EncodeToString(sum[:])
}

var nextLink = regexp.MustCompile(`<([^<>]+)>\s*;[^,]*\brel="?next"?`)

// orderURLs reads all pages of an orders list (section 7.1.2.1).
func (c *client) orderURLs(ctx context.Context, url string) ([]string, error) {
	var all []string
	for range maxOrderPages {
		body, h, err := c.download(ctx, url)
		if err != nil {
			return nil, err
		}
		var page struct {
			Orders []string `json:"orders"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("%w in %q", err, printable(body, 200))
		}
		all = append(all, page.Orders...)
		next := ""
		for _, l := range h["Link"] {
			if m := nextLink.FindStringSubmatch(l); m != nil {
				next = m[1]
			}
		}
		if next == "" || next == url {
			break
		}
		url = next
	}
	return all, nil
}

// Finalize implements renew.CA. It may be repeated: an order that is being
// processed or valid already is only waited for.
func (c *client) Finalize(ctx context.Context, o renew.Order, csr []byte) (renew.Order, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Wait, fmt.Errorf("the order is not valid after %s", c.o.Wait))
	defer cancel()
	sent := false
	var p pace
	for {
		got, failed, wait, err := c.getOrder(ctx, o.URL)
		if err != nil {
			return renew.Order{}, fmt.Errorf("order %s: %w", o.URL, err)
		}
		switch got.Status {
		case "valid":
			return got, nil
		case "invalid":
			return got, fmt.Errorf("order %s is invalid: %w", o.URL, orElse(failed, errors.New("the CA does not say why")))
		case "pending":
			return got, fmt.Errorf("order %s is still pending: an authorization is missing", o.URL)
		case "ready":
			if !sent {
				if err := c.finalize(ctx, got.Finalize, csr); err != nil && !notReady(err) {
					return got, fmt.Errorf("finalize %s: %w", o.URL, err)
				}
				sent = true
				continue
			}
		}
		if err := p.wait(ctx, wait); err != nil {
			return got, fmt.Errorf("order %s is %s: %w", o.URL, got.Status, err)
		}
	}
}

// notReady is the answer when another request has begun the processing.
func notReady(err error) bool {
	var ca *renew.CAError
	return errors.As(err, &ca) && ca.Type == "urn:ietf:params:acme:error:orderNotReady"
}

func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Chain implements renew.CA.
func (c *client) Chain(ctx context.Context, o renew.Order) ([]byte, error) {
	if o.Certificate == "" {
		return nil, fmt.Errorf("order %s is %s and has no certificate", o.URL, o.Status)
	}
	chain, _, err := c.download(ctx, o.Certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate of order %s: %w", o.URL, err)
	}
	block, _ := pem.Decode(chain)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("certificate of order %s: not PEM: %q", o.URL, printable(chain, 100))
	}
	return chain, nil
}
