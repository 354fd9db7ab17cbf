package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// TestConnection makes the faults of a server that never shows a certificate.
func TestConnection(t *testing.T) {
	t.Parallel()
	say := func(s string) func(net.Conn) {
		return func(c net.Conn) { io.WriteString(c, s); io.Copy(io.Discard, c) }
	}
	answer := func(s string) func(net.Conn) {
		return func(c net.Conn) {
			io.ReadAtLeast(c, make([]byte, 64), 64)
			io.WriteString(c, s)
			c.(*net.TCPConn).CloseWrite()
		}
	}
	rows := []struct {
		name    string
		handle  func(net.Conn)
		want    string
		says    string
		timeout time.Duration
	}{
		{name: "HTTP", handle: answer("HTTP/1.1 400 Bad Request\r\n\r\n"), want: "not_tls", says: "plain HTTP"},
		{name: "SSH", handle: say("SSH-2.0-OpenSSH_9.2\r\n"), want: "not_tls", says: "SSH"},
		{name: "SMTP", handle: say("220 mail.example.com ESMTP\r\n"), want: "not_tls", says: "SMTP"},
		{name: "IMAP", handle: say("* OK IMAP4rev2\r\n"), want: "not_tls", says: "IMAP"},
		{name: "POP3", handle: say("+OK hello\r\n"), want: "not_tls", says: "POP3"},
		{name: "MySQL", handle: say("J\x00\x00\x00\x0a8.0.36\x00"), want: "not_tls", says: "MySQL"},
		{name: "noise", handle: say("\x00\x01\x02\x03\x04\x05\x06\x07\x1b[31m"), want: "not_tls", says: `\x00\x01`},
		{name: "FIN", handle: func(c net.Conn) { firstRecord(c) }, want: "eof"},
		{name: "RST", handle: func(c net.Conn) { firstRecord(c); c.(*net.TCPConn).SetLinger(0) }, want: "reset"},
		{name: "half a record", handle: answer("\x16\x03\x03\x00\x40abc"), want: "eof"},
		{name: "stall", handle: func(c net.Conn) { io.Copy(io.Discard, c) }, want: "handshake_timeout", says: "within", timeout: 400 * time.Millisecond},
		{name: "drip", handle: drip, want: "handshake_timeout", timeout: 400 * time.Millisecond},
		{name: "flood", handle: flood, want: "handshake_failed"},
		{name: "version alert", handle: answer("\x15\x03\x03\x00\x02\x02\x46"), want: "legacy_tls_only", says: "alert 70"},
		{name: "name alert", handle: answer("\x15\x03\x03\x00\x02\x02\x70"), want: "sni_unknown", says: "alert 112"},
		{name: "ALPN alert", handle: answer("\x15\x03\x03\x00\x02\x02\x78"), want: "alpn_mismatch"},
		{name: "another alert", handle: answer("\x15\x03\x03\x00\x02\x02\x31"), want: "handshake_failed", says: "alert 49"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			rep := check(t, prober(Options{Timeout: r.timeout}), query(listen(t, "127.0.0.1", r.handle)))
			wantIDs(t, rep, r.want)
			f := one(t, rep, r.want)
			says(t, f, r.says)
			if f.Proof["stage"] != "handshake" || f.Proof["error"] == "" || f.Proof["address"] == "" {
				t.Errorf("proof lacks stage, error or address: %v", f.Proof)
			}
			if r.timeout > 0 && !strings.Contains(f.Cause, "less than 1 s") {
				t.Errorf("it says %q of a third of a second", f.Cause)
			}
			if r.timeout > 0 && time.Since(began) > 10*r.timeout {
				t.Errorf("took %s with a timeout of %s", time.Since(began), r.timeout)
			}
		})
	}
}

// drip sends a byte of a record every few milliseconds for ever.
func drip(c net.Conn) {
	go io.Copy(io.Discard, c)
	head := []byte{0x16, 3, 3, 0x40, 0}
	for i := 0; ; i++ {
		b := []byte{2}
		if i < len(head) {
			b[0] = head[i]
		}
		if _, err := c.Write(b); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// flood sends records of one kind without end.
func flood(c net.Conn) {
	go io.Copy(io.Discard, c)
	rec := append([]byte{0x16, 3, 3, 0x40, 0}, make([]byte, 0x4000)...)
	for {
		if _, err := c.Write(rec); err != nil {
			return
		}
	}
}

// TestTap: what a server sends is bounded, and its first bytes are kept.
func TestTap(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		for {
			if _, err := theirs.Write(make([]byte, 1000)); err != nil {
				return
			}
		}
	}()
	p := &tap{Conn: ours, left: 5500}
	n, err := io.Copy(io.Discard, p)
	if n != 5500 || !errors.Is(err, errTooMuch) || len(p.first) != maxFirst {
		t.Errorf("%d bytes, %d kept, %v", n, len(p.first), err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	rep := check(t, prober(Options{}), renew.Query{Host: "127.0.0.1", Port: port})
	wantIDs(t, rep, "refused")
	if rep.Verdict != renew.Critical || one(t, rep, "refused").Proof["stage"] != "dial" {
		t.Errorf("report %+v", rep)
	}
}

// TestBigHello has a server that chokes on a ClientHello of more than 600
// bytes, in three ways.
func TestBigHello(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	cfg := serving(e.inter.leaf(t, dates(-90*day, -day)).with(e.inter))
	ends := map[string]func(net.Conn){
		"it stalls":                func(c net.Conn) { io.Copy(io.Discard, c) },
		"it closes the connection": func(net.Conn) {},
		"it resets the connection": func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) },
	}
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			at := listen(t, "127.0.0.1", func(c net.Conn) {
				rec, whole, err := firstRecord(c)
				if err != nil || len(rec) > 600 {
					end(c)
					return
				}
				overTLS(cfg)(whole)
			})
			rep := check(t, prober(Options{Timeout: 5 * time.Second}, e.root), query(at))
			wantIDs(t, rep, "pq_intolerant", "expired")
			says(t, one(t, rep, "pq_intolerant"), how)
		})
	}
}

