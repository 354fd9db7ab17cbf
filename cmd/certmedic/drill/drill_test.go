package drill

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/crypto/acme"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/deploy"
	"github.com/certmedic/certmedic/renew/renewtest"
)

// TestMain lets the test binary be the helper program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "estate" {
		os.Exit(Helper(os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func estate(t *testing.T, o Options) *Estate {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	o.Helper = []string{os.Args[0], "estate"}
	e, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// targets reads the hosts back from the configuration, as far as a test needs.
func targets(t *testing.T, e *Estate) []renew.Target {
	t.Helper()
	b, err := os.ReadFile(e.Config())
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Certificates []struct {
			Waves [][]struct {
				Name      string
				Directory struct{ Path, Layout string }
				Test      []string
				Reload    []string
				Verify    []string
			}
		}
	}
	if err := yaml.Unmarshal(b, &c); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	var out []renew.Target
	for _, w := range c.Certificates[0].Waves {
		for _, x := range w {
			out = append(out, renew.Target{Name: x.Name, Directory: renew.Directory(x.Directory),
				Test: renew.Command{Argv: x.Test}, Reload: renew.Command{Argv: x.Reload}, Verify: x.Verify})
		}
	}
	if len(c.Certificates[0].Waves[0]) != 1 || len(out) != 4 {
		t.Fatalf("waves %+v: want a canary alone and four hosts in all", c.Certificates[0].Waves)
	}
	return out
}

func TestTheCertificateReallyExpires(t *testing.T) {
	e := estate(t, Options{Lifetime: 2 * time.Second, Broken: true})
	good, wrong := e.Verified(t.Context(), fingerprint(e.first))
	if !slices.Equal(good, proxies) || len(wrong) != 0 {
		t.Fatalf("at the start: good %v, wrong %v", good, wrong)
	}
	if left := time.Until(e.Expires()); left > 3*time.Second {
		t.Fatalf("expires in %s", left)
	}
	time.Sleep(time.Until(e.Expires()) + 10*time.Millisecond)
	good, wrong = e.Verified(t.Context(), fingerprint(e.first))
	var invalid x509.CertificateInvalidError
	if len(good) != 0 || len(wrong) != 4 || !errors.As(errors.Join(wrong...), &invalid) || invalid.Reason != x509.Expired {
		t.Fatalf("after its end: good %v, wrong %v", good, wrong)
	}
	served, err := e.Served(t.Context())
	if err != nil || len(served) != 4 || served["esme"] != fingerprint(e.first) {
		t.Errorf("served %v: %v", served, err)
	}
}

func TestHostsAreTheirOwn(t *testing.T) {
	e := estate(t, Options{})
	seen := map[string]bool{}
	for _, h := range e.Hosts() {
		if seen[h.Address] || seen[h.Dir] {
			t.Errorf("%+v shares something with another host", h)
		}
		seen[h.Address], seen[h.Dir] = true, true
		if runtime.GOOS == "linux" && strings.HasPrefix(h.Address, "127.0.0.1:") {
			t.Errorf("%s has no address of its own: %s", h.Name, h.Address)
		}
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: e.Domain(), RootCAs: e.CA().IssuingRoots()}}}).Get("https://" + e.Hosts()[2].Address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "picture from sally\n" {
		t.Errorf("sally says %q", b)
	}
}

