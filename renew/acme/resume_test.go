package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/renewtest"
)

// Every step by a client that knows no more than URLs, and every step twice.
func TestResumeAtEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	ctx, key := short(t), newKey(t)
	fresh := func(url string) renew.CA {
		w.make = New(Options{}) // nothing shared with the one before
		return w.client(url)
	}
	kid, err := fresh("").Register(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := fresh("").Register(ctx); err != nil || again != kid {
		t.Fatalf("registering again: %s %v", again, err)
	}
	if again, err := fresh(kid).Register(ctx); err != nil || again != kid {
		t.Fatalf("registering the known account: %s %v", again, err)
	}
	o, err := fresh(kid).NewOrder(ctx, renew.OrderRequest{Domains: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	url := o.URL
	for i, want := range []string{"pending", "ready", "ready", "valid", "valid"} {
		if o, err = fresh(kid).Order(ctx, url); err != nil || o.Status != want || o.URL != url {
			t.Fatalf("step %d: order is %s at %q, want %s (%v)", i, o.Status, o.URL, want, err)
		}
		switch i {
		case 0, 1:
			err = fresh(kid).Authorize(ctx, o, w.rfc2136(), w.say)
		case 2, 3:
			o, err = fresh(kid).Finalize(ctx, o, request(t, key, "www.example.com"))
		}
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	for range 2 {
		chain, err := fresh(kid).Chain(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		w.verify(chain, key, "www.example.com")
	}
	if n := len(w.ca.NewOrders()); n != 1 {
		t.Errorf("%d orders at the CA", n)
	}
	w.clean()
}

func TestFindOrderAfterLosingTheURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{OrdersPerPage: 2})
	ctx, key, names := short(t), newKey(t), []string{"b.example.com", "a.example.com"}
	if _, ok, err := w.cl.FindOrder(ctx, names, spki(t, key)); ok || err != nil {
		t.Fatalf("in an empty list: %v %v", ok, err)
	}
	made := map[string]string{}
	for _, set := range [][]string{{"a.example.com"}, {"a.example.com", "b.example.com", "c.example.com"}, names, {"b.example.com"}, {"d.example.com"}} {
		o, err := w.cl.NewOrder(ctx, renew.OrderRequest{Domains: set})
		if err != nil {
			t.Fatal(err)
		}
		made[strings.Join(set, ",")] = o.URL
	}
	want := made["b.example.com,a.example.com"]
	find := func(step string, key []byte, found bool) renew.Order {
		t.Helper()
		o, ok, err := w.client("").FindOrder(ctx, []string{"a.example.com", "b.example.com"}, key)
		if err != nil || ok != found || found && o.URL != want {
			t.Fatalf("%s: %v %s, want %s (%v)", step, ok, o.URL, want, err)
		}
		return o
	}
	o := find("pending", spki(t, key), true)
	if err := w.cl.Authorize(ctx, o, w.rfc2136(), nil); err != nil {
		t.Fatal(err)
	}
	o = find("ready", spki(t, key), true)
	if _, err := w.cl.Finalize(ctx, o, request(t, key, names...)); err != nil {
		t.Fatal(err)
	}
	o = find("valid", spki(t, key), true)
	chain, err := w.cl.Chain(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	w.verify(chain, key, names...)
	find("valid with another key", spki(t, newKey(t)), false)
	if got := w.ca.Orders()["a.example.com,b.example.com"]; got != 1 {
		t.Errorf("%d orders for the names", got)
	}
}

func TestCancelWhileTheCADecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	o, err := w.cl.NewOrder(short(t), renew.OrderRequest{Domains: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	// The CA takes the challenge and then never answers about it again.
	accepted, release := make(chan bool, 100), make(chan bool)
	defer close(release)
	w.ca.SetFault(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/chalZ/") {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, `{"type":"http-01","status":"processing"}`)
			accepted <- true
			return true
		}
		if len(accepted) > 0 && strings.HasPrefix(r.URL.Path, "/authZ/") {
			<-release
		}
		return false
	})
	ctx, cancel := context.WithCancelCause(short(t))
	done := make(chan error)
	go func() { done <- w.cl.Authorize(ctx, o, w.listen(), nil) }()
	why := errors.New("stopped by ana")
	for len(accepted) == 0 {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("error: %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s to give up", took)
	}
	w.clean()
}

func TestRetryAfterFarAwayCanBeCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	o, err := w.cl.NewOrder(short(t), renew.OrderRequest{Domains: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(short(t))
	w.ca.SetFault(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/authZ/") {
			rw.Header().Set("Retry-After", "3600")
		}
		if strings.HasPrefix(r.URL.Path, "/chalZ/") {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		return false
	})
	start := time.Now()
	err = w.cl.Authorize(ctx, o, w.listen(), nil)
	if !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
	w.clean()
}

// A process was killed between adding a record and removing it.
func TestAuthorizeRemovesWhatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	ctx := short(t)
	o, err := w.cl.NewOrder(ctx, renew.OrderRequest{Domains: []string{"example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	cl := w.cl.(*client)
	a, _, err := cl.getAuthorization(ctx, o.Authorizations[0])
	if err != nil {
		t.Fatal(err)
	}
	ch, _ := a.challenge(renew.DNS01)
	ka, err := cl.keyAuthorization(ctx, ch.token)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cl.Authorize(ctx, o, w.rfc2136(), nil); err != nil {
		t.Fatal(err)
	}
	w.dns.AddTXT("_acme-challenge.example.com", txtValue(ka))
	if err := w.client("").Authorize(ctx, o, w.rfc2136(), w.say); err != nil {
		t.Fatal(err)
	}
	if !w.said("left by an earlier run, removed") || !w.said("earlier proof") {
		t.Errorf("said: %q", w.words)
	}
	w.clean()
}

func TestInvalidAuthorizationKeepsTheCAsProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("good.example.com", "127.0.0.1")
	o, err := w.cl.NewOrder(short(t), renew.OrderRequest{Domains: []string{"good.example.com", "no-address.example.com", "neither.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	err = w.cl.Authorize(short(t), o, w.listen(), nil)
	var ca *renew.CAError
	if !errors.As(err, &ca) || ca.Type == "" || ca.Detail == "" {
		t.Fatalf("error: %v", err)
	}
	for _, part := range []string{"no-address.example.com: http-01 failed", "neither.example.com: http-01 failed", "could not resolve"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	w.clean()
	if err := w.cl.Authorize(short(t), o, w.listen(), nil); !errors.As(err, &ca) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := w.cl.Finalize(short(t), o, request(t, newKey(t), o.Domains...)); !errors.As(err, &ca) {
		t.Errorf("finalize: %v", err)
	}
}

func TestReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	w.dns.AddA("www.example.com", "127.0.0.1")
	ctx, names := short(t), []string{"www.example.com"}
	chain, _ := w.issue(ctx, w.listen(), names...)
	for i := range 2 { // the second is refused with alreadyReplaced
		o, err := w.cl.NewOrder(ctx, renew.OrderRequest{Domains: names, Replaces: string(chain)})
		if err != nil {
			t.Fatalf("order %d: %v", i, err)
		}
		if err := w.cl.Authorize(ctx, o, w.listen(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.cl.Finalize(ctx, o, request(t, newKey(t), names...)); err != nil {
			t.Fatal(err)
		}
		w.issue(ctx, w.rfc2136(), "other.example.com") // Pebble takes note a moment after the order is valid
	}
	if !slices.ContainsFunc(w.ca.Requests(), func(r renewtest.Request) bool { return strings.HasSuffix(r.Problem, "alreadyReplaced") }) {
		t.Error("the CA never saw replaces")
	}
	other, err := w.ca.Mint(renewtest.Template{Names: names}) // has no order
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.cl.NewOrder(ctx, renew.OrderRequest{Domains: names, Replaces: string(other.Chain)}); err != nil {
		t.Error(err)
	}
	if n := len(w.ca.NewOrders(names...)); n != 4 {
		t.Errorf("%d orders, want 4", n)
	}
	if _, err := w.cl.NewOrder(ctx, renew.OrderRequest{Domains: names, Profile: "no-such", Replaces: string(chain)}); err == nil {
		t.Error("an unknown profile is taken")
	}
}

func TestErrorsOfTheCA(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	ctx := short(t)
	if _, err := w.cl.Register(ctx); err != nil {
		t.Fatal(err)
	}
	answer := func(status int, head, body string) *renew.CAError {
		t.Helper()
		asked := 0
		w.ca.SetFault(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/order-plz" {
				return false
			}
			asked++
			if head != "" {
				rw.Header().Set("Retry-After", head)
			}
			rw.WriteHeader(status)
			fmt.Fprint(rw, body)
			return true
		})
		_, err := w.cl.NewOrder(ctx, renew.OrderRequest{Domains: []string{"www.example.com"}})
		var ca *renew.CAError
		if !errors.As(err, &ca) {
			t.Fatalf("status %d: %v", status, err)
		}
		if asked != 1 {
			t.Errorf("status %d: newOrder was sent %d times", status, asked)
		}
		return ca
	}
	e := answer(429, "120", `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many new orders"}`)
	if e.RetryAfter != 2*time.Minute || e.Status != 429 || e.Detail != "too many new orders" || !strings.HasSuffix(e.Type, "rateLimited") {
		t.Errorf("rate limited: %+v", e)
	}
	e = answer(502, "", "<html>\x00<b>Bad gateway</b>"+strings.Repeat("x", 1<<20))
	if e.Type != "about:blank" || !strings.Contains(e.Detail, "Bad gateway") || len(e.Detail) > 500 {
		t.Errorf("gateway: %.300s", e.Detail)
	}
	e = answer(403, "", `{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"no","status":403,"subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"CAA forbids","identifier":{"type":"dns","value":"x.example.com"}}]}`)
	if !strings.Contains(e.Detail, "x.example.com: CAA forbids") {
		t.Errorf("subproblem: %q", e.Detail)
	}
}

func TestReadsSurviveAFailingServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	o, err := w.cl.NewOrder(short(t), renew.OrderRequest{Domains: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	w.ca.SetFault(func(rw http.ResponseWriter, r *http.Request) bool {
		if n++; n <= 2 {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	if got, err := w.cl.Order(short(t), o.URL); err != nil || got.Status != "pending" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestHTTPSAndRootsAreNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	iss := w.iss
	iss.Directory = strings.Replace(iss.Directory, "https:", "http:", 1)
	if _, err := w.make(iss, w.key, ""); err == nil || !strings.Contains(err.Error(), "HTTPS") {
		t.Errorf("plain http: %v", err)
	}
	iss = w.iss
	iss.Roots = nil
	cl, err := w.make(iss, w.key, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cl.Register(short(t)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the system's roots: %v", err)
	}
	iss.Roots = []string{"/no/such/file"}
	if _, err := w.make(iss, w.key, ""); err == nil {
		t.Error("a missing roots file is taken")
	}
}

func TestExternalAccountBinding(t *testing.T) {
	t.Parallel()
	const mac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	w := newWorld(t, renewtest.CAOptions{EAB: map[string]string{"kid-1": mac}})
	w.dns.AddA("www.example.com", "127.0.0.1")
	_, err := w.cl.Register(short(t))
	var ca *renew.CAError
	if !errors.As(err, &ca) || !strings.HasSuffix(ca.Type, "externalAccountRequired") {
		t.Errorf("without: %v", err)
	}
	proofs := w.cl.Preflight(short(t), renew.Certificate{Domains: []string{"www.example.com"}}, w.listen())
	if f := faults(proofs); !slices.Equal(f, []string{"ca_account"}) {
		t.Errorf("preflight without: %v", f)
	}
	w.iss.EABKeyID, w.iss.EABKey = "kid-1", mac
	w.cl = w.client("")
	w.issue(short(t), w.listen(), "www.example.com")
}

func TestRenewalInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	ctx := short(t)
	m, err := w.ca.Mint(renewtest.Template{Names: []string{"www.example.com"}, NotAfter: time.Now().Add(90 * 24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	win, ok, err := w.cl.RenewalInfo(ctx, m.Chain)
	if err != nil || !ok || !win.End.After(win.Start) || win.Start.Before(time.Now()) || win.End.After(m.Leaf.NotAfter) {
		t.Fatalf("%+v %v %v", win, ok, err)
	}
	if wait := time.Until(win.RetryAfter); wait < 5*time.Hour || wait > 7*time.Hour {
		t.Errorf("ask again in %s, the CA said 6 h", wait)
	}
	set := func(answer string) (renew.Window, bool, error) {
		t.Helper()
		if err := w.ca.SetRenewalInfo(m.Chain, answer); err != nil {
			t.Fatal(err)
		}
		return w.cl.RenewalInfo(ctx, m.Chain)
	}
	win, ok, err = set(`{"suggestedWindow":{"start":"2026-01-02T03:04:05Z","end":"2026-01-03T03:04:05+01:00"},"explanationURL":"https://ca.example/why"}`)
	if err != nil || !ok || win.Explanation != "https://ca.example/why" || win.Start.Format(time.RFC3339) != "2026-01-02T03:04:05Z" || win.End.Format(time.RFC3339) != "2026-01-03T02:04:05Z" {
		t.Errorf("%+v %v %v", win, ok, err)
	}
	for _, answer := range []string{"nonsense \x00" + strings.Repeat("y", 1000), `{}`, `[]`, `{"suggestedWindow":{"start":"2026-01-02T03:04:05Z"}}`,
		`{"suggestedWindow":{"start":"2026-01-02T03:04:05Z","end":"2026-01-01T03:04:05Z"}}`, `{"suggestedWindow":{"start":"tomorrow","end":"never"}}`} {
		_, ok, err := set(answer)
		if ok || err == nil || len(err.Error()) > 600 || !strings.Contains(err.Error(), "the CA answered") {
			t.Errorf("%.40q: %v %v", answer, ok, err)
		}
	}
	other := renewtest.StartCA(t, renewtest.CAOptions{})
	foreign, err := other.Mint(renewtest.Template{Names: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := w.cl.RenewalInfo(ctx, foreign.Chain); ok {
		t.Error("the CA knows another CA's certificate")
	}
	if _, _, err := w.cl.RenewalInfo(ctx, []byte("no PEM")); err == nil {
		t.Error("no PEM is taken")
	}
}

func TestServersWithoutRenewalInfoOrOrdersList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, renewtest.CAOptions{})
	base := strings.TrimSuffix(w.ca.DirectoryURL(), "/dir")
	w.ca.SetFault(func(rw http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/dir":
			fmt.Fprintf(rw, `{"newNonce":"%[1]s/nonce-plz","newAccount":"%[1]s/sign-me-up","newOrder":"%[1]s/order-plz"}`, base)
			return true
		case strings.HasPrefix(r.URL.Path, "/my-account/"):
			rw.Header().Set("Replay-Nonce", "x")
			fmt.Fprint(rw, `{"status":"valid"}`)
			return true
		}
		return false
	})
	m, err := w.ca.Mint(renewtest.Template{Names: []string{"www.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := w.cl.RenewalInfo(short(t), m.Chain); ok || err != nil {
		t.Errorf("renewal info: %v %v", ok, err)
	}
	if _, ok, err := w.cl.FindOrder(short(t), []string{"www.example.com"}, nil); ok || err != nil {
		t.Errorf("orders list: %v %v", ok, err)
	}
}
