package renew

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// This file is the small real world of the tests: a CA object that issues
// real certificates, hosts that are real TLS listeners with files, a deployer
// that writes those files, and a prober that really shakes hands. The world
// outlives the engine, as the real one does.

var serials struct {
	sync.Mutex
	n int64
}

func nextSerial() *big.Int {
	serials.Lock()
	defer serials.Unlock()
	serials.n++
	return big.NewInt(time.Now().UnixNano() + serials.n)
}

// authority is a root and an intermediate.
type authority struct {
	root, mid *x509.Certificate
	midKey    crypto.Signer
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	make := func(name string, parent *x509.Certificate, parentKey crypto.Signer) (*x509.Certificate, crypto.Signer) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{
			SerialNumber: nextSerial(), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-1000 * time.Hour),
			NotAfter: time.Now().Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		if parent == nil {
			parent, parentKey = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err = x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	root, rootKey := make("Test Root", nil, nil)
	mid, midKey := make("Test Intermediate", root, rootKey)
	return &authority{root: root, mid: mid, midKey: midKey}
}

func (a *authority) issue(domains []string, pub any, from, to time.Time) ([]byte, error) {
	leaf := &x509.Certificate{
		SerialNumber: nextSerial(), Subject: pkix.Name{CommonName: domains[0]}, DNSNames: domains, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.mid, pub, a.midKey)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.mid.Raw})...), nil
}

// pair issues a chain with a new key, both PEM.
func (a *authority) pair(t testing.TB, domains []string, from, to time.Time) (chain, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if chain, err = a.issue(domains, k.Public(), from, to); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return chain, keyPEM(der)
}

func leafInPEM(t testing.TB, chain []byte) Leaf {
	t.Helper()
	certs, err := parseChain(chain)
	if err != nil {
		t.Fatal(err)
	}
	return LeafOf(certs[0])
}

// testCA is an ACME server as its client sees it.
type testCA struct {
	*authority
	mu       sync.Mutex
	orders   map[string]*testOrder
	newed    int              // newOrder requests heard
	replaces []string         // of every order
	fail     map[string]error // method name to what it answers, until taken out
	lifetime time.Duration
	window   Window
	asked    int // RenewalInfo requests
	proofs   []Proof
	block    chan struct{} // Authorize waits for it, when set
	forge    func(chain []byte) []byte
}

type testOrder struct {
	Order
	csr   *x509.CertificateRequest
	chain []byte
}

func newTestCA(t testing.TB) *testCA {
	return &testCA{authority: newAuthority(t), orders: map[string]*testOrder{}, fail: map[string]error{}, lifetime: 90 * 24 * time.Hour}
}

func (c *testCA) failing(method string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.fail, method)
		return
	}
	c.fail[method] = err
}

func (c *testCA) begin(method string) (func(), error) {
	c.mu.Lock()
	if err := c.fail[method]; err != nil {
		c.mu.Unlock()
		return nil, err
	}
	return c.mu.Unlock, nil
}

func (c *testCA) Register(context.Context) (string, error) {
	end, err := c.begin("Register")
	if err != nil {
		return "", err
	}
	defer end()
	return "https://ca.test/account/1", nil
}

func (c *testCA) NewOrder(_ context.Context, o OrderRequest) (Order, error) {
	end, err := c.begin("NewOrder")
	if err != nil {
		return Order{}, err
	}
	defer end()
	c.newed++
	c.replaces = append(c.replaces, o.Replaces)
	url := "https://ca.test/order/" + strconv.Itoa(len(c.orders)+1)
	c.orders[url] = &testOrder{Order: Order{URL: url, Status: "pending", Domains: o.Domains, Expires: time.Now().Add(time.Hour)}}
	if lost := c.fail["NewOrder answer"]; lost != nil {
		delete(c.fail, "NewOrder answer")
		return Order{}, lost
	}
	return c.orders[url].Order, nil
}