func TestTestAndReloadCommands(t *testing.T) {
	for _, layout := range []string{renew.Flat, renew.Certbot} {
		t.Run(layout, func(t *testing.T) {
			e := estate(t, Options{Layout: layout})
			d, tg := deploy.New(deploy.Options{}), targets(t, e)[1]
			run := func(c renew.Command) (string, error) { return d.Run(t.Context(), e.Name(), tg, c) }
			if out, err := run(tg.Test); err != nil || out != "configuration ok" {
				t.Fatalf("test of a good pair: %q %v", out, err)
			}
			m, err := e.CA().Mint(renewtest.Template{Names: []string{e.Domain()}})
			if err != nil {
				t.Fatal(err)
			}
			serves := func(want string) {
				t.Helper()
				served, err := e.Served(t.Context())
				if err != nil || served[tg.Name] != want || served["sally"] != fingerprint(e.first) {
					t.Fatalf("served %v, want %.16s on %s alone: %v", served, want, tg.Name, err)
				}
			}
			err = d.Place(t.Context(), tg, renew.Material{Name: e.Name(), Chain: m.Chain, Key: m.Key, SHA256: fingerprint(m.Leaf)})
			if err != nil {
				t.Fatal(err)
			}
			serves(fingerprint(e.first)) // files alone change nothing
			if out, err := run(tg.Reload); err != nil {
				t.Fatalf("reload: %q %v", out, err)
			}
			serves(fingerprint(m.Leaf))

			// A key that does not fit is refused by both, and changes nothing.
			h := e.hosts[1]
			other, err := e.CA().Mint(renewtest.Template{Names: []string{e.Domain()}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(h.files(), "privkey.pem"), other.Key, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, c := range []renew.Command{tg.Test, tg.Reload} {
				out, err := run(c)
				if err == nil || !strings.Contains(err.Error(), "exit code 1") || !strings.Contains(out, "does not match") {
					t.Errorf("%v of a broken pair: %q %v", c.Argv[len(c.Argv)-2], out, err)
				}
			}
			serves(fingerprint(m.Leaf))
		})
	}
}

func TestHelperMisused(t *testing.T) {
	var out, errs strings.Builder
	if n := Helper([]string{"stop", "x"}, &out, &errs); n != 2 || !strings.Contains(errs.String(), "usage") {
		t.Errorf("exit %d: %s", n, errs.String())
	}
	errs.Reset()
	if n := Helper([]string{"test", filepath.Join(t.TempDir(), "gone")}, &out, &errs); n != 1 || !strings.Contains(errs.String(), "does not answer") {
		t.Errorf("exit %d: %s", n, errs.String())
	}
}

// prove runs one real order as far as its authorization, with answer putting
// the challenge's response in place.
func prove(t *testing.T, e *Estate, kind string, answer func(c *acme.Client, ch *acme.Challenge) error) error {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.CA().APIRootPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	c := &acme.Client{Key: key, DirectoryURL: e.CA().DirectoryURL(), HTTPClient: &http.Client{Transport: transport}, UserAgent: "drill test"}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.Register(ctx, &acme.Account{}, acme.AcceptTOS); err != nil {
		t.Fatal(err)
	}
	o, err := c.AuthorizeOrder(ctx, acme.DomainIDs(e.Domain()))
	if err != nil {
		t.Fatal(err)
	}
	z, err := c.GetAuthorization(ctx, o.AuthzURLs[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range z.Challenges {
		if ch.Type != kind {
			continue
		}
		if err := answer(c, ch); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Accept(ctx, ch); err != nil {
			t.Fatal(err)
		}
		_, err := c.WaitAuthorization(ctx, z.URI)
		return err
	}
	t.Fatalf("the CA offers no %s", kind)
	return nil
}

// answerHTTP answers on the origin, where certmedic's own listener would be.
func answerHTTP(t *testing.T, e *Estate) func(*acme.Client, *acme.Challenge) error {
	return func(c *acme.Client, ch *acme.Challenge) error {
		body, err := c.HTTP01ChallengeResponse(ch.Token)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", e.challenge)
		if err != nil {
			return err
		}
		s := serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == c.HTTP01ChallengePath(ch.Token) && r.Host == fmt.Sprintf("%s:%d", e.Domain(), e.httpPort) {
				fmt.Fprint(w, body)
				return
			}
			http.Error(w, "not this: "+r.Host+r.URL.Path, http.StatusTeapot)
		}), e.o.Log)
		t.Cleanup(func() { _ = s.close() })
		return nil
	}
}

func TestChallengePaths(t *testing.T) {
	broken := estate(t, Options{Broken: true})
	err := prove(t, broken, renew.HTTP01, answerHTTP(t, broken))
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("HTTP-01 through the broken path: %v", err)
	}
	err = prove(t, broken, renew.DNS01, func(c *acme.Client, ch *acme.Challenge) error {
		v, err := c.DNS01ChallengeRecord(ch.Token)
		broken.DNS().AddTXT("_acme-challenge."+broken.Domain(), v)
		return err
	})
	if err != nil {
		t.Errorf("DNS-01 beside the broken path: %v", err)
	}
	works := estate(t, Options{})
	if err := prove(t, works, renew.HTTP01, answerHTTP(t, works)); err != nil {
		t.Errorf("HTTP-01 through the working path: %v", err)
	}
}

func TestTheDomainIsAnAlias(t *testing.T) {
	e := estate(t, Options{Broken: true})
	got, err := e.resolve(t.Context())
	want := "hachyderm.test."
	for _, ip := range slices.Compact(addressesOf(e)) {
		want += " " + ip
	}
	if err != nil || got != want {
		t.Errorf("%q, want %q: %v", got, want, err)
	}
	e.DNS().SetCNAME(e.Domain(), "fritz.hachyderm.test")
	if moved, err := e.resolve(t.Context()); err != nil || moved == got {
		t.Errorf("re-pointed: %q %v", moved, err)
	}
}

func addressesOf(e *Estate) (ips []string) {
	for _, h := range e.Hosts() {
		ip, _, _ := net.SplitHostPort(h.Address)
		ips = append(ips, ip)
	}
	return ips
}

