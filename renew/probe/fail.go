package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// This file turns a failed look into findings. What was recorded before the
// failure is judged in judge.go all the same.

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// failures says why the look at s failed; nil when it did not.
func failures(q renew.Query, s *sight) []renew.Finding {
	switch {
	case !s.addr.IsValid():
		return []renew.Finding{found("dial_failed", map[string]string{"address": s.text, "stage": stageDial},
			"%s is not an IP address that can be looked at", s.text)}
	case s.stopped:
		return []renew.Finding{found("interrupted", map[string]string{"address": s.text, "stage": s.stage, "error": s.err.Error()},
			"the check was stopped before %s was looked at to the end", s.text)}
	case s.err == nil:
		return nil
	}
	proof := map[string]string{"address": s.text, "stage": s.stage, "error": s.err.Error()}
	if len(s.first) > 0 {
		proof["bytes"] = shown(s.first)
	}
	switch s.stage {
	case stageDial:
		return []renew.Finding{dialFault(s, proof)}
	case stageStart:
		return []renew.Finding{startFault(q, s, proof)}
	}
	return handshakeFaults(q, s, proof)
}

func dialFault(s *sight, proof map[string]string) renew.Finding {
	switch {
	case errors.Is(s.err, syscall.ECONNREFUSED):
		return found("refused", proof, "%s refuses the connection", s.text)
	case errors.Is(s.err, syscall.EHOSTUNREACH), errors.Is(s.err, syscall.ENETUNREACH), errors.Is(s.err, syscall.EADDRNOTAVAIL):
		return found("unreachable", proof, "no route leads to %s", s.text)
	case isTimeout(s.err):
		return found("connect_timeout", proof, "%s did not accept a connection within %s", s.text, span(s.took))
	case isReset(s.err):
		return found("reset", proof, "%s resets the connection while it is being made", s.text)
	}
	return found("dial_failed", proof, "%s could not be connected to: %s", s.text, clean(s.err.Error(), 160))
}

func startFault(q renew.Query, s *sight, proof map[string]string) renew.Finding {
	proof = with(proof, "protocol", q.StartTLS)
	name := strings.ToUpper(q.StartTLS)
	var se *startErr
	switch {
	case errors.As(s.err, &se):
		proof["bytes"] = se.got
		return found(se.id, proof, "%s %s (%s): it says %s", s.text, se.text, name, clean(se.got, 120))
	case isTimeout(s.err):
		return found("handshake_timeout", proof, "%s accepted the connection and then said nothing that completes STARTTLS (%s) within %s", s.text, name, span(s.took))
	case isReset(s.err):
		return found("reset", proof, "%s resets the connection before TLS begins (STARTTLS, %s)", s.text, name)
	case isEOF(s.err):
		return found("eof", proof, "%s closes the connection before TLS begins (STARTTLS, %s)", s.text, name)
	}
	return found("starttls_failed", proof, "STARTTLS (%s) with %s failed: %s", name, s.text, clean(s.err.Error(), 160))
}

func handshakeFaults(q renew.Query, s *sight, proof map[string]string) []renew.Finding {
	one := func(f renew.Finding) []renew.Finding { return []renew.Finding{f} }
	var rec tls.RecordHeaderError
	text := s.err.Error()
	n := alert(s.err)
	if n >= 0 {
		proof["alert"] = strconv.Itoa(n)
	}
	switch {
	case s.asked && (n >= 0 || isReset(s.err) || isEOF(s.err)):
		return nil // it wants a client certificate, which judge tells
	case s.again != nil && len(s.again.certs) > 0 && s.again.kind == helloSmall:
		return one(found("pq_intolerant", proof, "%s answers only when the ClientHello is small: with the post-quantum key share that current clients send, %s", s.text, howEnded(s)))
	case s.again != nil && len(s.again.certs) > 0 && s.again.kind == helloOld:
		return one(oldFault(s, proof))
	case errors.As(s.err, &rec):
		return one(notTLS(q, s, proof))
	case n >= 0:
		return alertFaults(q, s, proof, n)
	case strings.Contains(text, "unsupported protocol version"):
		return one(found("legacy_tls_only", proof, "%s speaks no TLS version that current clients accept (%s)", s.text, clean(text, 100)))
	case strings.Contains(text, "unconfigured cipher suite"):
		return one(found("no_common_cipher", proof, "%s chooses a cipher that current clients do not offer", s.text))
	case strings.Contains(text, "invalid signature by the server certificate"):
		return keyFault(s, proof, text)
	case strings.Contains(text, "failed to parse certificate"):
		return one(found("malformed", proof, "%s sends a certificate that does not parse: %s", s.text, clean(text, 160)))
	case strings.Contains(text, "exceeds maximum"), errors.Is(s.err, errTooMuch), strings.Contains(text, "RSA key larger"):
		return one(found("too_big", proof, "%s sends more than clients accept: %s", s.text, clean(text, 160)))
	case isTimeout(s.err):
		return one(found("handshake_timeout", proof, "%s accepts the connection and does not complete the TLS handshake within %s", s.text, span(s.patience())))
	case isReset(s.err):
		return one(found("reset", proof, "%s resets the connection during the TLS handshake", s.text))
	case isEOF(s.err):
		return one(found("eof", proof, "%s closes the connection during the TLS handshake without a word", s.text))
	}
	return one(found("handshake_failed", proof, "the TLS handshake with %s failed: %s", s.text, clean(text, 200)))
}

