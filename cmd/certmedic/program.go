package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/bot/slack"
	"github.com/certmedic/certmedic/bot/web"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/acme"
	"github.com/certmedic/certmedic/renew/deploy"
	"github.com/certmedic/certmedic/renew/probe"
	"github.com/certmedic/certmedic/store"
)

// program is the whole of certmedic as a value: open builds it from the ground
// to the roof, Run runs it, Close takes it down from the roof to the ground.
// Each thing that must be stopped registers its stop where it is made.
type program struct {
	cfg    config
	o      programOptions
	store  *store.Bolt
	book   *incident.Book
	runner *renew.Runner
	desk   *commands.Desk
	rooms  *bot.Rooms
	site   *web.Site
	lately lately                                                  // which incidents chat platforms are told of
	slack  *slack.Slack                                            // nil: not configured
	groups []func(ctx context.Context, p commands.Person) []string // of chat platforms, see groupsOf
	hooks  *web.Hooks                                              // alerts of other systems; set when it listens

	outside []outside // what delivers updates and action items

	discord *discord.Discord // nil: not configured

	listener net.Listener
	stops    []stop
}

// programOptions are what differs between serve, run, demo and drill.
type programOptions struct {
	Name    string // told to others who find the record in use: "certmedic serve"
	Log     *slog.Logger
	Listen  bool             // pages, API, health and metrics on the configured address
	Watch   bool             // check and rehearse the estate
	Drill   bool             // what is declared here is a drill
	Token   string           // demanded by the pages; "" is only allowed on loopback
	Console *console.Options // a room in this terminal; Rooms is filled in
	CAs     renew.CAs        // nil: ACME, as configured

	tuneSlack   func(*slack.Options)   // of tests
	tuneDiscord func(*discord.Options) // of tests
}

// stop is one named teardown step.
type stop struct {
	name string
	fn   func(ctx context.Context) error
}

// shortestToken is the least length of a token that guards pages off loopback.
const shortestToken = 16

// stopLimit bounds each teardown step.
const stopLimit = 10 * time.Second

func (p *program) onStop(name string, fn func(ctx context.Context) error) {
	p.stops = append(p.stops, stop{name, fn})
}

