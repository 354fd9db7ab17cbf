package smoke_tmp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/acme"
	"github.com/certmedic/certmedic/renew/deploy"
	"github.com/certmedic/certmedic/renew/probe"
	"github.com/certmedic/certmedic/renew/renewtest"
	"github.com/certmedic/certmedic/store"
)

func TestWhole(t *testing.T) {
	dns := renewtest.StartDNS(t, renewtest.DNSOptions{})
	port, _ := renewtest.FreePort()
	ca := renewtest.StartCA(t, renewtest.CAOptions{DNSAddr: dns.Addr(), HTTPPort: port})
	roots, err := ca.APIRootFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := 100
	if os.Getenv("N") != "" {
		n, _ = strconv.Atoi(os.Getenv("N"))
	}
	per := 1
	if n == 1 {
		per = 4
	}
	var certs []renew.Certificate
	for i := range n {
		name := fmt.Sprintf("c%d.example.com", i)
		dns.SetA(name, "127.0.0.1")
		c := renew.Certificate{Name: fmt.Sprintf("c%d", i), Domains: []string{name}, Issuer: "pebble",
			Challenges: []renew.Challenge{{Type: renew.HTTP01, Listen: "127.0.0.1:" + strconv.Itoa(port), Port: port, Resolvers: []string{dns.Addr()}}}}
		for k := range per {
			dir := t.TempDir()
			m, err := ca.Mint(renewtest.Template{Names: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(-time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			os.WriteFile(filepath.Join(dir, "fullchain.pem"), m.Chain, 0o600)
			os.WriteFile(filepath.Join(dir, "privkey.pem"), m.Key, 0o600)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			tl := tls.NewListener(l, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				p, err := tls.LoadX509KeyPair(filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem"))
				return &p, err
			}})
			go func() {
				for {
					c, err := tl.Accept()
					if err != nil {
						return
					}
					go func() { c.(*tls.Conn).Handshake(); c.Close() }()
				}
			}()
			t.Cleanup(func() { tl.Close() })
			p := l.Addr().(*net.TCPAddr).Port
			c.Endpoints = append(c.Endpoints, renew.Endpoint{Host: name, Port: p, Addresses: []string{"127.0.0.1"}})
			c.Waves = append(c.Waves, []renew.Target{{Name: fmt.Sprintf("h%d-%d", i, k), Directory: renew.Directory{Path: dir, Layout: renew.Flat}, Reload: renew.Command{Argv: []string{"true"}}, Verify: []string{l.Addr().String()}}})
		}
		certs = append(certs, c)
	}
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	master := make([]byte, 32)
	rand.Read(master)
	sealer, _ := renew.NewSealer(master)
	r, err := renew.New(renew.Options{Store: s, Sealer: sealer, RehearseEvery: -1,
		CAs: acme.New(acme.Options{}), Deployer: deploy.New(deploy.Options{}), Prober: probe.New(probe.Options{Roots: ca.IssuingRoots()}),
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Inventory: renew.Inventory{Issuers: []renew.Issuer{{Name: "pebble", Directory: ca.DirectoryURL(), Roots: []string{roots}, Email: "tls@example.com"}}, Certificates: certs}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); fmt.Println(r.Run(ctx)) }()
	defer func() { cancel(); <-done }()
	time.Sleep(2 * time.Second)
	t0 := time.Now()
	var wg sync.WaitGroup
	for _, c := range certs {
		wg.Go(func() {
			rn, err := r.Start(ctx, renew.Ask{Certificate: c.Name, By: renew.Person{Name: "Ana", ID: "a"}})
			if err == nil {
				rn, err = r.Wait(ctx, rn.ID)
			}
			if err != nil || rn.State != renew.Done {
				t.Error(err, rn.State, rn.Problem)
			}
		})
	}
	wg.Wait()
	t.Log("all", n, "took", time.Since(t0))
	steps, _ := r.Steps(ctx, "R-1")
	for _, s := range steps {
		t.Logf("%-10s %-6s %-8s %8s %s", s.Kind, s.Host, s.Outcome, s.Took.Round(time.Millisecond/10), s.Text)
	}
	time.Sleep(300*time.Millisecond)
	st, _ := r.Estate(ctx)
	t.Log(st[0].Verdict, st[0].Window, st[0].RenewAt, st[0].Overdue, st[0].LastGood, len(ca.NewOrders()))
}