func (c *testCA) FindOrder(_ context.Context, domains []string, pub []byte) (Order, bool, error) {
	end, err := c.begin("FindOrder")
	if err != nil {
		return Order{}, false, err
	}
	defer end()
	for _, o := range c.orders {
		if !slices.Equal(o.Domains, domains) || o.Status == "invalid" {
			continue
		}
		if o.csr == nil || bytes.Equal(o.csr.RawSubjectPublicKeyInfo, pub) {
			return o.Order, true, nil
		}
	}
	return Order{}, false, nil
}

func (c *testCA) Order(_ context.Context, url string) (Order, error) {
	end, err := c.begin("Order")
	if err != nil {
		return Order{}, err
	}
	defer end()
	if o := c.orders[url]; o != nil {
		return o.Order, nil
	}
	return Order{}, &CAError{Type: "urn:ietf:params:acme:error:malformed", Detail: "no such order", Status: 404}
}

func (c *testCA) Authorize(ctx context.Context, o Order, _ Challenge, say func(string)) error {
	if c.block != nil {
		select {
		case <-c.block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	say("The token is in place")
	end, err := c.begin("Authorize")
	if err != nil {
		var ca *CAError
		if errors.As(err, &ca) && ca.Status == 403 {
			c.mu.Lock()
			c.orders[o.URL].Status = "invalid"
			c.mu.Unlock()
		}
		return err
	}
	defer end()
	c.orders[o.URL].Status = "ready"
	return nil
}

func (c *testCA) Finalize(_ context.Context, o Order, csr []byte) (Order, error) {
	end, err := c.begin("Finalize")
	if err != nil {
		return Order{}, err
	}
	defer end()
	have := c.orders[o.URL]
	if have.Status != "ready" {
		return Order{}, &CAError{Type: "urn:ietf:params:acme:error:orderNotReady", Detail: "order is " + have.Status, Status: 403}
	}
	req, err := x509.ParseCertificateRequest(csr)
	if err == nil {
		err = req.CheckSignature()
	}
	if err != nil {
		return Order{}, &CAError{Type: "urn:ietf:params:acme:error:badCSR", Detail: err.Error(), Status: 400}
	}
	have.csr = req
	if have.chain, err = c.issue(req.DNSNames, req.PublicKey, time.Now().Add(-time.Second), time.Now().Add(c.lifetime)); err != nil {
		return Order{}, err
	}
	have.Status, have.Certificate = "valid", o.URL+"/cert"
	if lost := c.fail["Finalize answer"]; lost != nil {
		delete(c.fail, "Finalize answer")
		return Order{}, lost
	}
	return have.Order, nil
}

func (c *testCA) Chain(_ context.Context, o Order) ([]byte, error) {
	end, err := c.begin("Chain")
	if err != nil {
		return nil, err
	}
	defer end()
	if c.forge != nil {
		return c.forge(c.orders[o.URL].chain), nil
	}
	return c.orders[o.URL].chain, nil
}

func (c *testCA) RenewalInfo(context.Context, []byte) (Window, bool, error) {
	end, err := c.begin("RenewalInfo")
	if err != nil {
		return Window{}, false, err
	}
	defer end()
	c.asked++
	return c.window, !c.window.End.IsZero(), nil
}

func (c *testCA) Preflight(_ context.Context, cert Certificate, ch Challenge) []Proof {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []Proof{{Level: "directory", Subject: "https://ca.test", OK: true, Text: "The directory answers.", At: time.Now()}}
	for _, p := range c.proofs {
		if p.Level == ch.Type || p.Level == "directory" {
			out = append(out, p)
		}
	}
	return out
}

func (c *testCA) count() (newed int, valid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.orders {
		if o.Status == "valid" {
			valid++
		}
	}
	return c.newed, valid
}

// host is a machine: files and a TLS service that reads them when reloaded.
type host struct {
	name     string
	dir      string
	l        net.Listener
	mu       sync.Mutex
	serving  *tls.Certificate
	failTest error
	failLoad error            // reload fails
	ignore   bool             // reload says it is done and reads nothing
	failSet  error            // Place fails
	swap     *tls.Certificate // served after the next reload, whatever the files say
	reloads  int
	onReload func()
}

func newHost(t testing.TB, name string, chain, key []byte) *host {
	t.Helper()
	h := &host{name: name, dir: filepath.Join(t.TempDir(), name)}
	if chain != nil {
		if err := h.place(chain, key); err != nil {
			t.Fatal(err)
		}
		if err := h.reload(); err != nil {
			t.Fatal(err)
		}
		h.reloads = 0
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.l = tls.NewListener(l, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.serving == nil {
			return nil, errors.New("no certificate")
		}
		return h.serving, nil
	}})
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := h.l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				_ = c.(*tls.Conn).Handshake()
			})
		}
	})
	t.Cleanup(func() { h.l.Close(); conns.Wait() })
	return h
}

