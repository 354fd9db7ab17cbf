package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/acme"
	"github.com/certmedic/certmedic/renew/renewtest"
)

// nginxEstate is a real nginx in front of the files that a renewal places, a
// real CA and a DNS server.
type nginxEstate struct {
	cfg     config
	ca      *renewtest.CA
	binary  string
	dir     string
	address string
}

// startNginx mints the first certificate with this validity, and starts nginx on it.
func startNginx(t *testing.T, notBefore, notAfter time.Time) *nginxEstate {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		if _, statErr := os.Stat("/usr/sbin/nginx"); statErr != nil {
			t.Skip("nginx is not here: apt-get install nginx-light runs this test")
		}
		binary = "/usr/sbin/nginx"
	}
	ports, err := renewtest.FreePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	tlsPort, httpPort := ports[0], ports[1]
	dns := renewtest.StartDNS(t, renewtest.DNSOptions{})
	dns.AddA("media.example.test", "127.0.0.1")
	e := &nginxEstate{binary: binary, dir: t.TempDir(), address: fmt.Sprintf("127.0.0.1:%d", tlsPort)}
	e.ca = renewtest.StartCA(t, renewtest.CAOptions{DNSAddr: dns.Addr(), HTTPPort: httpPort})
	first, err := e.ca.Mint(renewtest.Template{Names: []string{"media.example.test"}, NotBefore: notBefore, NotAfter: notAfter})
	if err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(e.dir, "tls")
	writeFile(t, filepath.Join(files, "fullchain.pem"), first.Chain)
	writeFile(t, filepath.Join(files, "privkey.pem"), first.Key)
	writeFile(t, filepath.Join(e.dir, "roots.pem"), e.ca.IssuingRootPEM(0))
	writeFile(t, filepath.Join(e.dir, "api.pem"), e.ca.APIRootPEM())
	writeFile(t, filepath.Join(e.dir, "nginx.conf"), []byte(fmt.Sprintf(`
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s ssl;
    ssl_certificate %[3]s/fullchain.pem;
    ssl_certificate_key %[3]s/privkey.pem;
    location / { return 200 "media\n"; }
  }
}`, e.dir, e.address, files)))
	e.nginx(t)
	t.Cleanup(func() { e.nginx(t, "-s", "quit") })
	waitListening(t, e.address)
	text := fmt.Sprintf(`
data: %[1]s/certmedic.db
listen: 127.0.0.1:0
teams: {web: {people: [ana]}}
issuers: {pebble: {directory: "%[2]s", roots: %[1]s/api.pem}}
certificates:
  - name: media
    domains: [media.example.test]
    owner: web
    issuer: pebble
    challenge: {http-01: {listen: "127.0.0.1:%[3]d", port: %[3]d, resolvers: ["%[4]s"]}}
    endpoints: [{host: media.example.test, port: %[5]d, addresses: [127.0.0.1]}]
    waves:
      - [{name: nginx-1, directory: {path: %[6]s, layout: flat}, test: [%[7]s, -t, -q, -c, %[1]s/nginx.conf], reload: [%[7]s, -c, %[1]s/nginx.conf, -s, reload], verify: ["%[8]s"]}]
trust: {roots: %[1]s/roots.pem}
`, e.dir, e.ca.DirectoryURL(), httpPort, dns.Addr(), tlsPort, files, binary, e.address)
	if e.cfg, err = parseConfig(filepath.Join(e.dir, "certmedic.yaml"), []byte(text)); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return e
}

