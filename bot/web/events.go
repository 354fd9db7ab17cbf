package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what stays open: server-sent events, and the answer to
// certmedic run.

const (
	beat        = 15 * time.Second // between signs of life
	writeWithin = 10 * time.Second
	mostStreams = 512
)

// streams counts what is open and ends it when its server shuts down.
type streams struct {
	mu      sync.Mutex
	open    int
	servers map[*http.Server]bool
	life    context.Context
	end     context.CancelFunc
}

func (s *streams) init() {
	s.servers = map[*http.Server]bool{}
	s.life, s.end = context.WithCancel(context.Background())
}

// until is the request's context, which also ends when its server begins to
// shut down: Shutdown waits for open requests, and these would never end.
func (s *streams) until(r *http.Request) (context.Context, context.CancelFunc) {
	if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		s.mu.Lock()
		if !s.servers[srv] {
			s.servers[srv] = true
			srv.RegisterOnShutdown(s.end)
		}
		s.mu.Unlock()
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }
}

func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= mostStreams {
		return false
	}
	s.open++
	return true
}

func (s *streams) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// events sends every message of a room that is new or edited after the mark
// of Last-Event-ID or after ("latest": from now on), as server-sent events: id is the message's mark,
// data the message as JSON. A "beat" comes every 15 s.
func (s *Site) events(w http.ResponseWriter, r *http.Request) {
	room := r.URL.Query().Get("room")
	if !roomForm.MatchString(room) {
		s.refuse(w, r, http.StatusBadRequest, commands.Problem{Code: "unknown_room", Message: "There is no such room.", Hint: "For example /events?room=main&after=0"})
		return
	}
	if room != "main" {
		if _, err := s.o.Pages.IncidentPage(r.Context(), room, person(r)); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	if !s.streams.enter() {
		w.Header().Set("Retry-After", "10")
		s.refuse(w, r, http.StatusServiceUnavailable, commands.Problem{Code: "too_many", Message: "Too many pages are open.", Hint: "Close some; the others go on."})
		return
	}
	defer s.streams.leave()
	ctx, cancel := s.streams.until(r)
	defer cancel()
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	if last, err := strconv.Atoi(r.Header.Get("Last-Event-ID")); err == nil {
		after = last
	}
	me := reader(r)
	sub := s.o.Rooms.Subscribe(ctx, room, me)
	missed, err := s.o.Rooms.Messages(ctx, room, me, 0)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &stream{w: w, c: http.NewResponseController(w)}
	out.write("retry: 1000\n\n")
	newest := 0
	for _, m := range missed {
		newest = max(newest, m.Mark)
	}
	switch {
	case r.URL.Query().Get("after") == "latest" && r.Header.Get("Last-Event-ID") == "":
		after = newest
	case after > newest: // marks of another record
		after = 0
	}
	slices.SortFunc(missed, func(a, b bot.Message) int { return a.Mark - b.Mark })
	for _, m := range missed {
		if m.Mark > after {
			out.message(m)
			after = m.Mark
		}
	}
	out.follow(sub, after)
}

// stream writes server-sent events; after an error it writes nothing more.
type stream struct {
	w   http.ResponseWriter
	c   *http.ResponseController
	err error
}

func (o *stream) write(text string) {
	if o.err != nil {
		return
	}
	// A reader that takes nothing for so long is gone. Not every writer has
	// deadlines.
	_ = o.c.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, o.err = o.w.Write([]byte(text)); o.err == nil {
		o.err = o.c.Flush()
	}
}

func (o *stream) message(m bot.Message) {
	m.Reply.Files = slices.Clone(m.Reply.Files)
	for i := range m.Reply.Files { // they are fetched by their address
		m.Reply.Files[i].Data = nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		o.err = err
		return
	}
	o.write(fmt.Sprintf("id: %d\nevent: message\ndata: %s\n\n", m.Mark, b))
}

// follow writes what comes until the channel is closed or the reader is gone.
func (o *stream) follow(sub <-chan bot.Message, after int) {
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for o.err == nil {
		select {
		case m, ok := <-sub:
			if !ok {
				return
			}
			if m.Mark > after {
				o.message(m)
				after = m.Mark
			}
		case <-alive.C:
			o.write("event: beat\ndata: {}\n\n")
		}
	}
}

// asked is what certmedic run posts.
type asked struct {
	Text string `json:"text"`
	As   string `json:"as"`
	Room string `json:"room"`
	Wait bool   `json:"wait"`
	ID   string `json:"id"`
	Zone string `json:"zone"`
}

// run answers a request in lines of JSON: {"post":...} for each edit of the
// progress that it began, and {"reply":...} at the end.
func (s *Site) run(w http.ResponseWriter, r *http.Request) {
	var a asked
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		status, p := badBody(err)
		s.refuse(w, r, status, p)
		return
	}
	q := said{Text: a.Text, Room: a.Room, As: a.As, ID: a.ID}
	if q.Room == "" {
		q.Room = "main"
	}
	by := personNamed(r, q.As, "cli")
	p := s.checkLine(r.Context(), &q, by)
	if !bot.ValidName(q.As) {
		p = badName
	}
	if !p.IsZero() {
		s.refuse(w, r, http.StatusBadRequest, p)
		return
	}
	if validZone(a.Zone) {
		by.Zone = a.Zone
	}
	ctx, cancel := s.streams.until(r)
	defer cancel()
	sub := s.o.Rooms.Subscribe(ctx, q.Room, by.ID)
	before, err := s.o.Rooms.Messages(ctx, q.Room, by.ID, 1)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	seq := 0
	for _, m := range before {
		seq = m.Seq
	}
	done := make(chan commands.Reply, 1)
	go func() {
		done <- s.o.Rooms.Say(ctx, commands.Request{ID: q.ID, Text: q.Text, By: by, Room: q.Room, At: s.now(), Wait: a.Wait})
	}()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &stream{w: w, c: http.NewResponseController(w)}
	out.write("") // the status at once: the first line may take long
	for {
		select {
		case m, ok := <-sub:
			if !ok {
				sub = nil // the answer still comes
			} else if m.By.Platform == bot.Bot.Platform && begunBy(q.Text, seq, m) {
				out.line("post", commands.Post{Room: m.Room, Reply: m.Reply, At: m.At})
			}
		case reply := <-done:
			out.line("reply", reply)
			_ = out.c.SetWriteDeadline(time.Time{}) // the connection may be used again
			return
		}
	}
}

// begunBy reports whether a message is progress that the line began: it has a
// key and is newer than the line, or the line names what it is about.
func begunBy(text string, seq int, m bot.Message) bool {
	if m.Reply.Key == "" {
		return false
	}
	about := m.Reply.Key[strings.LastIndexByte(m.Reply.Key, '/')+1:]
	return m.Seq > seq || slices.Contains(strings.Fields(text), about)
}

func (o *stream) line(name string, v any) {
	b, err := json.Marshal(map[string]any{name: v})
	if err != nil {
		o.err = err
		return
	}
	o.write(string(b) + "\n")
}