func (h *host) address() string { return h.l.Addr().String() }
func (h *host) port() int       { return h.l.Addr().(*net.TCPAddr).Port }

func (h *host) target() Target {
	return Target{
		Name: h.name, Directory: Directory{Path: h.dir, Layout: Flat}, Verify: []string{h.address()},
		Test: Command{Argv: []string{"test"}}, Reload: Command{Argv: []string{"reload"}},
	}
}

// place writes a version and makes it current with one rename.
func (h *host) place(chain, key []byte) error {
	sum, err := parseChain(chain)
	if err != nil {
		return err
	}
	sha := LeafOf(sum[0]).SHA256
	dir := filepath.Join(h.dir, sha)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "fullchain.pem"), chain, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "privkey.pem"), key, 0o600); err != nil {
		return err
	}
	return h.point(sha)
}

func (h *host) point(sha string) error {
	next := filepath.Join(h.dir, "next")
	_ = os.Remove(next)
	if err := os.Symlink(sha, next); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(h.dir, "current"))
}

func (h *host) reload() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reloads++
	if h.onReload != nil {
		h.onReload()
	}
	if h.failLoad != nil {
		return h.failLoad
	}
	if h.ignore {
		return nil
	}
	if h.swap != nil {
		h.serving = h.swap
		return nil
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(h.dir, "current", "fullchain.pem"), filepath.Join(h.dir, "current", "privkey.pem"))
	if err != nil {
		return err // also when certificate and key are no pair
	}
	h.serving = &pair
	return nil
}

func (h *host) set(f func()) { h.mu.Lock(); defer h.mu.Unlock(); f() }

// served is the fingerprint that the host really serves.
func (h *host) served(t testing.TB) string {
	t.Helper()
	c, err := tls.Dial("tcp", h.address(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return ""
	}
	defer c.Close()
	return LeafOf(c.ConnectionState().PeerCertificates[0]).SHA256
}

// onDisk is the fingerprint of the files, and fails the test when the key is another's.
func (h *host) onDisk(t testing.TB) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(h.dir, "current", "fullchain.pem"), filepath.Join(h.dir, "current", "privkey.pem"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatalf("%s holds a certificate without its key: %v", h.name, err)
	}
	return LeafOf(pair.Leaf).SHA256
}

// world is hosts as Deployer and Prober see them.
type world struct {
	hosts map[string]*host
	roots *x509.CertPool
	mu    sync.Mutex
	runs  int
}

func (w *world) Held(_ context.Context, _ string, t Target) (Held, error) {
	h := w.hosts[t.Name]
	if h == nil {
		return Held{}, errors.New("no such host")
	}
	var held Held
	entries, err := os.ReadDir(h.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return held, err
	}
	for _, e := range entries {
		if e.IsDir() {
			held.Versions = append(held.Versions, e.Name())
		}
	}
	chain, err := os.ReadFile(filepath.Join(h.dir, "current", "fullchain.pem"))
	if errors.Is(err, os.ErrNotExist) {
		return held, nil
	}
	if err != nil {
		return held, err
	}
	certs, err := parseChain(chain)
	if err != nil {
		return held, err
	}
	held.Leaf = LeafOf(certs[0])
	_, err = tls.LoadX509KeyPair(filepath.Join(h.dir, "current", "fullchain.pem"), filepath.Join(h.dir, "current", "privkey.pem"))
	held.KeyFits = err == nil
	return held, nil
}