func (e *nginxEstate) nginx(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command(e.binary, append([]string{"-c", filepath.Join(e.dir, "nginx.conf")}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("nginx %v: %v\n%s", args, err, out)
	}
}

// served is the fingerprint that nginx serves, and its chain's length.
func (e *nginxEstate) served(t *testing.T) (serial string, chain int) {
	t.Helper()
	c, err := tls.Dial("tcp", e.address, &tls.Config{InsecureSkipVerify: true, ServerName: "media.example.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peers := c.ConnectionState().PeerCertificates
	return fmt.Sprintf("%x", peers[0].SerialNumber), len(peers)
}

func waitListening(t *testing.T, address string) {
	t.Helper()
	for range 200 {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("nothing listens on %s", address)
}

// startProgram opens and runs the program until the test ends.
func startProgram(t *testing.T, cfg config, o programOptions) *program {
	t.Helper()
	if o.Log == nil {
		o.Log = newLog(testLog{t}, true)
	}
	p, err := open(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	keepRunning(t, p)
	return p
}

// keepRunning runs the program until the test ends, then closes it.
func keepRunning(tb testing.TB, p *program) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { _, err := p.Run(ctx); ended <- err }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("run: %v", err)
		}
		if err := p.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
}

// testLog sends the program's log to the test's.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

var _ io.Writer = testLog{}

// say types a line as ana and waits for the end of what it starts.
func say(t *testing.T, p *program, line string) commands.Reply {
	t.Helper()
	return p.rooms.Say(t.Context(), commands.Request{Text: line, Room: "main", At: time.Now(), Wait: true,
		By: commands.Person{ID: "cli:ana", Name: "ana", Platform: "cli"}})
}

// TestNginxRenewed: an expired certificate in a real nginx is renewed through
// a real CA, deployed, tested with nginx -t, reloaded and verified.
func TestNginxRenewed(t *testing.T) {
	e := startNginx(t, time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour))
	before, _ := e.served(t)
	p := startProgram(t, e.cfg, programOptions{Name: "test"})
	if r := say(t, p, "/certcheck media"); r.State != commands.StateCritical || !strings.Contains(r.Headline, "expired") {
		t.Fatalf("the expired certificate is not named: %+v", r)
	}
	r := say(t, p, "/renew media --yes")
	if !r.Problem.IsZero() || r.State != commands.StateGood {
		t.Fatalf("renewal: %s %+v\n%+v", r.Headline, r.Problem, r)
	}
	after, chain := e.served(t)
	if after == before || chain < 2 {
		t.Fatalf("nginx serves serial %s before and %s after, %d certificates", before, after, chain)
	}
	if r := say(t, p, "/certcheck media"); r.State != commands.StateGood {
		t.Fatalf("not good after the renewal: %+v", r)
	}
}

// leafOnly is a CA whose chain has lost its intermediates.
type leafOnly struct{ renew.CA }

func (c leafOnly) Chain(ctx context.Context, o renew.Order) ([]byte, error) {
	chain, err := c.CA.Chain(ctx, o)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(chain)
	return pem.EncodeToMemory(block), nil
}

// TestNginxRolledBack: the new chain is broken on purpose; nginx -t accepts
// it, clients would not: the host is put back to what it served.
func TestNginxRolledBack(t *testing.T) {
	e := startNginx(t, time.Now().Add(-48*time.Hour), time.Now().Add(20*24*time.Hour))
	before, _ := e.served(t)
	real := acme.New(acme.Options{UserAgent: "certmedic-test"})
	p := startProgram(t, e.cfg, programOptions{Name: "test", CAs: func(i renew.Issuer, key crypto.Signer, url string) (renew.CA, error) {
		ca, err := real(i, key, url)
		return leafOnly{ca}, err
	}})
	r := say(t, p, "/renew media --yes --force")
	if r.State == commands.StateGood {
		t.Fatalf("a broken chain was called good: %+v", r)
	}
	if after, chain := e.served(t); after != before || chain < 2 {
		t.Fatalf("nginx serves serial %s with %d certificates, before it was %s", after, chain, before)
	}
	list, err := p.runner.Renewals(t.Context(), "media", 1)
	if err != nil || len(list) != 1 || list[0].State != renew.RolledBack {
		t.Fatalf("%v %+v", err, list)
	}
	if list[0].Problem == "" || list[0].Next == "" {
		t.Errorf("nothing is said of why: %+v", list[0])
	}
}
