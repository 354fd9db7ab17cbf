// Package web is the browser's room, the estate, and a page for each incident:
// html/template, one style sheet, one script of our own, no build step. Every
// page reads and works without the script.
package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Pages is what the pages show of the record to whom; commands.Desk implements it.
type Pages interface {
	EstatePage(ctx context.Context, by commands.Person) (commands.EstatePage, error)
	CertificatePage(ctx context.Context, name string, by commands.Person) (commands.CertificatePage, error)
	IncidentPage(ctx context.Context, id string, by commands.Person) (commands.IncidentPage, error)
	IncidentsPage(ctx context.Context, words string, by commands.Person) (commands.IncidentsPage, error)
	DraftPage(ctx context.Context, id, template string, by commands.Person) (commands.DraftPage, error)
	DraftAs(ctx context.Context, id, form, template string, by commands.Person) (commands.File, error)
	Image(ctx context.Context, id, sha256 string, by commands.Person) (commands.File, error)
}

// Options are what the site is made of.
type Options struct {
	Rooms *bot.Rooms
	Pages Pages
	// StatusName is what people call a status; nil: as it is.
	StatusName func(status string) string
	Numbers    Numbers  // nil: there is no page of them
	Token      string   // demanded of every request when not ""
	Hosts      []string // Host headers answered besides loopback names and IP addresses of the listener
	Now        func() time.Time
	Log        *slog.Logger
	Drill      bool
}

// Site is an http.Handler for everything but /healthz and /metrics.
type Site struct {
	o       Options
	mux     *http.ServeMux
	pages   map[string]*template.Template
	assets  map[string]asset
	key     []byte // signs form tokens and sessions
	guesses guesses
	streams streams

	bodyWithin time.Duration // how long a request's body may take
}

//go:embed assets templates
var files embed.FS

// asset is a file of assets with the name of its version.
type asset struct {
	data []byte
	kind string
	tag  string // hexadecimal, of its content
}

var kinds = map[string]string{
	"style.css": "text/css; charset=utf-8",
	"app.js":    "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

// New makes a Site.
func New(o Options) (*Site, error) {
	if o.Rooms == nil || o.Pages == nil {
		return nil, errors.New("web: Rooms and Pages are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Site{o: o, mux: http.NewServeMux(), assets: map[string]asset{}, bodyWithin: 20 * time.Second}
	s.guesses.now = o.Now
	s.streams.init()
	// With a token, sessions outlive a restart and end when the token changes.
	if o.Token != "" {
		mac := hmac.New(sha256.New, []byte(o.Token))
		mac.Write([]byte("certmedic sessions and forms, version 1"))
		s.key = mac.Sum(nil)
	} else {
		s.key = make([]byte, 32)
		rand.Read(s.key) // never fails: crypto/rand ends the program first
	}
	if err := s.loadAssets(); err != nil {
		return nil, err
	}
	if err := s.loadTemplates(); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

func (s *Site) loadAssets() error {
	for name, kind := range kinds {
		b, err := files.ReadFile("assets/" + name)
		if err != nil {
			return fmt.Errorf("asset %s: %w", name, err)
		}
		sum := sha256.Sum256(b)
		s.assets[name] = asset{data: b, kind: kind, tag: hex.EncodeToString(sum[:6])}
	}
	return nil
}

func (s *Site) loadTemplates() error {
	names, err := fs.Glob(files, "templates/page_*.html")
	if err != nil {
		return err
	}
	base, err := template.New("").Funcs(s.funcs()).ParseFS(files, "templates/part_*.html")
	if err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	s.pages = map[string]*template.Template{}
	for _, name := range names {
		t, err := template.Must(base.Clone()).ParseFS(files, name)
		if err != nil {
			return fmt.Errorf("template %s: %w", name, err)
		}
		s.pages[name[len("templates/page_"):len(name)-len(".html")]] = t
	}
	return nil
}

func (s *Site) routes() {
	get := func(pattern string, h http.HandlerFunc) { s.mux.HandleFunc("GET "+pattern, h) }
	post := func(pattern string, h http.HandlerFunc) { s.mux.HandleFunc("POST "+pattern, h) }
	get("/{$}", s.room)
	get("/room/{room}", s.room)
	get("/message/{room}/{id}", s.message)
	get("/file/{room}/{id}/{n}", s.file)
	get("/complete", s.complete)
	get("/events", s.events)
	get("/estate", s.estate)
	get("/certificate/{name}", s.certificate)
	get("/certificates/{name}", moved("/certificate/", "name"))
	get("/incidents", s.incidents)
	get("/incidents/{id}", moved("/incident/", "id"))
	get("/numbers", s.numbers)
	get("/numbers.json", s.numbersJSON)
	get("/incident/{id}", s.incident)
	get("/incident/{id}/{draft}", s.draft)
	post("/incident/{id}/draft/section", s.writeSection)
	post("/incident/{id}/draft/state", s.advanceDraft)
	get("/incident/{id}/image/{sha256}", s.image)
	get("/assets/{name}", s.asset)
	get("/login/style.css", s.asset)
	get("/login", s.loginForm)
	post("/login", s.login)
	post("/logout", s.logout)
	post("/name", s.rename)
	post("/say", s.say)
	post("/press", s.press)
	post("/api/run", s.run)
	s.mux.HandleFunc("/", s.notFound)
}

func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Guard(s.mux).ServeHTTP(w, r)
}

func (s *Site) now() time.Time { return s.o.Now().UTC() }

// asset serves a file of the site. Its address holds its version, so a browser
// keeps it.
func (s *Site) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "" {
		name = "style.css" // of the login page
	}
	a, ok := s.assets[name]
	if !ok {
		s.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", `"`+a.tag+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.tag {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if r.Header.Get("If-None-Match") == `"`+a.tag+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(a.data)
}

// moved redirects a plural address to the singular one.
func moved(to, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to+url.PathEscape(r.PathValue(value)), http.StatusFound)
	}
}