func TestLeftBehind(t *testing.T) {
	e := estate(t, Options{Broken: true})
	if left := e.LeftBehind(t.Context()); len(left) != 0 {
		t.Fatalf("at the start: %v", left)
	}
	e.DNS().AddTXT("_acme-challenge."+e.Domain(), "x")
	l, err := net.Listen("tcp", e.challenge)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.WriteFile(filepath.Join(e.Hosts()[3].Dir, "live", ".certmedic-media"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	left := e.LeftBehind(t.Context())
	for i, want := range []string{"TXT record _acme-challenge.media.hachyderm.test", "a listener on the challenge address " + e.challenge, "esme/live/.certmedic-media"} {
		if i >= len(left) || !strings.Contains(left[i], want) {
			t.Errorf("want %q in %q", want, left)
		}
	}
}

func TestNothingIsLeftAfterClose(t *testing.T) {
	// The CA's validator keeps one goroutine for the life of the process.
	settled := func() (int, string) {
		n, text := 0, ""
		for range 200 {
			buf := make([]byte, 1<<20)
			all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
			all = slices.DeleteFunc(all, func(s string) bool { return strings.Contains(s, "pebble/v2/va.") })
			n, text = len(all), strings.Join(all, "\n\n")
			if n <= 3 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		return n, text
	}
	before, _ := settled()
	for _, broken := range []bool{true, false} {
		e := estate(t, Options{Broken: broken})
		if _, err := e.Served(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Connections that stay open do not keep it from closing.
		c, err := net.Dial("tcp", e.Hosts()[0].Address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		u, err := net.Dial("unix", e.hosts[0].socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write([]byte("test\n")); err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		sockets := e.sockets
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(sockets); !os.IsNotExist(err) {
			t.Errorf("the sockets are left: %v", err)
		}
		for _, h := range e.Hosts() {
			if c, err := net.Dial("tcp", h.Address); err == nil {
				c.Close()
				t.Errorf("%s still listens", h.Name)
			}
		}
	}
	if after, text := settled(); after > before {
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, text)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{}, {Dir: t.TempDir()}, {Dir: t.TempDir(), Helper: []string{"x"}, Lifetime: time.Second}} {
		if e, err := Start(t.Context(), o); err == nil {
			e.Close()
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestOneAddressOnly(t *testing.T) {
	was := originIP
	originIP = "192.0.2.1" // nobody's: as on a system that has only 127.0.0.1
	defer func() { originIP = was }()
	e := estate(t, Options{})
	if good, wrong := e.Verified(t.Context(), fingerprint(e.first)); len(good) != 4 {
		t.Fatal(wrong)
	}
	for _, h := range e.Hosts() {
		if !strings.HasPrefix(h.Address, "127.0.0.1:") {
			t.Errorf("%s at %s", h.Name, h.Address)
		}
	}
	if n := len(e.endpoints()); n != 4 {
		t.Errorf("%d endpoints for four ports", n)
	}
	if err := prove(t, e, renew.HTTP01, answerHTTP(t, e)); err != nil {
		t.Errorf("HTTP-01: %v", err)
	}
	targets(t, e)
}

func TestCardJSON(t *testing.T) {
	c := newPlay("hachyderm", &Estate{hosts: make([]*host, 4)}, nil, nil, nil).card
	c.Incident, c.Hosts.Verified = "INC-1", 4
	c.Postmortem = Postmortem{Markdown: "path", HTML: "path", JSON: "path"}
	c.judge()
	if c.OK || len(c.Problems()) != 4 {
		t.Errorf("a card without times and facts: %v", c.Problems())
	}
	c.OK = true
	b, err := json.Marshal(c)
	const want = `{"drill":"hachyderm","ok":true,"durations":{"failure_to_detection_s":0,"detection_to_diagnosis_s":0,"approval_to_verified_s":0},"typed_commands":0,"hosts":{"total":4,"verified":4},"facts":{"total":0,"unaided":0},"left_behind":[],"incident":"INC-1","postmortem":{"markdown":"path","html":"path","json":"path"}}`
	if err != nil || string(b) != want {
		t.Errorf("%s\nwant\n%s\n%v", b, want, err)
	}
	text := c.Text()
	for _, w := range []string{"4 of 4", "01:52 UTC", "01:57 UTC", "not as it must be: the time from failure to detection was not measured"} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

func TestBetween(t *testing.T) {
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		to   time.Time
		want float64
	}{{at, 0.001}, {at.Add(1500 * time.Millisecond), 1.5}, {at.Add(-time.Second), -1}, {time.Time{}, 0}} {
		if got := between(at, c.to); got != c.want {
			t.Errorf("to %s: %v, want %v", c.to, got, c.want)
		}
	}
}

func ExampleStart() {
	dir, err := os.MkdirTemp("", "estate")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	e, err := Start(ctx, Options{Dir: dir, Lifetime: time.Minute, Helper: []string{os.Args[0], "estate"}, Broken: true})
	if err != nil {
		panic(err)
	}
	defer e.Close()
	good, _ := e.Verified(ctx, "")
	fmt.Println(e.Name(), e.Domain(), filepath.Base(e.Config()), len(e.Hosts()), good)
	// Output: media media.hachyderm.test certmedic.yaml 4 []
}
