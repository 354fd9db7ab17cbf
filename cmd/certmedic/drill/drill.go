// Package drill builds a whole estate on loopback (a real ACME CA, a DNS
// server, TLS hosts with files, a config test and a reload) that goes wrong on
// cue, plays the responder's part in a room, and writes the report card.
//
// The estate is in drill.go, config.go, host.go and left.go; the commands that
// its hosts are tested and reloaded with in helper.go; the plays in play.go,
// hachyderm.go and demo.go; the card in card.go.
package drill

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/deploy"
	"github.com/certmedic/certmedic/renew/renewtest"
)

// Options say what estate is built.
type Options struct {
	Dir      string        // where everything is written; made when missing
	Lifetime time.Duration // until the first certificate really expires; at least 2 s, counted in whole seconds
	Broken   bool          // the proxies do not answer for HTTP-01; DNS-01 is configured besides
	Layout   string        // renew.Flat or renew.Certbot; default: Certbot when Broken, else Flat
	Helper   []string      // argv prefix of a program that calls Helper with the rest, for example [/path/certmedic estate]
	Listen   string        // where certmedic itself is to listen; default 127.0.0.1:0
	Log      *slog.Logger  // default: nothing is logged
	Open     bool          // everybody may renew: who plays has whatever name
	Approval bool          // a renewal needs the approval of the team leads
}

// certificate is the name of the one certificate of the estate.
const certificate = "media"

// proxies are the hosts in the order of the rollout; the first is the canary.
var proxies = []string{"cdn-frankfurt-1", "cdn-fremont-1", "sally", "esme"}

const origin = "fritz"

// addresses of the proxies and of the origin, where a system has all of 127/8.
var (
	proxyIPs = []string{"127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14"}
	originIP = "127.0.0.15"
)

// Host is one TLS host of the estate.
type Host struct {
	Name    string
	Address string // ip:port of its TLS listener
	Dir     string // directory.path of its target
}

// Estate is everything that runs. Hosts and all else end with Close; the
// files in Dir stay.
type Estate struct {
	o         Options
	domain    string
	ca        *renewtest.CA
	dns       *renewtest.DNS
	hosts     []*host
	fronts    []*server
	challenge string // ip:port of the HTTP-01 listener on the origin
	httpPort  int    // that the CA asks
	sockets   string // directory
	tsig      string // secret, base64
	first     *x509.Certificate
	config    string
	closed    bool
}

// Start builds the estate. The first certificate's time runs from here.
func Start(ctx context.Context, o Options) (e *Estate, err error) {
	if err := o.fix(); err != nil {
		return nil, err
	}
	e = &Estate{o: o, domain: "example.test"}
	if o.Broken {
		e.domain = "hachyderm.test"
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
			e = nil
		}
	}()
	ls, err := e.listen()
	if err != nil {
		return e, err
	}
	if err := e.names(ls); err != nil {
		ls.close()
		return e, err
	}
	for _, l := range ls.http {
		e.fronts = append(e.fronts, e.front(l))
	}
	if err := e.populate(ctx, ls.tls); err != nil {
		return e, err
	}
	e.config, err = e.writeConfig()
	return e, err
}