func (w *world) Place(_ context.Context, t Target, m Material) error {
	h := w.hosts[t.Name]
	h.mu.Lock()
	err := h.failSet
	h.mu.Unlock()
	if err != nil {
		return err
	}
	return h.place(m.Chain, m.Key)
}

func (w *world) Restore(_ context.Context, _ string, t Target, sha string) error {
	h := w.hosts[t.Name]
	if _, err := os.Stat(filepath.Join(h.dir, sha)); err != nil {
		return err
	}
	return h.point(sha)
}

func (w *world) Run(_ context.Context, _ string, t Target, c Command) (string, error) {
	w.mu.Lock()
	w.runs++
	w.mu.Unlock()
	h := w.hosts[t.Name]
	switch c.Argv[0] {
	case "test":
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.failTest != nil {
			return "nginx: configuration file test failed\n", h.failTest
		}
		return "test is successful\n", nil
	case "reload":
		return "", h.reload()
	}
	return "", fmt.Errorf("%s: not found", c.Argv[0])
}

func (w *world) Check(ctx context.Context, q Query) Report {
	rep := Report{Endpoint: net.JoinHostPort(q.Host, strconv.Itoa(q.Port)), Name: q.Declared.Certificate, At: time.Now(), Verdict: Good}
	for _, a := range q.Addresses {
		ar := w.one(ctx, net.JoinHostPort(a, strconv.Itoa(q.Port)), q)
		rep.Addresses = append(rep.Addresses, ar)
		if v := ar.Verdict(); v.Rank() > rep.Verdict.Rank() {
			rep.Verdict = v
		}
	}
	return rep
}

func (w *world) one(ctx context.Context, address string, q Query) AddressReport {
	ar := AddressReport{Address: address}
	add := func(id string, s Severity, cause string) {
		ar.Findings = append(ar.Findings, Finding{ID: id, Severity: s, Cause: cause})
	}
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: q.Host}}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		add("refused", Critical, err.Error())
		return ar
	}
	defer c.Close()
	peers := c.(*tls.Conn).ConnectionState().PeerCertificates
	ar.Leaf = LeafOf(peers[0])
	mids := x509.NewCertPool()
	for _, p := range peers[1:] {
		mids.AddCert(p)
	}
	if expired(ar.Leaf, time.Now()) {
		add("expired", Critical, "The certificate has expired.")
	}
	if _, err := peers[0].Verify(x509.VerifyOptions{Roots: w.roots, Intermediates: mids, CurrentTime: peers[0].NotBefore.Add(time.Second)}); err != nil {
		add("untrusted_root", Critical, "The chain is not trusted.")
	}
	if q.Declared.Issued.SHA256 != "" && q.Declared.Issued.SHA256 != ar.Leaf.SHA256 {
		add("not_deployed", Critical, "The certificate issued last is not served.")
	}
	if !q.Declared.OverdueAt.IsZero() && time.Now().After(q.Declared.OverdueAt) {
		add("renewal_overdue", Warning, "The renewal is overdue.")
	}
	return ar
}

// bench is one certificate on n hosts with a CA.
type bench struct {
	ca     *testCA
	world  *world
	hosts  []*host
	inv    Inventory
	path   string // of the record
	events []Event
	mu     sync.Mutex
	emit   func(Event) error
	old    Leaf
	tune   func(*Options)
	wrap   func(store.Store) store.Store
	sealer *Sealer

	patience time.Duration // VerifyFor
}

