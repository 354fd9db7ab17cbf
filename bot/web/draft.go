package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// This file holds the postmortem draft: its page and its files, and what is
// written there: words for a section, and how far the draft is. Both are said
// in the incident's room like any line, so that they are on the record.

// draftWait is how long a form of the draft waits for its answer: what it says
// must not be lost, so longer than a button does.
const draftWait = 10 * time.Second

type draftPage struct {
	page
	ID, State string // State is the incident's
	Header    draftSection
	Sections  []draftSection
	Marks     []draftMark
	Gaps      int
	Template  string
	Templates []string
	Query     string // "?template=" and the name; "" for the one of the configuration
	PNG       string
	Far       draftState
	Wrong     commands.Problem // what a form was refused for, at Section; else of the state
	Section   string
	Saved     string // the section that was just written
	Cut       bool   // something like a secret was cut out of it
}

// draftSection is a section of the page.
type draftSection struct {
	ID, Name, Title  string
	HTML             template.HTML
	Settable         bool
	Words, By, Entry string
	At               time.Time
	Form             string // what stands in the form: the words, or what was refused
	Seen             string // the last line of the record that the reader has seen
	Once             string // makes the form's words once, however often they are sent
	Open             bool
	Wrong            commands.Problem
	Saved, Cut       bool
}

type draftMark struct{ ID, Text, Section string }

// draftState is how far the draft is, and what comes next.
type draftState struct {
	State, By, Reason string // State: draft, finished, reviewed or shared
	At                time.Time
	ChangedBy         string // who wrote words since
	ChangedAt         time.Time
	Closed            bool
	Do, Label         string // the next state's verb and button; "": none
	Wrong             commands.Problem
	Why               string // typed already
}

