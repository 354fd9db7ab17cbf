package web

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// sessionFor is how long a login lasts.
const sessionFor = 30 * 24 * time.Hour

// admitted reports whether a request may go on where a token is demanded, and
// answers it when not. Only the login page and its style are for everybody.
func (s *Site) admitted(w http.ResponseWriter, r *http.Request) bool {
	if s.o.Token == "" || r.URL.Path == "/login" || r.URL.Path == "/login/style.css" {
		return true
	}
	if c, err := r.Cookie(sessionCookie); err == nil && s.validSession(c.Value) {
		return true
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		if wait := s.guesses.wait(r); wait > 0 {
			s.tooMany(w, r, wait)
			return false
		}
		if equal(bearer, s.o.Token) {
			s.guesses.right(r)
			return true
		}
		s.guesses.wrong(r)
	}
	if r.Method == http.MethodGet && wantsPage(r) {
		http.Redirect(w, r, "/login?to="+escape(r.URL.RequestURI()), http.StatusSeeOther)
		return false
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	s.refuse(w, r, http.StatusUnauthorized, commands.Problem{
		Code: "token_needed", Message: "The token is missing or wrong.", Hint: "Log in at /login, or send the header Authorization: Bearer with the token.",
	})
	return false
}

func (s *Site) tooMany(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	sec := strconv.Itoa(int(wait/time.Second) + 1)
	w.Header().Set("Retry-After", sec)
	s.refuse(w, r, http.StatusTooManyRequests, commands.Problem{
		Code: "too_many", Message: "Too many wrong tokens came from your address.", Hint: "Try again in " + sec + " s.",
	})
}

// session makes a session's value: when it ends, and a signature.
func (s *Site) session(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	return end + "." + s.sign("session", end)
}

func (s *Site) validSession(v string) bool {
	end, sig, ok := strings.Cut(v, ".")
	if !ok || !equal(sig, s.sign("session", end)) {
		return false
	}
	t, err := strconv.ParseInt(end, 10, 64)
	return err == nil && s.now().Unix() < t
}

type loginPage struct {
	page
	To    string
	Wrong string
}

func (s *Site) loginForm(w http.ResponseWriter, r *http.Request) {
	p := loginPage{page: s.page(w, r, "Log in"), To: localPath(r.URL.Query().Get("to"))}
	s.show(w, r, http.StatusOK, "login", p)
}

func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	if wait := s.guesses.wait(r); wait > 0 {
		s.tooMany(w, r, wait)
		return
	}
	to := localPath(r.PostFormValue("to"))
	if s.o.Token != "" && !equal(r.PostFormValue("token"), s.o.Token) {
		s.guesses.wrong(r)
		p := loginPage{page: s.page(w, r, "Log in"), To: to, Wrong: "The token is wrong."}
		s.show(w, r, http.StatusUnauthorized, "login", p)
		return
	}
	s.guesses.right(r)
	http.SetCookie(w, s.cookie(r, sessionCookie, s.session(s.now().Add(sessionFor)), int(sessionFor/time.Second)))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *Site) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, s.cookie(r, sessionCookie, "", -1))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// localPath is a path of this site, or "/".
func localPath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") {
		return "/"
	}
	return p
}

// guesses slows who tries tokens: three wrong ones from an address are free,
// then each doubles the wait, from 1 s to 1 min.
type guesses struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*guess
}

type guess struct {
	wrong int
	until time.Time // no try before
	last  time.Time
}

const (
	freeGuesses  = 3
	mostGuessers = 4096
)

func (g *guesses) wait(r *http.Request) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, ok := g.by[addressOf(r)]
	if !ok {
		return 0
	}
	return b.until.Sub(g.now())
}

func (g *guesses) wrong(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if g.by == nil || len(g.by) >= mostGuessers {
		g.by = map[string]*guess{}
	}
	b := g.by[addressOf(r)]
	if b == nil || now.Sub(b.last) > time.Hour {
		b = &guess{}
		g.by[addressOf(r)] = b
	}
	b.wrong++
	b.last = now
	if n := b.wrong - freeGuesses; n >= 0 {
		b.until = now.Add(min(time.Minute, time.Second<<min(n, 6)))
	}
}

func (g *guesses) right(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, addressOf(r))
}

// addressOf is the address of the one who asks, without the port; a whole /64
// counts as one for IPv6.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
