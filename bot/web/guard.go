package web

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds what every request passes before it is looked at: the Host
// header (against DNS rebinding), the token, and for what changes something
// where it comes from (against requests that another site's page makes).

// maxBody caps a request's body, in bytes.
const maxBody = 64 << 10

const (
	csrfCookie    = "certmedic_form"
	sessionCookie = "certmedic_session"
)

// policy is what a page may load: its own files, nothing inline, nothing from
// elsewhere, and no string that becomes markup in a script.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"

// Guard wraps a handler with the Host, Origin and token checks that every page has.
func (s *Site) Guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if !s.knownHost(r) {
			s.refuse(w, r, http.StatusMisdirectedRequest, commands.Problem{
				Code:    "unknown_host",
				Message: "certmedic does not answer to the name " + clip(r.Host, 80) + ".",
				Hint:    "Use http://127.0.0.1 with the port, or add the name to the configured hosts.",
			})
			return
		}
		if !s.admitted(w, r) {
			return
		}
		if status, p := s.readBody(w, r); !p.IsZero() {
			s.refuse(w, r, status, p)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if status, p := s.forged(r); !p.IsZero() {
				s.refuse(w, r, status, p)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// readBody reads the whole body, within bodyWithin: one that trickles in must
// not hold its connection. The answer may take as long as it needs.
func (s *Site) readBody(w http.ResponseWriter, r *http.Request) (int, commands.Problem) {
	c := http.NewResponseController(w)
	if r.Body == nil || r.Body == http.NoBody {
		_ = c.SetReadDeadline(time.Time{}) // the server's own, which would end what is streamed
		return 0, commands.Problem{}
	}
	_ = c.SetReadDeadline(time.Now().Add(s.bodyWithin)) // not every connection has deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		w.Header().Set("Connection", "close")
		return http.StatusRequestTimeout, commands.Problem{Code: "slow", Message: "The request did not come whole in time.", Hint: "Send it again."}
	}
	if err != nil {
		return badBody(err)
	}
	_ = c.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	return 0, commands.Problem{}
}

// secure sets the headers of every answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// same-origin, not no-referrer: with that, browsers send "Origin: null"
	// with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// knownHost reports whether the Host header is a loopback name or address, the
// address that the connection came to, or configured.
func (s *Site) knownHost(r *http.Request) bool {
	host := hostOf(r.Host)
	if host == "" {
		return false
	}
	for _, h := range s.o.Hosts {
		if strings.EqualFold(h, r.Host) || strings.EqualFold(strings.Trim(h, "[]"), host) {
			return true
		}
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	if ip.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().WithZone("") == ip
}

// hostOf is a Host header without its port and brackets.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// forged says what is wrong with where a changing request comes from.
func (s *Site) forged(r *http.Request) (int, commands.Problem) {
	foreign := commands.Problem{
		Code:    "foreign_request",
		Message: "This request does not come from one of certmedic's own pages.",
		Hint:    "Open the page anew and try again. A program sends the header X-Certmedic: 1.",
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) {
		return http.StatusForbidden, foreign
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return http.StatusForbidden, foreign
	}
	// Another site's page cannot set this header: that takes CORS, which is
	// never granted.
	if r.Header.Get("X-Certmedic") == "1" {
		return 0, commands.Problem{}
	}
	if r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		return http.StatusForbidden, foreign
	}
	if err := r.ParseForm(); err != nil {
		return badBody(err)
	}
	c, err := r.Cookie(csrfCookie)
	if err != nil || !hmac.Equal([]byte(s.formToken(c.Value)), []byte(r.PostForm.Get("csrf"))) {
		return http.StatusForbidden, commands.Problem{
			Code:    "old_page",
			Message: "The page is from before certmedic was restarted, or cookies are off.",
			Hint:    "Go back, reload the page and try again.",
		}
	}
	return 0, commands.Problem{}
}

func badBody(err error) (int, commands.Problem) {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return http.StatusRequestEntityTooLarge, commands.Problem{
			Code: "too_long", Message: "That is too long: at most 64 KiB are taken at once.", Hint: "Send less.",
		}
	}
	return http.StatusBadRequest, commands.Problem{
		Code: "bad_request", Message: "The request cannot be read.", Hint: `Send a form, or JSON such as {"text":"/certcheck","room":"main"}.`,
	}
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host)
}

// csrf returns the form token for this browser and sets its cookie when it has
// none.
func (s *Site) csrf(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(csrfCookie); err == nil && len(c.Value) == 32 {
		return s.formToken(c.Value)
	}
	var b [16]byte
	rand.Read(b[:])
	v := hex.EncodeToString(b[:])
	http.SetCookie(w, s.cookie(r, csrfCookie, v, 0))
	return s.formToken(v)
}

func (s *Site) formToken(cookie string) string { return s.sign("form", cookie) }

func (s *Site) sign(purpose, value string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(purpose + "\x00" + value))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// cookie makes a cookie that only our own pages send back; age 0 lasts until
// the browser is closed.
func (s *Site) cookie(r *http.Request, name, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	}
}

// overTLS reports whether the browser came by TLS, to us or, as it says
// (RFC 7239, or the header before it), to a proxy in front. Who says so without
// it being true keeps only himself out: his browser sends no such cookie back.
func overTLS(r *http.Request) bool {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	first, _, _ := strings.Cut(r.Header.Get("Forwarded"), ",")
	for part := range strings.SplitSeq(first, ";") {
		if k, v, _ := strings.Cut(strings.TrimSpace(part), "="); strings.EqualFold(k, "proto") {
			proto = strings.Trim(v, `"`)
		}
	}
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(proto), "https")
}

// equal compares in a time that does not tell how much was right.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