// draft is the postmortem as a page (…/draft) or as a file (…/draft.md).
func (s *Site) draft(w http.ResponseWriter, r *http.Request) {
	id, form := r.PathValue("id"), r.URL.Query().Get("template")
	name, kind, isFile := strings.Cut(r.PathValue("draft"), ".")
	if name != "draft" || isFile && kind != "md" && kind != "html" && kind != "json" && kind != "png" {
		s.notFound(w, r)
		return
	}
	if isFile {
		f, err := s.o.Pages.DraftAs(r.Context(), id, kind, clip(form, 80), person(r))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		send(w, f)
		return
	}
	d, err := s.o.Pages.DraftPage(r.Context(), id, clip(form, 80), person(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := s.draftPage(w, r, d, form)
	saved := r.URL.Query().Get("saved")
	for n := range p.Sections {
		if one := &p.Sections[n]; one.Name == saved && one.Words != "" {
			one.Saved, one.Cut = true, r.URL.Query().Get("cut") == "1"
		}
	}
	s.show(w, r, http.StatusOK, "draft", p)
}

// draftPage draws what the record says; form is the template that was asked for.
func (s *Site) draftPage(w http.ResponseWriter, r *http.Request, d commands.DraftPage, form string) draftPage {
	p := draftPage{page: s.page(w, r, ""), ID: d.Incident.ID, Gaps: d.Gaps, Template: d.Template, Templates: d.Templates}
	p.State = s.cardOf(commands.IncidentPage{Incident: d.Incident}, p.Now).State
	p.Title, p.Here, p.Room = p.State+" · postmortem draft", "incidents", d.Incident.ID
	p.Back = draftPath(p.ID, form, "")
	if form != "" {
		p.Query = "?template=" + url.QueryEscape(d.Template)
	}
	p.Far = farOf(d)
	for n, part := range d.Parts {
		one := draftSection{ID: part.ID, Name: part.Name, Title: part.Title, Settable: part.Settable, Words: part.Words, Form: part.Words,
			By: part.By, Entry: part.Entry, At: part.At, Seen: d.Seen, Once: once(),
			// The fragment comes from incident/postmortem, which escapes what people
			// wrote; the page's policy runs no script and loads nothing all the same.
			HTML: template.HTML(part.HTML)}
		if n == 0 {
			p.Header = one
			continue
		}
		p.Sections = append(p.Sections, one)
	}
	for _, m := range d.Marks {
		same := func(o draftMark) bool { return o.Text == m.Text } // the header names some again
		if !slices.ContainsFunc(p.Marks, same) {
			p.Marks = append(p.Marks, draftMark{m.ID, m.Text, m.Section})
		}
	}
	return p
}

func farOf(d commands.DraftPage) draftState {
	last := d.Incident.LastDraft()
	f := draftState{State: last.State, By: last.By.Name, At: last.At, Reason: last.Reason, Closed: d.Incident.Status == "closed", ChangedBy: d.Changed.By.Name, ChangedAt: d.Changed.At}
	switch last.State {
	case "":
		f.State, f.Do, f.Label = "draft", "finish", "Finish"
		if !d.Incident.DraftDone.IsZero() { // finished before the other states were kept
			f.State, f.At, f.Do, f.Label = "finished", d.Incident.DraftDone, "review", "Reviewed"
		}
	case "finished":
		f.Do, f.Label = "review", "Reviewed"
	case "reviewed":
		f.Do, f.Label = "share", "Shared"
	}
	if !f.Closed {
		f.Do = ""
	}
	return f
}

// once returns 16 hexadecimal digits that no other form has.
func once() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program first
	return hex.EncodeToString(b[:])
}

func draftPath(id, form, rest string) string {
	v := url.Values{}
	if form != "" {
		v.Set("template", form)
	}
	path := "/incident/" + url.PathEscape(id) + "/draft"
	if q := v.Encode(); q != "" || rest != "" {
		path += "?" + strings.Trim(q+"&"+rest, "&")
	}
	return path
}

var (
	sectionForm = regexp.MustCompile(`^[a-z]{1,20}$`)
	seenForm    = regexp.MustCompile(`^E-[0-9]{1,9}$`)
)

// writeSection puts a person's words into a section, and answers with the page:
// with the words in it, or with why not and what was written, so that nothing is
// lost. Words that somebody else wrote since the form was opened are shown and
// not replaced.
func (s *Site) writeSection(w http.ResponseWriter, r *http.Request) {
	id, form := r.PathValue("id"), clip(r.PostFormValue("template"), 80)
	by, wrong := s.speaker(w, r, r.PostForm.Get("as"))
	if !s.mayWrite(w, r, id, by) {
		return
	}
	section, words, seen := r.PostForm.Get("section"), strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("words"), "\r\n", "\n")), r.PostForm.Get("seen")
	if !sectionForm.MatchString(section) || !seenForm.MatchString(seen) {
		s.refuse(w, r, http.StatusBadRequest, commands.Problem{Code: "bad_request", Message: "The form is not one of certmedic's.", Hint: "Open the draft anew: " + draftPath(id, "", "")})
		return
	}
	status := http.StatusBadRequest
	var reply commands.Reply
	if wrong.IsZero() {
		// After "--" everything is text, whatever it looks like.
		line := "/incident postmortem set " + id + " " + section + " --seen " + seen + " -- " + words
		reply, wrong, status = s.sayDraft(r, id, line, by, r.PostForm.Get("once"))
	}
	if wrong.IsZero() {
		rest := "saved=" + section
		if reply.State == commands.StateWarning {
			rest += "&cut=1"
		}
		http.Redirect(w, r, draftPath(id, form, rest)+"#pm-"+section, http.StatusSeeOther)
		return
	}
	s.draftRefused(w, r, id, form, by, status, func(p *draftPage) {
		for n := range p.Sections {
			if one := &p.Sections[n]; one.Name == section {
				one.Open, one.Form, one.Wrong = true, words, wrong
				p.Section = section
			}
		}
	}, wrong)
}

