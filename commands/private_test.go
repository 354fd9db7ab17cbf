package commands_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// secretWords stand all over the private incident and nowhere else.
var secretWords = []string{"zebra", "giraffe", "okapi", "tapir", "quokka", "wombat", "numbat", "possum", "INC-1"}

// privateRoom has INC-1, private and full of secret words, and INC-2, which
// everybody sees. Both are of media.
func privateRoom(t *testing.T) *room {
	t.Helper()
	r := newRoom(t)
	for _, line := range []string{"/incident declare --private sev1 zebra keys leaked --cert media", "/incident note giraffe was seen @ -5m", "/incident impact okapi for all",
		"/incident temp add tapir switched off", "/incident task add quokka review @ben due 2026-12-01", "/incident postmortem set lessons wombat", "/incident lead me", "/renew media --yes"} {
		r.must("ana", "main", line)
	}
	pin := commands.Pin{Key: "slack/C/1", Room: "INC-1", Author: person("ana"), Text: "numbat pinned", By: person("ana"), Images: []commands.File{{Name: "possum.png", Data: picture}}}
	if p := r.pinned(pin); !p.Problem.IsZero() {
		t.Fatal(p.Problem)
	}
	r.must("zoe", "main", "/incident declare images do not load --cert media") // who may not see the first is not told of it
	r.posts = nil
	return r
}

// linesOf is every verb, said in every way that names an incident.
func linesOf(id string) []string {
	tail := map[string][]string{
		"incident status": {"identified", "resolved --anyway x"}, "incident sev": {"1"}, "incident lead": {"me", "ana"}, "incident impact": {"x"}, "incident note": {"x"},
		"incident edit": {"E-1 x", "E-2 x"}, "incident drop": {"E-2"}, "incident move": {"E-2 01:49Z"}, "incident temp": {"add x", "undo 1", "list"},
		"incident task": {"add x", "list", "list all"}, "incident role": {"scribe me"}, "incident invite": {"me", "zoe"}, "incident handoff": {"me"}, "incident rename": {"x"},
		"incident started": {"01:50Z"}, "incident detected": {"01:50Z"}, "incident reopen": {"x"}, "incident cancel": {"x"}, "incident duplicate": {"INC-2"}, "incident merge": {"INC-2"},
		"incident snooze": {"update 30m"}, "incident quiet": {"update"}, "incident postmortem": {"md", "json", "html", "set lessons x", "set lessons --seen E-1 -- x", "finished", "publish", "publish --anyway x"}, "incident export": {"json", "csv", "zip"},
	}
	var lines []string
	for _, v := range commands.Verbs() {
		if !strings.HasPrefix(v.Name, "incident") || v.Name == "incident declare" {
			continue
		}
		for _, t := range append([]string{""}, tail[v.Name]...) {
			lines = append(lines, strings.TrimSpace("/"+v.Name+" "+id+" "+t))
		}
	}
	return append(lines, "/incident "+id, "/incident merge INC-2 "+id, "/incident duplicate INC-2 "+id)
}