// keyFault judges a bad signature over the handshake. A chain whose first
// certificate is not the leaf always gives one, and so does a tiny RSA key;
// those have findings of their own.
func keyFault(s *sight, proof map[string]string, text string) []renew.Finding {
	if strings.Contains(text, "keys are insecure") {
		return nil
	}
	if i := leafIndex(s.certs); i != 0 {
		return nil
	}
	if len(s.certs) > 0 {
		proof["sha256"], proof["serial"] = fingerprint(s.certs[0]), renew.LeafOf(s.certs[0]).Serial
	}
	return []renew.Finding{found("key_mismatch", proof, "%s serves a certificate with the private key of another one: its signature over the handshake is wrong", s.text)}
}

// patience is how long the server was waited for altogether.
func (s *sight) patience() time.Duration {
	d := s.took
	if s.again != nil {
		d += s.again.took
	}
	return d
}

func howEnded(s *sight) string {
	switch {
	case isTimeout(s.err):
		return "it stalls"
	case isReset(s.err):
		return "it resets the connection"
	}
	return "it closes the connection"
}

func oldFault(s *sight, proof map[string]string) renew.Finding {
	l := s.again
	proof = with(proof, "version", tls.VersionName(l.version), "cipher", tls.CipherSuiteName(l.cipher))
	if l.version < tls.VersionTLS12 {
		return found("legacy_tls_only", proof, "%s speaks %s at most, which current clients refuse", s.text, tls.VersionName(l.version))
	}
	if modern(l.cipher) {
		return found("no_common_cipher", proof, "%s finds no key type or curve in common with current clients, and answers only when old ones are offered", s.text)
	}
	return found("no_common_cipher", proof, "%s offers no cipher of current clients; with old ones allowed it takes %s", s.text, tls.CipherSuiteName(l.cipher))
}

// modern: crypto/tls still counts the suite among the good ones.
func modern(id uint16) bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(c *tls.CipherSuite) bool { return c.ID == id })
}

// notTLS names what answers in place of TLS by its first bytes.
func notTLS(q renew.Query, s *sight, proof map[string]string) renew.Finding {
	if q.StartTLS != "" {
		return found("starttls_leftover", with(proof, "protocol", q.StartTLS),
			"%s sends plain text after it agreed to TLS (%s): %s", s.text, strings.ToUpper(q.StartTLS), shown(s.first))
	}
	what, next := "", ""
	starts := func(p string) bool { return bytes.HasPrefix(s.first, []byte(p)) }
	switch {
	case starts("HTTP/"), starts("<!DOC"), starts("<html"):
		what, next = "plain HTTP", "Point the check at the HTTPS port, or switch TLS on for this listener (for nginx: listen ... ssl)."
	case starts("SSH-"):
		what, next = "SSH", "Correct the port: an SSH server listens here."
	case starts("220"):
		what, next = "SMTP or FTP in plain text", "Check it with STARTTLS (smtp or ftp), or use the port that speaks TLS from the first byte."
	case starts("* OK"):
		what, next = "IMAP in plain text", "Check it with STARTTLS (imap), or use port 993."
	case starts("+OK"):
		what, next = "POP3 in plain text", "Check it with STARTTLS (pop3), or use port 995."
	case len(s.first) > 5 && s.first[3] == 0 && s.first[4] == 10:
		what, next = "MySQL", "Check it with STARTTLS (mysql)."
	}
	if what == "" {
		return found("not_tls", proof, "%s does not speak TLS: its answer begins %s", s.text, shown(s.first))
	}
	f := found("not_tls", with(proof, "speaks", what), "%s does not speak TLS but %s: its answer begins %s", s.text, what, shown(s.first))
	f.Next = next
	return f
}

// alertFaults judges an alert of the server (RFC 8446 section 6.2).
func alertFaults(q renew.Query, s *sight, proof map[string]string, n int) []renew.Finding {
	one := func(f renew.Finding) []renew.Finding { return []renew.Finding{f} }
	name := clean(q.SNI, 100)
	shows := ""
	if s.again != nil && len(s.again.certs) > 0 {
		shows = ", while without a name it serves that of " + title(s.again.certs[0])
	}
	switch {
	case n == 70:
		return one(found("legacy_tls_only", proof, "%s speaks no TLS version that current clients accept (alert 70)", s.text))
	case n == 120:
		return one(found("alpn_mismatch", proof, "%s refuses clients that do not offer its application protocol (alert 120)", s.text))
	case (n == 112 || n == 80) && hasNoSNI(q):
		return one(found("sni_required", proof, "%s refuses clients that do not send a server name (alert %d)", s.text, n))
	case n == 112:
		return one(found("sni_unknown", proof, "%s does not know the name %s (alert 112)%s", s.text, name, shows))
	case n == 80:
		return one(found("sni_unknown", proof, "%s has no certificate for %s: it ends the handshake with alert 80, as servers without one do%s", s.text, name, shows))
	case n == 40 || n == 71:
		return one(found("no_common_cipher", proof, "%s finds nothing in common with what browsers offer, neither cipher nor key type (alert %d)", s.text, n))
	}
	return one(found("handshake_failed", proof, "%s ends the TLS handshake with alert %d: %s", s.text, n, clean(s.err.Error(), 120)))
}
