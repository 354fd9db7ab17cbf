package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew/renewtest"
)

// loopEstate is a real CA, a DNS server and TLS hosts on loopback, with the
// configuration for them.
type loopEstate struct {
	ca    *renewtest.CA
	dns   *renewtest.DNS
	cfg   config
	file  string   // certmedic.yaml
	dirs  []string // the hosts' directories
	addrs []string // where the hosts serve
}

// startLoop makes n certificates, site0 and on, with so many hosts each.
func startLoop(tb testing.TB, n, hosts int) *loopEstate {
	tb.Helper()
	dir := tb.TempDir()
	port, err := renewtest.FreePort("127.0.0.1")
	if err != nil {
		tb.Fatal(err)
	}
	e := &loopEstate{file: filepath.Join(dir, "certmedic.yaml")}
	if e.dns, err = renewtest.NewDNS(renewtest.DNSOptions{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.dns.Close)
	if e.ca, err = renewtest.NewCA(renewtest.CAOptions{DNSAddr: e.dns.Addr(), HTTPPort: port}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.ca.Close)
	writeFile(tb, filepath.Join(dir, "api.pem"), e.ca.APIRootPEM())
	writeFile(tb, filepath.Join(dir, "roots.pem"), e.ca.IssuingRootPEM(0))
	var text strings.Builder
	fmt.Fprintf(&text, "data: certmedic.db\nlisten: 127.0.0.1:0\nteams: {web: {people: [ana]}}\nissuers: {pebble: {directory: %q, roots: api.pem}}\ntrust: {roots: roots.pem}\ncertificates:\n", e.ca.DirectoryURL())
	for i := range n {
		name := fmt.Sprintf("site%d.example.test", i)
		e.dns.AddA(name, "127.0.0.1")
		var endpoints, targets []string
		for j := range hosts {
			host := fmt.Sprintf("host-%d-%d", i, j)
			files := filepath.Join(dir, host)
			mintInto(tb, e.ca, files, name, 24*time.Hour)
			addr := fileHost(tb, files)
			_, tlsPort, _ := net.SplitHostPort(addr)
			e.dirs, e.addrs = append(e.dirs, files), append(e.addrs, addr)
			endpoints = append(endpoints, fmt.Sprintf("{host: %s, port: %s, addresses: [127.0.0.1]}", name, tlsPort))
			targets = append(targets, fmt.Sprintf("{name: %s, directory: {path: %s, layout: flat}, verify: [%q]}", host, files, addr))
		}
		fmt.Fprintf(&text, "  - {name: site%d, domains: [%s], owner: web, issuer: pebble, challenge: {http-01: {listen: \"127.0.0.1:%d\", port: %d, resolvers: [%q]}}, endpoints: [%s], waves: [[%s]]}\n",
			i, name, port, port, e.dns.Addr(), strings.Join(endpoints, ", "), strings.Join(targets, ", "))
	}
	writeFile(tb, e.file, []byte(text.String()))
	if e.cfg, err = loadConfig(e.file); err != nil {
		tb.Fatal(err)
	}
	return e
}

// mintInto puts a certificate of the CA into a directory, as plain files.
func mintInto(tb testing.TB, ca *renewtest.CA, dir, name string, validity time.Duration) {
	tb.Helper()
	m, err := ca.Mint(renewtest.Template{Names: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity)})
	if err != nil {
		tb.Fatal(err)
	}
	writeFile(tb, filepath.Join(dir, "fullchain.pem"), m.Chain)
	writeFile(tb, filepath.Join(dir, "privkey.pem"), m.Key)
}

func writeFile(tb testing.TB, file string, content []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// fileHost serves the certificate files of a directory, read at every
// handshake, and returns its address.
func fileHost(tb testing.TB, dir string) string {
	tb.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := loadPair(dir)
		return &c, err
	}})
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { _ = c.(*tls.Conn).Handshake(); c.Close() })
		}
	})
	tb.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String()
}

// loadPair reads the certificate and key in a flat directory as one version:
// when a switch falls between the two reads, it reads again.
func loadPair(dir string) (tls.Certificate, error) {
	for {
		before, _ := os.Readlink(filepath.Join(dir, ".certmedic", "current"))
		c, err := tls.LoadX509KeyPair(filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem"))
		if after, _ := os.Readlink(filepath.Join(dir, ".certmedic", "current")); err == nil || after == before {
			return c, err
		}
	}
}