// TestStranger says every verb as somebody who is not part of a private
// incident: it is as if it were not there.
func TestStranger(t *testing.T) {
	t.Parallel()
	r := privateRoom(t)
	ctx := context.Background()
	before, _ := r.book.History(ctx, "INC-1")
	at := r.clock.now()
	ask := func(where, line string) (string, commands.Reply) {
		reply := r.desk.Do(ctx, commands.Request{Text: line, By: person("zoe"), Room: where, At: at}, r.post)
		b, err := json.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), reply
	}
	hidden := func(what, text string, words []string) {
		t.Helper()
		for _, w := range words {
			if strings.Contains(text, w) {
				t.Errorf("%s: %q shows", what, w)
			}
		}
	}
	words := secretWords[:len(secretWords)-1]
	none := linesOf("INC-9")
	for n, line := range linesOf("INC-1") {
		got, reply := ask("main", line)
		hidden(line, got, words)
		want, _ := ask("main", none[n])
		if want = strings.ReplaceAll(want, "INC-9", "INC-1"); got != want {
			t.Errorf("%s is answered otherwise than for an incident that there is not:\n%s\n%s", line, got, want)
		}
		if reply.Problem.IsZero() && !strings.Contains(line, " list") && line != "/incident task INC-1" { // the lists go on without it
			t.Errorf("%s was done", line)
		}
	}
	for _, v := range commands.Verbs() { // in its room, and with what it has of its own
		for _, tail := range []string{"", " x", " me", " E-1 x", " done T-1", " media", " list all", " search x"} {
			if v.Name == "help" {
				continue
			}
			got, _ := ask("INC-1", "/"+v.Name+tail)
			hidden("in the room: /"+v.Name+tail, got, words)
			if want, _ := ask("INC-9", "/"+v.Name+tail); strings.ReplaceAll(want, "INC-9", "INC-1") != got {
				t.Errorf("in the room: /%s%s: %s, want %s", v.Name, tail, got, want)
			}
		}
	}
	for _, line := range []string{"/incident list", "/incident list all", "/incident list search zebra", "/incident list search okapi", "/incident task list all", "/incident task done T-1", "/certcheck", "/certcheck media", "/renew", "/renew media", "/renew status R-1", "/certcheck who media", "/incident", "/incident show", "/incident timeline"} {
		got, _ := ask("main", line)
		if _, typed, ok := strings.Cut(line, " search "); ok { // they come back in quotes
			got = strings.ReplaceAll(got, typed, "")
		}
		hidden(line, got, secretWords)
	}
	for _, line := range []string{"/incident ", "/incident show ", "/incident note I", "/incident merge ", "/incident task done "} {
		hidden("completing "+line, strings.Join(r.desk.Complete(ctx, line, "main"), " "), secretWords)
	}
	for _, verb := range []string{"incident close", "incident status"} {
		f, err := r.desk.Form(ctx, commands.FormAsk{Verb: verb, Subject: "INC-1", Room: "main", By: person("zoe")})
		b, _ := json.Marshal(f)
		if err == nil {
			t.Errorf("the form of %s: %s", verb, b)
		}
		hidden("the form of "+verb, string(b)+err.Error(), words)
	}
	if after, _ := r.book.History(ctx, "INC-1"); len(after) != len(before) {
		t.Errorf("%d lines were written by a stranger", len(after)-len(before))
	}
	// What the program says of itself: checks, renewals, reminders, in every room but its own.
	r.engine.checked("media")
	r.rehearsed("media")
	r.must("ana", "INC-1", "/incident resolve --anyway over")
	for range 60 {
		r.clock.add(30 * time.Minute)
		if err := r.desk.Tick(ctx, r.clock.now(), r.post); err != nil {
			t.Fatal(err)
		}
	}
	own := 0
	for _, p := range r.posts {
		if p.Room == "INC-1" {
			own++
			continue
		}
		b, _ := json.Marshal(p)
		hidden("said in "+p.Room+": "+p.Reply.Headline, string(b), secretWords)
	}
	if own == 0 {
		t.Error("nothing was said in its own room")
	}
}

// TestStrangersPages: no page, draft or image of a private incident for who is
// not part of it.
func TestStrangersPages(t *testing.T) {
	t.Parallel()
	r := privateRoom(t)
	ctx := context.Background()
	es := r.pinEntries("INC-1")
	sha := es[0].Evidence.Pin.Images[0].SHA256
	for _, by := range []commands.Person{{}, person("zoe"), {ID: "web:", Platform: "web"}} {
		var all []any
		note := func(v any, err error) {
			all = append(all, v)
			if err != nil {
				all = append(all, err.Error())
			}
		}
		estate, err := r.desk.EstatePage(ctx, by)
		note(estate, err)
		cert, err := r.desk.CertificatePage(ctx, "media", by)
		note(cert, err)
		list, err := r.desk.IncidentsPage(ctx, "", by)
		note(list, err)
		b, _ := json.Marshal(all)
		for _, w := range secretWords {
			if strings.Contains(string(b), w) {
				t.Errorf("%q sees %q on a page", by.Name, w)
			}
		}
		_, e1 := r.desk.IncidentPage(ctx, "INC-1", by)
		_, e2 := r.desk.Draft(ctx, "INC-1", "md", by)
		_, e3 := r.desk.Image(ctx, "INC-1", sha, by)
		for n, err := range []error{e1, e2, e3} {
			if err == nil || err.Error() != "There is no incident INC-1." {
				t.Errorf("%q, page %d: %v", by.Name, n, err)
			}
		}
		if r.desk.MayRead(ctx, "INC-1", orWeb(by.ID)) || !r.desk.MayRead(ctx, "INC-2", orWeb(by.ID)) || !r.desk.MayRead(ctx, "INC-9", orWeb(by.ID)) {
			t.Errorf("%q may read the wrong rooms", by.Name)
		}
	}
	if _, err := r.desk.Image(ctx, "INC-1", sha, person("ana")); err != nil || !r.desk.MayRead(ctx, "INC-1", "web:ana") {
		t.Errorf("ana: %v", err)
	}
}

func orWeb(id string) string {
	if id == "" {
		return "web:"
	}
	return id
}