// TestRestart: a server that fails once, as in a restart, is not called
// intolerant.
func TestRestart(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	cfg := serving(e.inter.leaf(t).with(e.inter))
	var n atomic.Int64
	at := listen(t, "127.0.0.1", func(c net.Conn) {
		if n.Add(1) > 1 {
			overTLS(cfg)(c)
		}
	})
	rep := check(t, prober(Options{}, e.root), query(at))
	wantIDs(t, rep, "nondeterministic")
	says(t, one(t, rep, "nondeterministic"), "fails 1 of 2 connections")
	if rep.Verdict != renew.Warning || rep.Addresses[0].Leaf.SHA256 == "" {
		t.Errorf("report %+v", rep)
	}
}

func TestOldTLS(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	cert := e.inter.leaf(t, dates(-90*day, -day)).with(e.inter)
	rsaCert := e.inter.leafFor(t, rsaKey(t, 2048)).with(e.inter)

	old := serving(cert)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	rep := check(t, prober(Options{}, e.root), query(serve(t, old)))
	wantIDs(t, rep, "legacy_tls_only", "expired")
	says(t, one(t, rep, "legacy_tls_only"), "TLS 1.1 at most")

	kex := serving(rsaCert)
	kex.MaxVersion, kex.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	rep = check(t, prober(Options{}, e.root), query(serve(t, kex)))
	wantIDs(t, rep, "no_common_cipher")
	says(t, one(t, rep, "no_common_cipher"), "TLS_RSA_WITH_AES_128_CBC_SHA")

	k, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, serving(e.inter.leafFor(t, k).with(e.inter))))), "no_common_cipher", "weak_key")
}

// TestClientCertificate: servers that want one are told apart from broken
// ones, and their certificate is judged.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, auth := range []tls.ClientAuthType{tls.RequestClientCert, tls.RequireAndVerifyClientCert} {
			cfg := serving(e.inter.leaf(t, dates(-90*day, -day)).with(e.inter))
			cfg.MinVersion, cfg.MaxVersion, cfg.ClientAuth = v, v, auth
			wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, cfg))), "client_cert_required", "expired")
		}
	}
}

// TestSNI: a server that knows one name only.
func TestSNI(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	cert := e.inter.leaf(t).with(e.inter)
	at := serve(t, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName != site {
			return nil, errors.New("no such name")
		}
		return &cert, nil
	}})
	p := prober(Options{}, e.root)
	wantIDs(t, check(t, p, query(at)))
	q := query(at)
	q.Host = "other.example.com"
	wantIDs(t, check(t, p, q), "sni_unknown")
	q.Host = "127.0.0.1"
	wantIDs(t, check(t, p, q), "sni_required")

	// One that shows its default certificate instead.
	at = serve(t, serving(cert))
	q = query(at)
	q.Host = "other.example.com"
	rep := check(t, p, q)
	wantIDs(t, rep, "name_mismatch")
	says(t, one(t, rep, "name_mismatch"), "it serves the same one to clients that send no name")

	// One that has a default certificate, and refuses names it does not know.
	at = serve(t, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName != "" {
			return nil, errors.New("no such name")
		}
		return &cert, nil
	}})
	rep = check(t, p, query(at))
	wantIDs(t, rep, "sni_unknown")
	says(t, one(t, rep, "sni_unknown"), "without a name it serves that of "+site)
	if rep.Addresses[0].Leaf.SHA256 != "" {
		t.Error("the default certificate is reported as served for the name")
	}
}

func TestALPN(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	cfg := serving(e.inter.leaf(t).with(e.inter))
	cfg.NextProtos = []string{"h2"}
	wantIDs(t, check(t, prober(Options{}, e.root), query(serve(t, cfg))))
}

// TestInterrupted: the caller gives up.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	at := listen(t, "127.0.0.1", func(c net.Conn) { io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	rep := prober(Options{}).Check(ctx, query(at))
	sound(t, rep)
	wantIDs(t, rep, "interrupted")
	rep = prober(Options{}).Check(ctx, renew.Query{Host: "nowhere.invalid"})
	wantIDs(t, rep, "interrupted")
	if rep.Verdict != renew.Warning {
		t.Errorf("verdict %s", rep.Verdict)
	}
}

func TestBadAddress(t *testing.T) {
	t.Parallel()
	rep := check(t, prober(Options{}), renew.Query{Host: site, Addresses: []string{"not an address\x1b"}})
	wantIDs(t, rep, "dial_failed")
	if a := rep.Addresses[0].Address; strings.Contains(a, "\x1b") {
		t.Errorf("address %q", a)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range places([]string{"127.0.0.12", "127.0.0.11", "127.0.0.12", "::ffff:127.0.0.11", "[::1]", "::1", "127.0.0.11:8443", "127.0.0.11:443"}, 443) {
		got = append(got, p.text)
	}
	if want := "127.0.0.12:443 127.0.0.11:443 [::1]:443 127.0.0.11:8443"; strings.Join(got, " ") != want {
		t.Errorf("places %v, want %s", got, want)
	}
}
