package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// Stages of a look.
const (
	stageDial      = "dial"
	stageStart     = "starttls"
	stageHandshake = "handshake"
)

// hello says which ClientHello is sent.
type hello int

const (
	helloNow    hello = iota // what current clients send
	helloSmall               // without the post-quantum key share
	helloOld                 // TLS 1.0 and every cipher that Go knows
	helloNoName              // without SNI
)

// look is what one connection recorded. stage and err are set when it failed;
// certs may be there all the same.
type look struct {
	stage   string
	err     error
	kind    hello
	certs   []*x509.Certificate
	version uint16
	cipher  uint16
	staple  []byte // OCSP response
	scts    int
	asked   bool   // the server asked for a client certificate
	first   []byte // first bytes of the server's answer to the ClientHello
	took    time.Duration
}

// sight is all that was seen at one address: the look, what a second look with
// another hello brought when the first failed, and further tries.
type sight struct {
	place
	look
	again   *look  // second look, when it was made
	tries   []look // the further ones of Query.Tries
	stopped bool   // the caller's context ended
}

// shownBy returns the look whose certificates are judged. What a server shows
// without SNI, after it refused the name, is not what it serves for the name.
func (s *sight) shownBy() *look {
	if len(s.certs) == 0 && s.again != nil && s.again.kind != helloNoName && len(s.again.certs) > 0 {
		return s.again
	}
	return &s.look
}

// watch looks at one address as often as the query says.
func (p *Prober) watch(ctx context.Context, q renew.Query, a place) sight {
	s := p.watchOnce(ctx, q, a)
	for i := 1; i < q.Tries && s.stage != stageDial && ctx.Err() == nil; i++ {
		c, cancel := context.WithTimeout(ctx, p.o.Timeout)
		s.tries = append(s.tries, p.connect(c, q, a.addr, helloNow, p.o.Timeout))
		cancel()
	}
	p.o.Log.Debug("looked", "endpoint", q.Host, "address", a.text, "stage", s.stage, "certificates", len(s.certs), "took", s.took)
	return s
}

// watchOnce makes the recording handshake and, when it failed in a way that
// another hello may explain, one more. All end within Options.Timeout.
func (p *Prober) watchOnce(ctx context.Context, q renew.Query, a place) sight {
	limited, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	s := sight{place: a, look: p.connect(limited, q, a.addr, helloNow, p.o.Timeout*6/10)}
	if s.err != nil && ctx.Err() != nil {
		s.stopped = true
		return s
	}
	kind, ok := second(s.look, q)
	if !ok {
		return s
	}
	l := p.connect(limited, q, a.addr, kind, p.o.Timeout)
	s.again = &l
	if kind == helloSmall {
		p.confirm(limited, q, &s)
	}
	return s
}

// confirm makes sure that it was the size of the hello: a server that was just
// restarting also fails once and answers the next time.
func (p *Prober) confirm(ctx context.Context, q renew.Query, s *sight) {
	var rec tls.RecordHeaderError
	switch {
	case errors.As(s.again.err, &rec) && len(s.again.first) > 0:
		s.look, s.again = *s.again, nil // its words outran the reset this time
	case len(s.again.certs) > 0:
		if l := p.connect(ctx, q, s.addr, helloNow, p.o.Timeout); l.stage == "" {
			s.tries = append(s.tries, s.look)
			s.look, s.again = l, nil
		}
	}
}

// second says with which hello a look is worth repeating.
func second(l look, q renew.Query) (hello, bool) {
	if l.stage == "" && !hasNoSNI(q) && l.certs[0].VerifyHostname(q.SNI) != nil {
		return helloNoName, true // is it the server's default certificate?
	}
	if l.stage != stageHandshake || len(l.certs) > 0 {
		return 0, false
	}
	text := l.err.Error()
	switch alert(l.err) {
	case 40, 70, 71, 86:
		if !l.asked {
			return helloOld, true
		}
	case 80, 112:
		if !hasNoSNI(q) {
			return helloNoName, true
		}
	case -1:
		if strings.Contains(text, "unsupported protocol version") || strings.Contains(text, "unconfigured cipher suite") {
			return helloOld, true
		}
		if isTimeout(l.err) || isReset(l.err) || isEOF(l.err) {
			return helloSmall, true
		}
	}
	return 0, false
}