func TestInvite(t *testing.T) {
	t.Parallel()
	r := privateRoom(t)
	ctx := context.Background()
	if p := r.say("zoe", "main", "/incident show INC-1"); p.Problem.Code != "unknown_incident" {
		t.Fatal(p.Problem)
	}
	p := r.must("ana", "INC-1", "/incident invite zoe")
	if p.Headline != "zoe is part of INC-1 now." || len(r.posts) != 1 || r.posts[0].For != "web:zoe" || r.posts[0].Room != "INC-1" {
		t.Errorf("%+v %+v", p, r.posts)
	}
	if p := r.must("ana", "INC-1", "/incident invite zoe"); !strings.Contains(p.Headline, "already") {
		t.Errorf("%+v", p)
	}
	if p := r.must("zoe", "main", "/incident show INC-1"); !strings.Contains(p.Headline, "zebra") {
		t.Errorf("%+v", p)
	}
	es, _ := r.book.Timeline(ctx, "INC-1")
	n := 0
	for _, e := range es {
		if e.Kind == incident.RoleKind && e.Text == "Invited: zoe." && e.By.Name == "ana" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d lines of the invitation", n)
	}
	if p := r.say("ana", "INC-1", "/incident invite bem"); p.Problem.Code != "unknown_person" || !strings.Contains(p.Problem.Hint, "/incident invite ben") {
		t.Errorf("%+v", p)
	}
	// By a role.
	r.must("ana", "INC-1", "/incident role scribe ben")
	if p := r.must("ben", "main", "/incident show INC-1"); !strings.Contains(p.Headline, "zebra") {
		t.Errorf("%+v", p)
	}
	// A mention is the platform's own word of who is meant.
	slack := func(id, name string) commands.Person {
		return commands.Person{ID: "slack:" + id, Name: name, Platform: "slack"}
	}
	r.as(slack("U0ANA", "ana"), "main", "/incident declare --private okapi --cert api")
	if p := r.as(slack("U0ANA", "ana"), "INC-3", "/incident invite <@U0EVE|eve>"); !p.Problem.IsZero() {
		t.Fatalf("%+v", p)
	}
	if p := r.as(slack("U0EVE", "eve"), "main", "/incident show INC-3"); !p.Problem.IsZero() {
		t.Errorf("%+v", p)
	}
	if p := r.as(slack("U0EVIL", "eve"), "main", "/incident show INC-3"); p.Problem.Code != "unknown_incident" {
		t.Errorf("another one by the same name: %+v", p)
	}
}

// What is private does not become part of what is not, or the other way round.
func TestPrivateMerge(t *testing.T) {
	t.Parallel()
	r := privateRoom(t)
	for _, line := range []string{"/incident merge INC-2 INC-1", "/incident merge INC-1 INC-2", "/incident duplicate INC-2 INC-1"} {
		if p := r.say("ana", "main", line); p.Problem.Code != "private" || p.Public {
			t.Errorf("%s: %+v", line, p.Problem)
		}
	}
	es, _ := r.book.History(context.Background(), "INC-2")
	for _, e := range es {
		if strings.Contains(e.Text, "INC-1") || strings.Contains(e.Text, "zebra") {
			t.Errorf("%+v", e)
		}
	}
}

// TestRenewalNamesNoPrivateIncident: the answer to who renews says nothing of
// a private incident of the certificate, and what is said in the room of one
// incident names no other private one.
func TestRenewalNamesNoPrivateIncident(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare --private sev1 keys leaked --cert media") // INC-1
	reply := r.must("ben", "main", "/renew media --yes")
	if b, _ := json.Marshal(reply); bytes.Contains(b, []byte("INC-1")) {
		t.Errorf("the answer names it: %s", b)
	}
	r.must("ana", "main", "/incident declare --anyway --private sev1 more keys leaked --cert media") // INC-2
	r.posts = nil
	r.must("ana", "INC-1", "/renew media --yes --force")
	for _, p := range r.posts {
		b, _ := json.Marshal(p.Reply)
		for _, id := range []string{"INC-1", "INC-2"} {
			if p.Room != id && bytes.Contains(b, []byte(id)) {
				t.Errorf("%s is named in %s: %s", id, p.Room, b)
			}
		}
	}
}

// TestRenewalIsEchoedInTheOpenRoom: a private incident that is newer does not
// keep the answer from the room of the one that everybody sees.
func TestRenewalIsEchoedInTheOpenRoom(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare sev1 images do not load --cert media")
	r.must("ana", "main", "/incident declare --anyway --private sev1 keys leaked --cert media")
	if reply := r.must("ben", "main", "/renew media --yes"); reply.Incident != "INC-1" {
		t.Errorf("echoed in %q", reply.Incident)
	}
}