// advanceDraft says that the draft is finished, reviewed or shared.
func (s *Site) advanceDraft(w http.ResponseWriter, r *http.Request) {
	id, form := r.PathValue("id"), clip(r.PostFormValue("template"), 80)
	by, wrong := s.speaker(w, r, r.PostForm.Get("as"))
	if !s.mayWrite(w, r, id, by) {
		return
	}
	to, why := r.PostForm.Get("do"), strings.Join(strings.Fields(r.PostForm.Get("anyway")), " ")
	if !slices.Contains([]string{"finish", "review", "share"}, to) {
		s.refuse(w, r, http.StatusBadRequest, commands.Problem{Code: "bad_request", Message: "The form is not one of certmedic's.", Hint: "Open the draft anew: " + draftPath(id, "", "")})
		return
	}
	status := http.StatusBadRequest
	if wrong.IsZero() {
		line := "/incident postmortem " + id + " " + to
		if why != "" { // quoted, so that nothing in it is a flag
			line += ` --anyway "` + strings.ReplaceAll(why, `"`, "'") + `"`
		}
		_, wrong, status = s.sayDraft(r, id, line, by, r.PostForm.Get("once"))
	}
	if wrong.IsZero() {
		http.Redirect(w, r, draftPath(id, form, "")+"#far", http.StatusSeeOther)
		return
	}
	s.draftRefused(w, r, id, form, by, status, func(p *draftPage) {
		p.Far.Wrong, p.Far.Why, p.Section = wrong, why, "far"
	}, wrong)
}

// mayWrite reports whether a person sees the incident at all, and answers when not.
func (s *Site) mayWrite(w http.ResponseWriter, r *http.Request, id string, by commands.Person) bool {
	if by.ID == "" {
		by = person(r)
	}
	if _, err := s.o.Pages.IncidentPage(r.Context(), id, by); err != nil {
		s.fail(w, r, err)
		return false
	}
	return true
}

// sayDraft says a line in the incident's room and waits for the answer. The
// same form with the same line is one request.
func (s *Site) sayDraft(r *http.Request, id, line string, by commands.Person, form string) (commands.Reply, commands.Problem, int) {
	ctx, cancel := s.streams.until(r)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, draftWait)
	defer stop()
	q := commands.Request{Text: line, By: by, Room: strings.ToUpper(id), At: s.now()}
	if requestIDForm.MatchString(form) {
		sum := sha256.Sum256([]byte(strings.Join([]string{form, id, by.ID, line}, "\x00")))
		q.ID = "draft/" + hex.EncodeToString(sum[:16])
	}
	reply := s.o.Rooms.Say(ctx, q)
	switch c := reply.Problem.Code; {
	case reply.Problem.IsZero() && ctx.Err() != nil:
		return reply, commands.Problem{Code: "late", Message: "The answer is not there yet.", Hint: "It will stand in the room. Send it again to see; it is done once."}, http.StatusServiceUnavailable
	case c == "not_allowed":
		return reply, reply.Problem, http.StatusForbidden
	case c == "internal" || c == "record" || c == "stopping":
		return reply, reply.Problem, http.StatusServiceUnavailable
	case c == "missing_text" || c == "too_long" || c == "bad_section":
		return reply, reply.Problem, http.StatusBadRequest
	}
	return reply, reply.Problem, http.StatusConflict
}

// draftRefused answers a form of the draft with the page as the record is now.
func (s *Site) draftRefused(w http.ResponseWriter, r *http.Request, id, form string, by commands.Person, status int, mark func(*draftPage), wrong commands.Problem) {
	if wantsJSON(r) {
		s.refuse(w, r, status, wrong)
		return
	}
	if by.ID == "" {
		by = person(r)
	}
	d, err := s.o.Pages.DraftPage(r.Context(), id, form, by)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := s.draftPage(w, r, d, form)
	p.Me = by.Name
	p.Title = wrong.Message + " " + p.Title
	mark(&p)
	if p.Section == "" { // the template has no such section
		s.refuse(w, r, status, wrong)
		return
	}
	p.Wrong = wrong
	s.show(w, r, status, "draft", p)
}