func (o *Options) fix() error {
	if o.Dir == "" || len(o.Helper) == 0 {
		return errors.New("an estate needs a directory and a helper program")
	}
	if o.Lifetime < 2*time.Second {
		return fmt.Errorf("a certificate of %s is too short to be seen alive; use 2s or more", o.Lifetime)
	}
	if o.Layout == "" {
		o.Layout = renew.Flat
		if o.Broken {
			o.Layout = renew.Certbot
		}
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	return os.MkdirAll(o.Dir, 0o700)
}

// listeners of the hosts, one TLS listener each, before anybody serves.
type listeners struct {
	tls, http []net.Listener
	ips       []string // behind the apex
	origin    string
}

func (ls *listeners) close() {
	for _, l := range append(ls.tls, ls.http...) {
		_ = l.Close() // nothing was accepted
	}
}

// listen takes an address for each proxy, with the same TLS port and the same
// HTTP port; or, where a system has only 127.0.0.1, a TLS port each and one
// HTTP port for all.
func (e *Estate) listen() (_ *listeners, err error) {
	ls := &listeners{ips: proxyIPs, origin: originIP}
	defer func() {
		if err != nil {
			ls.close()
		}
	}()
	http, port, err := renewtest.Listen(append(append([]string{}, proxyIPs...), originIP)...)
	if err != nil {
		return e.listenOnOne()
	}
	ls.http, e.httpPort = http[:len(proxyIPs)], port
	if err := http[len(proxyIPs)].Close(); err != nil { // free for the challenge
		return nil, err
	}
	e.challenge = net.JoinHostPort(originIP, strconv.Itoa(port))
	ls.tls, _, err = renewtest.Listen(proxyIPs...)
	return ls, err
}

func (e *Estate) listenOnOne() (_ *listeners, err error) {
	ls := &listeners{ips: []string{"127.0.0.1"}, origin: "127.0.0.1"}
	defer func() {
		if err != nil {
			ls.close()
		}
	}()
	if ls.http, e.httpPort, err = renewtest.Listen(); err != nil {
		return nil, err
	}
	for range proxies {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		ls.tls = append(ls.tls, l)
	}
	port, err := renewtest.FreePort()
	e.challenge = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return ls, err
}

// names starts DNS and the CA: the certificate's name is an alias of the apex,
// and the apex has the addresses of all proxies.
func (e *Estate) names(ls *listeners) (err error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	e.tsig = base64.StdEncoding.EncodeToString(secret)
	e.dns, err = renewtest.NewDNS(renewtest.DNSOptions{Zones: []string{e.domain}, KeyName: tsigName, KeySecret: e.tsig})
	if err != nil {
		return fmt.Errorf("DNS: %w", err)
	}
	e.dns.AddA(e.domain, ls.ips...)
	e.dns.AddA(origin+"."+e.domain, ls.origin)
	e.dns.SetCNAME(e.Domain(), e.domain)
	e.ca, err = renewtest.NewCA(renewtest.CAOptions{DNSAddr: e.dns.Addr(), HTTPPort: e.httpPort})
	if err != nil {
		return fmt.Errorf("CA: %w", err)
	}
	return nil
}

// populate mints the first certificate, puts it on every host and starts them.
func (e *Estate) populate(ctx context.Context, ls []net.Listener) error {
	left := ls
	defer func() {
		for _, l := range left {
			_ = l.Close() // nothing was accepted
		}
	}()
	var err error
	if e.sockets, err = socketDir(); err != nil {
		return err
	}
	end := time.Now().Add(e.o.Lifetime + time.Second - 1).Truncate(time.Second)
	minted, err := e.ca.Mint(renewtest.Template{Names: []string{e.Domain()}, NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end})
	if err != nil {
		return err
	}
	e.first = minted.Leaf
	for i, name := range proxies {
		h := &host{name: name, addr: ls[i].Addr().String(), dir: filepath.Join(e.o.Dir, "hosts", name), layout: e.o.Layout,
			socket: filepath.Join(e.sockets, strconv.Itoa(i)), log: e.o.Log.With("host", name)}
		if err := h.install(ctx, minted); err != nil {
			return fmt.Errorf("files of %s: %w", name, err)
		}
		left = ls[i+1:]
		if err := h.start(ls[i]); err != nil {
			return fmt.Errorf("start %s: %w", name, err)
		}
		e.hosts = append(e.hosts, h)
	}
	return nil
}

// install writes the first certificate as it would have come there by hand.
func (h *host) install(ctx context.Context, m renewtest.Minted) error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	if h.layout == renew.Certbot {
		return deploy.New(deploy.Options{}).Place(ctx,
			renew.Target{Name: h.name, Directory: renew.Directory{Path: h.dir, Layout: h.layout}},
			renew.Material{Name: certificate, Chain: m.Chain, Key: m.Key, SHA256: fingerprint(m.Leaf)})
	}
	return errors.Join(
		os.WriteFile(filepath.Join(h.dir, "fullchain.pem"), m.Chain, 0o644),
		os.WriteFile(filepath.Join(h.dir, "privkey.pem"), m.Key, 0o600))
}

// socketDir makes a directory whose name is short enough: a socket's whole
// path may have about a hundred bytes.
func socketDir() (string, error) {
	base := os.TempDir()
	if len(base) > 60 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "cm")
	if err != nil {
		return "", fmt.Errorf("directory for sockets: %w", err)
	}
	return dir, nil
}

// Config is the path of the certmedic.yaml that describes the estate.
func (e *Estate) Config() string { return e.config }

// Hosts lists the TLS hosts in the order of the rollout.
func (e *Estate) Hosts() []Host {
	var out []Host
	for _, h := range e.hosts {
		out = append(out, Host{Name: h.name, Address: h.addr, Dir: h.dir})
	}
	return out
}

// Expires is when the first certificate expires.
func (e *Estate) Expires() time.Time { return e.first.NotAfter }

// Name is the certificate's name in the inventory.
func (e *Estate) Name() string { return certificate }

// Domain is the certificate's one domain, an alias of the apex.
func (e *Estate) Domain() string { return certificate + "." + e.domain }

// CA and DNS are the estate's own, for whoever wants to break more.
func (e *Estate) CA() *renewtest.CA { return e.ca }

// DNS returns the estate's name server.
func (e *Estate) DNS() *renewtest.DNS { return e.dns }

// Close ends everything and waits for it. It may be called twice.
func (e *Estate) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	var errs []error
	for _, h := range e.hosts {
		errs = append(errs, h.close())
	}
	for _, f := range e.fronts {
		errs = append(errs, f.close())
	}
	if e.ca != nil {
		e.ca.Close()
	}
	if e.dns != nil {
		e.dns.Close()
	}
	if e.sockets != "" {
		errs = append(errs, os.RemoveAll(e.sockets))
	}
	return errors.Join(errs...)
}

// fingerprint is the SHA-256 of the DER certificate, lower-case hexadecimal.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
