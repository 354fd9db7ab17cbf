package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

const (
	fetchFor     = 10 * time.Second // one fetch, redirects included
	maxRedirects = 10
	maxFetch     = 1 << 10 // bytes of the answer that are read
	maxShown     = 60      // bytes of them that people see
)

// proveHTTP01 plants a random token on the solver and fetches it as the CA
// would, but through every address of the name: with several nodes behind a
// name the CA may ask any of them.
func proveHTTP01(ctx context.Context, domain string, ch renew.Challenge) renew.Proof {
	if strings.HasPrefix(domain, "*.") {
		return bad(renew.HTTP01, domain, renew.Finding{
			ID: "http01_wildcard", Severity: renew.Critical,
			Cause: "A wildcard cannot be proved with http-01.",
			Proof: map[string]string{"domain": domain},
			Next:  "Configure dns-01 for this certificate.",
		})
	}
	s, to, err := planter(ch)
	token, keyAuth := plantPrefix+random(12), random(24)
	if err == nil {
		_, err = s.present(ctx, domain, token, keyAuth)
	}
	if err != nil {
		return bad(renew.HTTP01, domain, renew.Finding{
			ID: "http01_listener", Severity: renew.Critical,
			Cause: "No token can be served: " + err.Error() + ".",
			Proof: map[string]string{"domain": domain, "solver": to, "error": err.Error()},
			Next:  "Correct the listen: or webroot: of the challenge, or use dns-01.",
		})
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupFor)
		defer cancel()
		_, _ = s.remove(ctx, domain, token, keyAuth)
	}()
	port := ch.Port
	if port == 0 {
		port = 80
	}
	return fetchAll(ctx, fetcher{r: newResolver(ch.Resolvers), domain: domain, port: port, token: token, want: keyAuth, to: to})
}

// planter returns the solver for a token and where it is, for people.
func planter(ch renew.Challenge) (solver, string, error) {
	if ch.Webroot != "" {
		return &webroot{dir: ch.Webroot}, "the web root " + ch.Webroot, nil
	}
	if ch.Listen == "" {
		return nil, "", errors.New("http-01 has neither a listen: address nor a webroot: directory")
	}
	return &listening{addr: ch.Listen}, "the listener on " + ch.Listen, nil
}

// fetcher fetches the token of one domain.
type fetcher struct {
	r           resolver
	domain      string
	port        int
	token, want string
	to          string       // where the token is, for people
	own         []netip.Addr // addresses of the domain
}

// fetched is what one address gave.
type fetched struct {
	addr      netip.Addr
	status    string
	body      string
	redirects []string
	away      bool // it redirects to another host
	err       error
}

func fetchAll(ctx context.Context, f fetcher) renew.Proof {
	chain, _ := f.r.follow(ctx, f.domain)
	addrs, err := f.r.addresses(ctx, f.domain+".")
	if err != nil {
		return bad(renew.HTTP01, f.domain, renew.Finding{
			ID: "http01_path", Severity: renew.Critical,
			Cause: fmt.Sprintf("The CA cannot reach %s: the name does not resolve: %v.", f.domain, err),
			Proof: map[string]string{"domain": f.domain, "error": err.Error(), "cname": arrows(chain)},
			Next:  "Use dns-01 for this renewal, or give the name an A or AAAA record that leads to " + f.to + ".",
		})
	}
	for _, a := range addrs {
		f.own = append(f.own, a.Unmap())
	}
	got := make([]fetched, len(addrs))
	sideBySide(len(addrs), func(i int) { got[i] = f.fetch(ctx, addrs[i]) })
	var failed []fetched
	var seen []string
	for _, g := range got {
		seen = append(seen, g.addr.String())
		if g.err != nil {
			failed = append(failed, g)
		}
	}
	if len(failed) == 0 {
		return renew.Proof{Level: renew.HTTP01, Subject: f.domain, OK: true,
			Text: fmt.Sprintf("A planted token was fetched through every address of %s: %s.", f.domain, strings.Join(seen, ", "))}
	}
	return bad(renew.HTTP01, f.domain, f.finding(chain, failed, len(got)))
}

// finding describes the failed addresses, the first in full.
func (f fetcher) finding(chain []string, failed []fetched, all int) renew.Finding {
	var names []string
	for _, g := range failed {
		names = append(names, g.addr.String())
	}
	first := failed[0]
	proof := map[string]string{
		"domain": f.domain, "address": netip.AddrPortFrom(first.addr, uint16(f.port)).String(),
		"url": f.url(), "failed": strings.Join(names, ", "), "error": first.err.Error(),
	}
	for k, v := range map[string]string{"status": first.status, "body": first.body, "redirects": strings.Join(first.redirects, " -> ")} {
		if v != "" {
			proof[k] = v
		}
	}
	if len(chain) > 1 {
		proof["cname"] = arrows(chain)
	}
	return renew.Finding{
		ID: "http01_path", Severity: renew.Critical,
		Cause: fmt.Sprintf("The CA would not find the token: %d of %d addresses of %s do not serve it; %s: %s.", len(failed), all, f.domain, first.addr, first.err),
		Proof: proof,
		Next:  fmt.Sprintf("Use dns-01, or forward %s from %s to %s.", challengePath, strings.Join(names, ", "), f.to),
	}
}

func (f fetcher) url() string {
	host := f.domain
	if f.port != 80 {
		host = net.JoinHostPort(host, strconv.Itoa(f.port))
	}
	return "http://" + host + challengePath + f.token
}

// fetch gets the token from one address. Redirects are followed as a CA does
// (preflight_redirect.go), with any certificate, which the CA does not look at
// either; a redirect to the domain itself stays on the address.
func (f fetcher) fetch(ctx context.Context, addr netip.Addr) fetched {
	ctx, cancel := context.WithTimeout(ctx, fetchFor)
	defer cancel()
	g := fetched{addr: addr}
	transport := &http.Transport{
		DisableKeepAlives:      true,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true},
		MaxResponseHeaderBytes: 32 << 10,
		DialContext: func(ctx context.Context, network, hostport string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(hostport)
			if err != nil {
				return nil, err
			}
			ip := addr
			if !strings.EqualFold(host, f.domain) {
				ips, err := f.r.addresses(ctx, host)
				if err != nil {
					return nil, err
				}
				ip = ips[0]
				if err := f.mayAsk(host, ip); err != nil {
					return nil, err
				}
			}
			var d net.Dialer
			return d.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error { return f.redirect(&g, r, via) }}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url(), nil)
	if err != nil {
		g.err = err
		return g
	}
	r.Header.Set("User-Agent", "certmedic preflight")
	resp, err := client.Do(r)
	if err != nil {
		g.err = fetchError(ctx, err)
		return g
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch))
	g.status = strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	if !g.away { // what another host says is not the certificate's, nor for everybody
		g.body = printable(body, maxShown)
	}
	switch {
	case err != nil:
		g.err = fetchError(ctx, err)
	case resp.StatusCode != http.StatusOK:
		g.err = fmt.Errorf("it answers %s", g.status)
	case strings.TrimSpace(string(body)) != f.want:
		g.err = errors.New("it answers with something else than the token")
	}
	return g
}

// fetchError takes the URL, which people know, out of net/http's words.
func fetchError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("it does not answer within %s", fetchFor)
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
