package web

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds the room: its page, saying a line, pressing a button.

var (
	roomForm      = regexp.MustCompile(`^(main|INC-[1-9][0-9]{0,8})$`)
	messageForm   = regexp.MustCompile(`^m-[1-9][0-9]{0,11}$`)
	requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,100}$`)
)

const (
	shownMessages = 50                      // on a page at first
	plainWait     = 1500 * time.Millisecond // how long a form without script waits for its answer
)

// messageView is a message as a template draws it.
type messageView struct {
	bot.Message
	Head, Rest string // the body's first lines, and what is folded
	CSRF       string
	Now        time.Time
	Me         string
}

type quick struct{ Label, Command string }

type roomPage struct {
	page
	Messages []messageView
	Earlier  bool
	Mark     int
	Card     card
	Open     []incidentRow
	Quick    []quick
	Text     string // left in the input after a mistake
}

func (s *Site) room(w http.ResponseWriter, r *http.Request) {
	room := r.PathValue("room")
	if room == "" {
		room = "main"
	}
	p := roomPage{page: s.page(w, r, "Room"), Quick: []quick{{"Check the estate", "/certcheck"}, {"Renewals", "/renew"}, {"Incidents", "/incident list"}, {"Help", "/help"}}}
	p.Room, p.Here = room, "room"
	if err := s.knownRoom(r.Context(), &p, person(r)); err != nil {
		s.fail(w, r, err)
		return
	}
	limit := shownMessages
	if r.URL.Query().Get("all") == "1" {
		limit = 0
	}
	if err := s.fillRoom(r, &p, limit); err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "room", p)
}

// knownRoom looks the room's incident up and fills what stands on top.
func (s *Site) knownRoom(ctx context.Context, p *roomPage, by commands.Person) error {
	if !roomForm.MatchString(p.Room) {
		return commands.Problem{Code: "unknown_room", Message: "There is no room " + clip(p.Room, 40) + ".", Hint: "Rooms are / and /room/INC-7 for an incident."}
	}
	if p.Room == "main" {
		e, err := s.o.Pages.EstatePage(ctx, by)
		if err != nil {
			return err
		}
		p.Open = s.incidentRows(commands.IncidentsPage{At: e.At, Incidents: e.Open})
		for i := range p.Open {
			p.Open[i].Hosts = hostsOf(p.Open[i].Certificates, e)
		}
		p.Title = "Room: " + estateState(e)
		return nil
	}
	i, err := s.o.Pages.IncidentPage(ctx, p.Room, by)
	if err != nil {
		return err
	}
	p.Card = s.cardOf(i, p.Now)
	p.Title = p.Card.State + " · room"
	p.Quick = []quick{{"Show", "/incident show"}, {"Timeline", "/incident timeline"}}
	if p.Card.Commander == "" && p.Me != "" {
		p.Quick = append([]quick{{"I take command", "/incident lead @" + p.Me}}, p.Quick...)
	}
	for _, c := range i.Incident.Certificates {
		p.Quick = append(p.Quick, quick{"Check " + c, "/certcheck " + c}, quick{"Renew " + c, "/renew " + c})
	}
	return nil
}

// hostsOf counts the good hosts of these certificates.
func hostsOf(certificates []string, e commands.EstatePage) string {
	good, of := 0, 0
	for _, s := range e.Standings {
		if slices.Contains(certificates, s.Certificate.Name) {
			good, of = good+s.HostsGood, of+s.Hosts
		}
	}
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d hosts good", good, of)
}

func (s *Site) fillRoom(r *http.Request, p *roomPage, limit int) error {
	all, err := s.o.Rooms.Messages(r.Context(), p.Room, reader(r), 0)
	if err != nil {
		return err
	}
	for _, m := range all {
		p.Mark = max(p.Mark, m.Mark)
	}
	if limit > 0 && len(all) > limit {
		all, p.Earlier = all[len(all)-limit:], true
	}
	for _, m := range all {
		p.Messages = append(p.Messages, s.view(m, p.page))
	}
	return nil
}

// shownLines is how many lines of a body are shown before the rest is folded;
// mostBody caps the rest, in bytes.
const (
	shownLines = 16
	mostBody   = 32 << 10
)

func (s *Site) view(m bot.Message, p page) messageView {
	v := messageView{Message: m, CSRF: p.CSRF, Now: p.Now, Me: p.Me, Head: m.Reply.Body}
	lines := strings.SplitN(m.Reply.Body, "\n", shownLines+1)
	if len(lines) > shownLines {
		v.Head = strings.Join(lines[:shownLines], "\n")
		v.Rest = clip(lines[shownLines], mostBody)
	}
	v.Head = clip(v.Head, mostBody)
	return v
}

// message is one message, as the script puts it into the page: the same markup
// as the page's own.
func (s *Site) message(w http.ResponseWriter, r *http.Request) {
	m, ok := s.find(r)
	if !ok {
		s.notFound(w, r)
		return
	}
	p := s.page(w, r, m.ID)
	s.show(w, r, http.StatusOK, "message", roomPage{page: p, Messages: []messageView{s.view(m, p)}})
}

// find returns the message of the path, if the reader may see it.
func (s *Site) find(r *http.Request) (bot.Message, bool) {
	room, id := r.PathValue("room"), r.PathValue("id")
	if !roomForm.MatchString(room) || !messageForm.MatchString(id) {
		return bot.Message{}, false
	}
	ms, err := s.o.Rooms.Messages(r.Context(), room, reader(r), 0)
	if err != nil {
		return bot.Message{}, false
	}
	for i := len(ms) - 1; i >= 0; i-- {
		if ms[i].ID == id {
			return ms[i], true
		}
	}
	return bot.Message{}, false
}

// file hands a reply's file over, never shown in the browser under our name.
func (s *Site) file(w http.ResponseWriter, r *http.Request) {
	m, ok := s.find(r)
	n, err := strconv.Atoi(r.PathValue("n"))
	if !ok || err != nil || n < 0 || n >= len(m.Reply.Files) {
		s.notFound(w, r)
		return
	}
	send(w, m.Reply.Files[n])
}

func send(w http.ResponseWriter, f commands.File) {
	kind, _, err := mime.ParseMediaType(f.Type)
	switch {
	case err != nil:
		kind = "application/octet-stream"
	case strings.HasPrefix(kind, "text/"):
		kind += "; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(f.Name)}))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Write(f.Data)
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func fileName(n string) string {
	n = strings.Trim(notInNames.ReplaceAllString(clip(n, 100), "-"), "-.")
	if n == "" {
		return "file"
	}
	return n
}

// complete answers with completions of the line being typed, a JSON array.
func (s *Site) complete(w http.ResponseWriter, r *http.Request) {
	line, room := r.URL.Query().Get("line"), r.URL.Query().Get("room")
	if room == "" {
		room = "main"
	}
	all := []string{}
	if len(line) <= 1000 && roomForm.MatchString(room) {
		all = append(all, s.o.Rooms.Complete(r.Context(), line, room, reader(r))...)
	}
	writeJSON(w, http.StatusOK, all[:min(len(all), 20)])
}

// said is what is posted to /say, as a form or as JSON.
type said struct {
	Text string `json:"text"`
	Room string `json:"room"`
	As   string `json:"as"`
	ID   string `json:"id"`
}

func (s *Site) say(w http.ResponseWriter, r *http.Request) {
	var q said
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			status, p := badBody(err)
			s.refuse(w, r, status, p)
			return
		}
	} else if err := r.ParseForm(); err != nil {
		status, p := badBody(err)
		s.refuse(w, r, status, p)
		return
	} else {
		q = said{r.PostForm.Get("text"), r.PostForm.Get("room"), r.PostForm.Get("as"), r.PostForm.Get("id")}
	}
	by, p := s.speaker(w, r, q.As)
	if q.Room == "" {
		q.Room = "main"
	}
	if p.IsZero() {
		p = s.checkLine(r.Context(), &q, by)
	}
	if !p.IsZero() {
		s.refuse(w, r, http.StatusBadRequest, p)
		return
	}
	s.answered(w, r, q.Room, func(ctx context.Context) commands.Reply {
		return s.o.Rooms.Say(ctx, commands.Request{ID: q.ID, Text: q.Text, By: by, Room: q.Room, At: s.now()})
	})
}

// speaker is who says it: the name given, which is then kept, or the one kept.
func (s *Site) speaker(w http.ResponseWriter, r *http.Request, as string) (commands.Person, commands.Problem) {
	if as = strings.TrimSpace(as); as == "" {
		if by := person(r); by.ID != "" {
			return by, commands.Problem{}
		}
		return commands.Person{}, commands.Problem{Code: "no_person", Message: "It is not known who says this.", Hint: "Fill in your name beside the line."}
	}
	if !bot.ValidName(as) {
		return commands.Person{}, badName
	}
	s.keepName(w, r, as)
	return personNamed(r, as, "web"), commands.Problem{}
}

func (s *Site) checkLine(ctx context.Context, q *said, by commands.Person) commands.Problem {
	q.Text = strings.TrimSpace(q.Text)
	switch {
	case q.Text == "":
		return commands.Problem{Code: "empty", Message: "The line is empty.", Hint: "Type a verb, for example /certcheck."}
	case len(q.Text) > 16<<10:
		return commands.Problem{Code: "too_long", Message: "The line is too long: at most 16 KiB are taken.", Hint: "Send less."}
	case q.ID != "" && !requestIDForm.MatchString(q.ID):
		return commands.Problem{Code: "bad_id", Message: "The id is not one.", Hint: "Use 1 to 100 letters, digits, and . _ : / -"}
	case !roomForm.MatchString(q.Room):
		return commands.Problem{Code: "unknown_room", Message: "There is no room " + clip(q.Room, 40) + ".", Hint: "Rooms are named main or after an incident, for example INC-7."}
	case q.Room != "main":
		if _, err := s.o.Pages.IncidentPage(ctx, q.Room, by); err != nil {
			return commands.Problem{Code: "unknown_room", Message: "There is no incident " + q.Room + ".", Hint: "Look at /incidents."}
		}
	}
	return commands.Problem{}
}

// answered runs what is to be answered, and answers with the reply as JSON, or
// goes back to the room. A form does not wait longer than a person would; the
// answer then appears in the room.
func (s *Site) answered(w http.ResponseWriter, r *http.Request, room string, do func(context.Context) commands.Reply) {
	ctx, cancel := s.streams.until(r)
	defer cancel()
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, do(ctx))
		return
	}
	ctx, stop := context.WithTimeout(ctx, plainWait)
	defer stop()
	reply := do(ctx)
	if c := reply.Problem.Code; c == "used" || c == "unknown_button" || c == "unknown_message" || c == "record" || c == "stopping" {
		s.refuse(w, r, http.StatusConflict, reply.Problem) // nothing of it is in the room
		return
	}
	http.Redirect(w, r, roomPath(room)+"#end", http.StatusSeeOther)
}

func roomPath(room string) string {
	if room == "main" {
		return "/"
	}
	return "/room/" + url.PathEscape(room)
}

type confirmPage struct {
	page
	Message string
	Button  int
	Label   string
	Text    string
	Style   string
}

// press does what a button says. Without script a button that asks first gets a
// page that asks.
func (s *Site) press(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		status, p := badBody(err)
		s.refuse(w, r, status, p)
		return
	}
	room, id := r.PostForm.Get("room"), r.PostForm.Get("message")
	n, err := strconv.Atoi(r.PostForm.Get("button"))
	by, p := s.speaker(w, r, r.PostForm.Get("as"))
	switch {
	case err != nil || !roomForm.MatchString(room) || !messageForm.MatchString(id):
		s.refuse(w, r, http.StatusBadRequest, commands.Problem{Code: "bad_press", Message: "The button is not known.", Hint: "Reload the page."})
		return
	case !p.IsZero():
		s.refuse(w, r, http.StatusBadRequest, p)
		return
	}
	label := r.PostForm.Get("label")
	if ask := r.PostForm.Get("confirm"); ask != "" && r.PostForm.Get("sure") != "1" && !wantsJSON(r) {
		c := confirmPage{page: s.page(w, r, label), Message: id, Button: n, Label: label, Text: clip(ask, 400)}
		c.Room = room
		s.show(w, r, http.StatusOK, "confirm", c)
		return
	}
	s.answered(w, r, room, func(ctx context.Context) commands.Reply {
		return s.o.Rooms.PressLabel(ctx, room, id, n, label, by)
	})
}