// connect dials, speaks STARTTLS when asked, and records a handshake. ctx bounds
// all of it, limit the handshake.
func (p *Prober) connect(ctx context.Context, q renew.Query, addr netip.AddrPort, kind hello, limit time.Duration) (l look) {
	l = look{kind: kind, stage: stageDial}
	began := time.Now()
	defer func() { l.took = time.Since(began) }()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		l.err = err
		return l
	}
	defer raw.Close()
	// The connection's deadline follows ctx, which has one: Options.Timeout.
	stop := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if q.StartTLS != "" {
		l.stage = stageStart
		if l.err = startTLS(raw, q.StartTLS, q.SNI); l.err != nil {
			return l
		}
	}
	l.stage = stageHandshake
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l.shake(ctx, raw, q.SNI)
	return l
}

// shake makes the handshake and records what it shows.
func (l *look) shake(ctx context.Context, raw net.Conn, sni string) {
	t := &tap{Conn: raw, left: maxAnswer}
	conn := tls.Client(t, l.config(sni))
	err := conn.HandshakeContext(ctx)
	l.first = t.first
	if err != nil {
		l.err = err
		return
	}
	l.stage = ""
	conn.Close()
}

// config is the recording client: it accepts everything and judges nothing.
// VerifyConnection runs before the proof of possession is checked, so also a
// server without the right key leaves its chain.
func (l *look) config(sni string) *tls.Config {
	c := &tls.Config{
		InsecureSkipVerify: true, // the recorded chain is judged afterwards
		MinVersion:         tls.VersionTLS12,
		ServerName:         sni,
		VerifyConnection: func(cs tls.ConnectionState) error {
			l.certs = cs.PeerCertificates
			l.version, l.cipher = cs.Version, cs.CipherSuite
			l.staple, l.scts = cs.OCSPResponse, len(cs.SignedCertificateTimestamps)
			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			l.asked = true
			return &tls.Certificate{}, nil
		},
	}
	switch l.kind {
	case helloSmall:
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	case helloOld:
		c.MinVersion = tls.VersionTLS10
		c.MaxVersion = tls.VersionTLS12
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			c.CipherSuites = append(c.CipherSuites, s.ID)
		}
	case helloNoName:
		c.ServerName = ""
	}
	return c
}

const (
	maxAnswer = 1 << 20 // bytes read from a server in one handshake
	maxFirst  = 64      // bytes kept of its answer
)

var errTooMuch = errors.New("the server sent more than 1 MiB in its handshake")

// tap keeps the first bytes that come in and bounds all of them.
type tap struct {
	net.Conn
	first []byte
	left  int
}

func (t *tap) Read(b []byte) (int, error) {
	if t.left <= 0 {
		return 0, errTooMuch
	}
	n, err := t.Conn.Read(b[:min(len(b), t.left)])
	t.left -= n
	if room := maxFirst - len(t.first); room > 0 {
		t.first = append(t.first, b[:min(n, room)]...)
	}
	return n, err
}

// alert returns the number of the TLS alert (RFC 8446 section 6) that the
// server sent, or -1. The type of crypto/tls is not exported.
func alert(err error) int {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" && op.Err != nil {
		if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
			return int(v.Uint())
		}
	}
	return -1
}

// hasNoSNI says that no server name can be sent: the target is an address
// (RFC 6066 section 3).
func hasNoSNI(q renew.Query) bool {
	_, err := netip.ParseAddr(q.SNI)
	return err == nil
}