// newBench makes n hosts that serve a certificate which ends after left.
func newBench(t testing.TB, n int, left time.Duration) *bench {
	t.Helper()
	b := &bench{ca: newTestCA(t), path: filepath.Join(t.TempDir(), "record.db"), patience: 10 * time.Second}
	b.world = &world{hosts: map[string]*host{}, roots: x509.NewCertPool()}
	b.world.roots.AddCert(b.ca.root)
	chain, key := b.ca.pair(t, []string{"media.example.com"}, time.Now().Add(-24*time.Hour), time.Now().Add(left))
	b.old = leafInPEM(t, chain)
	cert := Certificate{Name: "media", Domains: []string{"media.example.com"}, Issuer: "test", Challenges: []Challenge{{Type: HTTP01}, {Type: DNS01}}}
	for i := range n {
		h := newHost(t, "cdn-"+strconv.Itoa(i+1), chain, key)
		b.hosts = append(b.hosts, h)
		b.world.hosts[h.name] = h
		cert.Endpoints = append(cert.Endpoints, Endpoint{Host: "media.example.com", Port: h.port(), Addresses: []string{"127.0.0.1"}})
		if i == 0 || i == 2 {
			cert.Waves = append(cert.Waves, nil)
		}
		w := len(cert.Waves) - 1
		cert.Waves[w] = append(cert.Waves[w], h.target())
	}
	b.inv = Inventory{Issuers: []Issuer{{Name: "test", Directory: "https://ca.test/dir"}}, Certificates: []Certificate{cert}}
	master := make([]byte, 32)
	if _, err := rand.Read(master); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.sealer, err = NewSealer(master); err != nil {
		t.Fatal(err)
	}
	return b
}

// engine is a running Runner with its record.
type engine struct {
	*Runner
	b     *bench
	store *store.Bolt
	stop  func() []string
}

// open makes a Runner on the bench's record without running it.
func (b *bench) open(t testing.TB) *engine {
	t.Helper()
	s, err := store.Open(context.Background(), b.path, store.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Store: s, Inventory: b.inv, Deployer: b.world, Prober: b.world, Sealer: b.sealer,
		CAs:  func(Issuer, crypto.Signer, string) (CA, error) { return b.ca, nil },
		Emit: b.take, CheckEvery: time.Hour, RehearseEvery: -1, VerifyFor: b.patience, VerifyStep: 50 * time.Millisecond, VerifySettle: 2 * time.Millisecond,
	}
	if b.wrap != nil {
		o.Store = b.wrap(s)
	}
	if b.tune != nil {
		b.tune(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.unit, r.breath = 5*time.Millisecond, 5*time.Millisecond
	return &engine{Runner: r, b: b, store: s, stop: func() []string { s.Close(); return nil }}
}

// start opens and runs; stop, or the test's end, ends the Run and closes.
func (b *bench) start(t testing.TB) *engine {
	t.Helper()
	e := b.open(t)
	ctx, cancel := context.WithCancel(context.Background())
	var names []string
	var rerr error
	done := make(chan struct{})
	go func() { defer close(done); names, rerr = e.Run(ctx) }()
	var once sync.Once
	e.stop = func() []string {
		once.Do(func() {
			cancel()
			<-done
			if rerr != nil && b.wrap == nil {
				t.Errorf("Run: %v", rerr)
			}
			e.store.Close()
		})
		return names
	}
	t.Cleanup(func() { e.stop() })
	return e
}

func (b *bench) take(_ context.Context, e Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.emit != nil {
		if err := b.emit(e); err != nil {
			return err
		}
	}
	b.events = append(b.events, e)
	return nil
}

func (b *bench) seen() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

var ana, ben = Person{ID: "web:ana", Name: "Ana", Platform: "web"}, Person{ID: "web:ben", Name: "Ben", Platform: "web"}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// renew starts a forced renewal and waits for its end.
func (e *engine) renew(t testing.TB, a Ask) Renewal {
	t.Helper()
	a.Certificate, a.By = "media", ana
	rn, err := e.Start(soon(t), a)
	if err != nil {
		t.Fatal(err)
	}
	return e.wait(t, rn.ID)
}

func (e *engine) wait(t testing.TB, id string) Renewal {
	t.Helper()
	rn, err := e.Wait(soon(t), id)
	if err != nil {
		steps, _ := e.Steps(context.Background(), id)
		t.Fatalf("%s is %s at %s: %v\n%s", id, rn.State, rn.Step, err, told(steps))
	}
	return rn
}

func told(steps []Step) string {
	var b bytes.Buffer
	for _, s := range steps {
		fmt.Fprintf(&b, "%3d %-10s %-8s %-8s %s\n", s.Seq, s.Kind, s.Host, s.Outcome, s.Text)
	}
	return b.String()
}

func (e *engine) told(t testing.TB, id string) string {
	t.Helper()
	steps, err := e.Steps(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return told(steps)
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