// open builds the program; nothing runs yet. One straight function, because
// the order is the house: store, engine, book, desk, rooms, pages.
func open(ctx context.Context, cfg config, o programOptions) (_ *program, err error) {
	p := &program{cfg: cfg, o: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if o.Listen && len(o.Token) < shortestToken && !loopback(cfg.Listen) {
		return nil, fmt.Errorf("%s can be reached from other machines, so a token of at least %d characters is needed: set CERTMEDIC_TOKEN or CERTMEDIC_TOKEN_FILE (openssl rand -hex 16 makes one), or listen on 127.0.0.1", cfg.Listen, shortestToken)
	}
	if p.store, err = store.Open(ctx, cfg.Data, store.Options{Program: o.Name}); err != nil {
		return nil, err
	}
	p.onStop("record", func(context.Context) error { return p.store.Close() })
	sealer, err := openSealer(ctx, p.store, masterKeyPath(cfg.Data))
	if err != nil {
		return nil, err
	}
	roots, err := probe.LoadRoots(cfg.Roots...)
	if err != nil {
		return nil, err
	}
	if p.runner, err = renew.New(p.engine(sealer, probe.New(probe.Options{Roots: roots, Timeout: cfg.Check.Timeout}))); err != nil {
		return nil, err
	}
	p.book = incident.NewBook(p.store, time.Now)
	p.book.Call(cfg.Statuses)
	p.desk = commands.New(commands.Options{Book: p.book, Renewer: p.runner, Teams: cfg.Teams, People: cfg.People, Policy: cfg.Policy, GroupsOf: p.groupsOf,
		Templates: cfg.Postmortem.Templates, Template: cfg.Postmortem.Template, Publisher: cfg.publisher(o.Log),
		Now: time.Now, Log: o.Log, Drill: o.Drill, Severities: cfg.Hooks.Severities, Explain: explain, Updates: cfg.Updates.desk(), Trackers: cfg.Tasks.desk(), Statuses: cfg.Statuses})
	p.rooms = bot.New(bot.Options{Desk: p.desk, MayRead: p.desk.MayRead, Log: roomLog{p.store}, Now: time.Now, Logger: o.Log})
	p.onStop("rooms", p.rooms.Close)
	if !o.Listen {
		return p, p.openOutside(roots)
	}
	if err := p.listen(); err != nil {
		return nil, err
	}
	if err := p.openHooks(); err != nil {
		return nil, err
	}
	if err := p.openOutside(roots); err != nil {
		return nil, err
	}
	return p, errors.Join(p.openSlack(), p.openDiscord())
}

// engine is what the renewal engine is made of.
func (p *program) engine(sealer *renew.Sealer, prober *probe.Prober) renew.Options {
	o := renew.Options{
		Store: p.store, Inventory: p.cfg.Inventory, Sealer: sealer, Prober: prober,
		CAs:      acme.New(acme.Options{UserAgent: "certmedic/" + versionText(), Hide: p.cfg.ownVariables(), Log: p.o.Log}),
		Deployer: deploy.New(deploy.Options{Log: p.o.Log}),
		Emit: func(ctx context.Context, e renew.Event) error {
			return p.desk.Event(ctx, e, p.post)
		},
		Now: time.Now, Log: p.o.Log, CheckEvery: p.cfg.Check.Every, RehearseEvery: p.cfg.Rehearse,
	}
	if p.o.CAs != nil {
		o.CAs = p.o.CAs
	}
	if !p.o.Watch {
		o.CheckEvery, o.RehearseEvery = -1, -1
	}
	return o
}

// post says something unasked; a room that cannot take it is the log's affair.
func (p *program) post(m commands.Post) {
	if err := p.rooms.Post(context.Background(), m); err != nil {
		p.o.Log.Error("a message could not be kept", "room", m.Room, "err", err)
	}
}

// listen opens the listener and puts pages, health and metrics on it.
func (p *program) listen() error {
	var err error
	if p.listener, err = net.Listen("tcp", p.cfg.Listen); err != nil {
		return fmt.Errorf("listen on %s: %w: choose another address (listen: of the configuration, --listen of a demo), or stop what uses this one", p.cfg.Listen, err)
	}
	p.onStop("listener", func(context.Context) error {
		if err := p.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	hosts := append([]string{p.listener.Addr().String()}, p.cfg.Hosts...)
	if p.site, err = web.New(web.Options{Rooms: p.rooms, Pages: p.desk, Numbers: p.desk, StatusName: func(s string) string { return p.cfg.Statuses.Of(incident.Status(s)) }, Token: p.o.Token, Hosts: hosts, Now: time.Now, Log: p.o.Log, Drill: p.o.Drill}); err != nil {
		return err
	}
	return p.store.SetAddress(p.Address())
}

// Address is where the pages are, for example "http://127.0.0.1:8080".
func (p *program) Address() string {
	host, port, _ := net.SplitHostPort(p.listener.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Run runs the engine, the pages and the console until ctx ends, the console
// is left or a part fails. It returns the renewals that go on at the next start.
func (p *program) Run(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type ended struct {
		part    string
		stopped []string
		err     error
	}
	parts := make(chan ended)
	running := 0
	start := func(part string, fn func() ([]string, error)) {
		running++
		go func() {
			stopped, err := fn()
			parts <- ended{part, stopped, err}
		}()
	}
	start("engine", func() ([]string, error) { return p.runner.Run(ctx) })
	start("search", func() ([]string, error) { return nil, p.noteWords(ctx) })
	if p.o.Watch {
		start("rest", func() ([]string, error) { rest(ctx, restTick, p.freeMemory); return nil, nil })
		start("reminders", func() ([]string, error) { return nil, p.remind(ctx) })
		if p.cfg.Postmortem.Git.Repo != "" {
			start("publishing", func() ([]string, error) { return nil, p.desk.WorkPublications(ctx, p.post) })
		}
		start("retention", func() ([]string, error) { return nil, p.retain(ctx) })
	}
	if p.listener != nil {
		server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
			BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: slog.NewLogLogger(p.o.Log.Handler(), slog.LevelDebug)}
		start("alerts", func() ([]string, error) { return nil, p.desk.WorkAlerts(ctx, p.post) })
		start("pages", func() ([]string, error) { return nil, serveUntil(ctx, server, p.listener) })
	}
	if p.slack != nil {
		start("slack", func() ([]string, error) { return nil, p.slack.Run(ctx) })
	}
	for _, o := range p.outside {
		start(o.name, func() ([]string, error) { o.run(ctx, incidents{p}.Changed(ctx)); return nil, nil })
	}
	if p.discord != nil {
		start("discord", func() ([]string, error) { return nil, p.discord.Run(ctx) })
	}
	if p.o.Console != nil {
		c := *p.o.Console
		c.Rooms = p.rooms
		if p.listener != nil {
			c.Site = p.Address()
		}
		start("console", func() ([]string, error) { return nil, console.Run(ctx, c) })
	}
	var stopped []string
	var errs []error
	for ; running > 0; running-- {
		e := <-parts
		cancel()
		stopped = append(stopped, e.stopped...)
		if e.err != nil && !errors.Is(e.err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", e.part, e.err))
		}
	}
	return stopped, errors.Join(errs...)
}

// remindEvery is how often the program looks whether a reminder is due.
const remindEvery = 15 * time.Second

// remind says reminders until ctx ends. What is due is in the record: what one
// look cannot say, the next one does.
func (p *program) remind(ctx context.Context) error {
	t := time.NewTicker(remindEvery)
	defer t.Stop()
	for {
		if err := p.desk.Tick(ctx, time.Now(), p.post); err != nil && ctx.Err() == nil {
			p.o.Log.Error("reminders", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// serveUntil serves until ctx ends, then lets running answers finish.
func serveUntil(ctx context.Context, s *http.Server, l net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	err := s.Shutdown(bounded)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Close takes everything down in reverse order, each step bounded and named.
func (p *program) Close() error {
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		s := p.stops[i]
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		if err := s.fn(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
		cancel()
	}
	p.stops = nil
	return errors.Join(errs...)
}

// openSealer gets the master key. A new one is made only while the record has
// nothing that an older one has sealed.
func openSealer(ctx context.Context, s store.Store, keyFile string) (*renew.Sealer, error) {
	sealed := false
	err := s.View(ctx, func(tx store.Tx) error {
		return tx.Scan(store.Range{Prefix: "renew/", Limit: 1}, func(string, []byte) error { sealed = true; return nil })
	})
	if err != nil {
		return nil, fmt.Errorf("look for sealed keys: %w", err)
	}
	master, err := renew.MasterKey(keyFile, sealed)
	if err != nil {
		return nil, err
	}
	return renew.NewSealer(master)
}

// masterKeyPath is where the master key stands when it is a file: beside the
// record, never in it.
func masterKeyPath(data string) string {
	return strings.TrimSuffix(data, filepath.Ext(data)) + ".key"
}

// explain gives errors of the ground floor their words.
func explain(err error) (commands.Problem, bool) {
	var used *store.InUseError
	switch {
	case errors.Is(err, store.ErrFull):
		return commands.Problem{Code: "disk_full", Message: "Nothing was recorded: the disk is full.", Hint: "Free some room on the disk of the record, then say it again. What was recorded before is safe."}, true
	case errors.As(err, &used):
		return commands.Problem{Code: "record_in_use", Message: used.Error() + ".", Hint: "Stop that process, or talk to it."}, true
	case errors.Is(err, store.ErrClosed):
		return commands.Problem{Code: "stopping", Message: "certmedic is stopping.", Hint: "Say it again in a moment."}, true
	}
	return commands.Problem{}, false
}

// newLog is the program's log: text lines on w.
func newLog(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
