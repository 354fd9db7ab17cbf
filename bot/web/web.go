// Package web is the browser's room, the estate, and a page for each incident.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// Pages is what the pages show of the record; commands.Desk implements it.
type Pages interface {
	EstatePage(ctx context.Context) (commands.EstatePage, error)
	CertificatePage(ctx context.Context, name string) (commands.CertificatePage, error)
	IncidentPage(ctx context.Context, id string) (commands.IncidentPage, error)
	IncidentsPage(ctx context.Context, words string) (commands.IncidentsPage, error)
	Draft(ctx context.Context, id, form string) (commands.File, error)
}

// Options are what the site is made of.
type Options struct {
	Rooms *bot.Rooms
	Pages Pages
	Token string   // demanded of every request when not ""
	Hosts []string // Host headers answered besides loopback names and IP addresses of the listener
	Now   func() time.Time
	Log   *slog.Logger
	Drill bool
}

// Site is an http.Handler for everything but /healthz and /metrics.
type Site struct {
	o Options
}

// New makes a Site.
func New(o Options) (*Site, error) { panic("unwritten") }

func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("unwritten") }

// Guard wraps a handler with the Host, Origin and token checks that every page has.
func (s *Site) Guard(h http.Handler) http.Handler { panic("unwritten") }
