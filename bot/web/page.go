package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// page is what every template has.
type page struct {
	Title  string
	Now    time.Time
	Me     string // the reader's name; "" when it is not known
	CSRF   string
	Back   string // this page's address
	Drill  bool
	Token  bool // logging out makes sense
	Room   string
	Style  string // version of style.css
	Script string // version of app.js
	Here   string // which link of the menu is this page
}

func (s *Site) page(w http.ResponseWriter, r *http.Request, title string) page {
	return page{
		Title: title, Now: s.now(), Me: nameOf(r), CSRF: s.csrf(w, r), Back: r.URL.RequestURI(),
		Drill: s.o.Drill, Token: s.o.Token != "", Room: "main",
		Style: s.assets["style.css"].tag, Script: s.assets["app.js"].tag,
	}
}

// show draws a page whole before it sends the first byte, so that a broken one
// is an error and not half a page.
func (s *Site) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", data); err != nil {
		s.o.Log.Error("draw page", "page", name, "path", r.URL.Path, "error", err)
		http.Error(w, "This page could not be drawn; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

type problemPage struct {
	page
	Problem commands.Problem
}

// refuse answers with a problem: a page, JSON, or one line of text, as asked.
func (s *Site) refuse(w http.ResponseWriter, r *http.Request, status int, p commands.Problem) {
	switch {
	case wantsJSON(r):
		writeJSON(w, status, commands.Reply{State: commands.StateCritical, Headline: p.Message, Problem: p})
	case wantsPage(r):
		s.show(w, r, status, "problem", problemPage{page: s.page(w, r, p.Message), Problem: p})
	default:
		http.Error(w, p.Message+" "+p.Hint, status)
	}
}

// fail answers a page that could not be made.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p commands.Problem
	if errors.As(err, &p) {
		status := http.StatusNotFound
		switch p.Code {
		case "internal":
			status = http.StatusInternalServerError
		case "not_allowed":
			status = http.StatusForbidden
		}
		s.refuse(w, r, status, p)
		return
	}
	if errors.Is(err, context.Canceled) { // nobody waits for it, or the program is stopping
		w.Header().Set("Retry-After", "10")
		http.Error(w, "certmedic is stopping. Reload in a moment.", http.StatusServiceUnavailable)
		return
	}
	var b [6]byte
	rand.Read(b[:])
	id := hex.EncodeToString(b[:])
	s.o.Log.Error("page", "id", id, "path", r.URL.Path, "error", err)
	s.refuse(w, r, http.StatusInternalServerError, commands.Problem{
		Code: "internal", Message: "Internal error " + id + ".", Hint: "The log says more under this id. Reload in a moment.",
	})
}

func (s *Site) notFound(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusNotFound, commands.Problem{
		Code: "no_page", Message: "There is no page " + clip(r.URL.Path, 80) + ".", Hint: "The room is at /, the estate at /estate, the incidents at /incidents.",
	})
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json") || strings.HasPrefix(r.URL.Path, "/api/")
}

func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "The answer could not be encoded.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}

func escape(s string) string { return url.QueryEscape(s) }

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Who reads and types.

const (
	nameCookie = "certmedic_name"
	zoneCookie = "certmedic_zone" // set by the script
)

func nameOf(r *http.Request) string {
	c, err := r.Cookie(nameCookie)
	if err != nil {
		return ""
	}
	n, err := url.QueryUnescape(c.Value)
	if err != nil || !bot.ValidName(n) {
		return ""
	}
	return n
}

// person is who asks; its ID is "" when the name is not known.
func person(r *http.Request) commands.Person {
	return personNamed(r, nameOf(r), "web")
}

// reader is who reads a room: nobody in particular is not the mirror of a
// room, which reads as "".
func reader(r *http.Request) string {
	if id := person(r).ID; id != "" {
		return id
	}
	return "web:"
}

func personNamed(r *http.Request, name, platform string) commands.Person {
	p := commands.Person{Name: name, Platform: platform}
	if name != "" {
		p.ID = platform + ":" + name
	}
	if c, err := r.Cookie(zoneCookie); err == nil {
		if z, err := url.QueryUnescape(c.Value); err == nil && validZone(z) {
			p.Zone = z
		}
	}
	return p
}

func validZone(z string) bool {
	if z == "" || len(z) > 64 || z == "Local" {
		return false
	}
	_, err := time.LoadLocation(z)
	return err == nil
}

var badName = commands.Problem{
	Code: "bad_name", Message: "That is not a name.", Hint: "Give 1 to 40 letters, for example ana.",
}

func (s *Site) keepName(w http.ResponseWriter, r *http.Request, name string) {
	http.SetCookie(w, s.cookie(r, nameCookie, url.QueryEscape(name), 365*24*3600))
}

func (s *Site) rename(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.PostFormValue("as"))
	if !bot.ValidName(name) {
		s.refuse(w, r, http.StatusBadRequest, badName)
		return
	}
	s.keepName(w, r, name)
	http.Redirect(w, r, localPath(r.PostFormValue("back")), http.StatusSeeOther)
}
