package commands_test

// What users of incident tools complain of most, each as a test of its own.
// Where a complaint is about a chat platform's side of it, bot/slack and
// bot/discord have the other half.

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

func (r *room) draftText(id string) string {
	r.t.Helper()
	f, err := r.desk.Draft(context.Background(), id, "md", person("ana"))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(f.Data)
}

// "The start cannot be set to before the declaration, or never reaches the postmortem."
func TestComplaintStartBeforeDeclaration(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert api --start 2026-11-19T23:30:00Z")
	i, _ := r.book.Incident(context.Background(), "INC-1")
	if m, ok := i.Milestone(incident.Started); !ok || m.At.Format(time.RFC3339) != "2026-11-19T23:30:00Z" || !m.At.Before(i.Declared) {
		t.Errorf("%+v", m)
	}
	if d := r.draftText("INC-1"); !strings.Contains(d, "2026-11-19 23:30") {
		t.Errorf("the draft has another start:\n%s", d)
	}
	r.must("ana", "INC-1", "/incident started 2026-11-18T22:00:00Z the first ticket")
	if d := r.draftText("INC-1"); !strings.Contains(d, "2026-11-18 22:00") {
		t.Errorf("the corrected start is not in the draft:\n%s", d)
	}
}

// "Durations drop the days."
func TestComplaintDurationsDropDays(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert api --start 2026-11-19T23:54:20Z")
	r.must("ana", "INC-1", "/incident resolve --anyway over")
	if d := r.draftText("INC-1"); !strings.Contains(d, "2 d 2 h") {
		t.Errorf("no days in the draft:\n%s", d)
	}
}

// "Times have no zone and no date."
func TestComplaintTimesWithoutZoneOrDate(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert api")
	p := r.must("ana", "INC-1", "/incident note first report @ yesterday 23:55Z")
	if !strings.Contains(p.Headline, "2026-11-21 23:55:00 UTC") {
		t.Errorf("%s", p.Headline)
	}
	berlin := commands.Person{ID: "web:cho", Name: "cho", Platform: "web", Zone: "Europe/Berlin"}
	if p := r.as(berlin, "INC-1", "/incident note a call @ 02:30"); !strings.Contains(p.Headline, "2026-11-22 01:30:00 UTC") || !strings.Contains(p.Body, "Europe/Berlin") {
		t.Errorf("how it was read is not said: %+v", p)
	}
	if p := r.must("ana", "INC-1", "/incident timeline"); !strings.Contains(draw(p), "2026-11-21 23:55:00 UTC") || !strings.Contains(draw(p), "2026-11-22 01:30:00 UTC") {
		t.Errorf("%s", draw(p))
	}
	if d := r.draftText("INC-1"); !strings.Contains(d, "2026-11-21 23:55") || !strings.Contains(d, "UTC") || !strings.Contains(d, "2026-11-22") {
		t.Errorf("the draft:\n%s", d)
	}
}

// "A line's text or time cannot be corrected."
func TestComplaintNoCorrection(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert api")
	r.must("ben", "INC-1", "/incident note frist report @ 01:40Z")
	es, _ := r.book.Timeline(context.Background(), "INC-1")
	id := ""
	for _, e := range es {
		if e.Text == "frist report" {
			id = e.ID
		}
	}
	r.must("ana", "INC-1", "/incident edit "+id+" first report")
	r.must("ana", "INC-1", "/incident move "+id+" 01:45Z")
	e, err := r.book.Entry(context.Background(), "INC-1", id)
	if err != nil || e.Text != "first report" || e.At.Format("15:04") != "01:45" || e.Version != 3 {
		t.Errorf("%+v %v", e, err)
	}
	if h, _ := r.book.History(context.Background(), "INC-1"); !strings.Contains(fmt.Sprint(h), "frist report") {
		t.Error("what it said is not kept")
	}
	if broken, _ := r.book.Verify(context.Background(), "INC-1"); broken != "" {
		t.Error(broken)
	}
}

// "A pin on a reply in a thread captures the wrong message."
func TestComplaintPinOfAReply(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert api")
	reply := commands.Pin{Key: "slack/C1/1700000009.000200", Room: "INC-1", At: t0.Add(-time.Minute), Author: slackPerson("zoe"), Text: "it is the CDN", By: slackPerson("ana"), Link: "https://x.slack.com/archives/C1/p1700000009000200?thread_ts=1700000000.000100"}
	parent := commands.Pin{Key: "slack/C1/1700000000.000100", Room: "INC-1", At: t0.Add(-2 * time.Minute), Author: slackPerson("ben"), Text: "images?", By: slackPerson("ana"), Link: "https://x.slack.com/archives/C1/p1700000000000100"}
	r.pinned(reply)
	es := r.pinEntries("INC-1")
	if len(es) != 1 || es[0].Text != "it is the CDN" || es[0].By.Name != "zoe" || es[0].Link != reply.Link || !es[0].At.Equal(reply.At) {
		t.Fatalf("%+v", es)
	}
	r.pinned(parent)
	if err := r.desk.Repin(context.Background(), parent.Key, "images are gone", false, r.clock.now(), r.post); err != nil {
		t.Fatal(err)
	}
	es = r.pinEntries("INC-1")
	if len(es) != 2 || es[0].Text != "images are gone" || es[1].Text != "it is the CDN" {
		t.Errorf("%+v", es)
	}
}

// "Reminders are lost at a restart, and silent outside office hours."
func TestComplaintReminders(t *testing.T) {
	t.Parallel()
	r := newRoom(t) // a Sunday, two in the morning
	r.must("ana", "main", "/incident declare images do not load --cert api")
	for restart := range 2 {
		r.posts = nil
		r.clock.add(11 * time.Minute)
		desk := commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now})
		if err := desk.Tick(context.Background(), r.clock.now(), r.post); err != nil {
			t.Fatal(err)
		}
		if len(r.posts) == 0 || !strings.Contains(r.posts[0].Reply.Headline, "has no commander") {
			t.Errorf("after restart %d: %+v", restart, r.posts)
		}
		said := len(r.posts)
		desk = commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now})
		if err := desk.Tick(context.Background(), r.clock.now(), r.post); err != nil || len(r.posts) != said {
			t.Errorf("said again after a restart: %+v %v", r.posts, err)
		}
	}
}

// "A second pin makes a second entry."
func TestComplaintSecondPin(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert api")
	p := commands.Pin{Key: "slack/C1/1.1", Room: "INC-1", Author: slackPerson("zoe"), Text: "hello", By: slackPerson("ana")}
	for n := range 6 {
		if n == 3 { // a restart
			r.desk = commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now})
		}
		p.By = slackPerson(fmt.Sprint("person", n))
		r.pinned(p)
	}
	if es := r.pinEntries("INC-1"); len(es) != 1 || es[0].Version != 1 {
		t.Errorf("%+v", es)
	}
}

// "Images are made public to copy them."
func TestComplaintPublicImages(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare --private key leaked")
	r.pinned(commands.Pin{Key: "slack/C1/1.1", Room: "INC-1", Author: person("ana"), Text: "look", By: person("ana"), Images: []commands.File{{Name: "a.png", Data: picture}}})
	img := r.pinEntries("INC-1")[0].Evidence.Pin.Images[0]
	if f, err := r.desk.Image(context.Background(), "INC-1", img.SHA256, person("ana")); err != nil || string(f.Data) != string(picture) {
		t.Errorf("it is not in the record: %v", err)
	}
	if _, err := r.desk.Image(context.Background(), "INC-1", img.SHA256, person("zoe")); err == nil {
		t.Error("everybody sees it")
	}
	if b, _ := json.Marshal(img); strings.Contains(string(b), "http") {
		t.Errorf("it stands elsewhere: %s", b)
	}
}

// "The severity is read out of any digit in the sentence."
func TestComplaintSeverityOfAnyDigit(t *testing.T) {
	t.Parallel()
	for title, want := range map[string]incident.Severity{
		"1 of 4 hosts fails": 2, "http 3 is slow": 2, "error 404 since 1:30": 2, "sev3 1 of 4 hosts fails": 3, "SEV-1 4 hosts": 1, "is this sev1?": 2,
	} {
		r := newRoom(t)
		r.must("ana", "main", "/incident declare "+title+" --cert api")
		i, _ := r.book.Incident(context.Background(), "INC-1")
		if i.Severity != want {
			t.Errorf("%q: SEV%d, want SEV%d", title, i.Severity, want)
		}
	}
}

// "A long title breaks the declaration" (a channel's name has 80 characters).
func TestComplaintLongTitle(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	title := strings.TrimSpace(strings.Repeat("images do not load äöü ", 8))
	p := r.must("ana", "main", "/incident declare "+title+" --cert api")
	if i, err := r.book.Incident(context.Background(), "INC-1"); err != nil || i.Title != title || !strings.Contains(p.Headline, "INC-1") {
		t.Errorf("%+v %v", i, err)
	}
	if p := r.say("ana", "main", "/incident declare "+strings.Repeat("x", 201)); p.Problem.Code != "long_title" || p.Problem.Hint == "" {
		t.Errorf("too long: %+v", p)
	}
}

// busy is an engine in which everything that goes out to the network hangs.
type busy struct {
	*engine
	t *testing.T
}

func (b busy) Check(ctx context.Context, _ string) (renew.Standing, error) {
	b.t.Error("a form waits for a check")
	return renew.Standing{}, ctx.Err()
}

func (b busy) Plan(ctx context.Context, _ renew.Ask) (renew.Plan, error) {
	b.t.Error("a form waits for a plan")
	return renew.Plan{}, ctx.Err()
}

func (b busy) Rehearse(ctx context.Context, _ string) (renew.Standing, error) {
	b.t.Error("a form waits for a rehearsal")
	return renew.Standing{}, ctx.Err()
}

// "The form opens too late (trigger_id expired)": it reads the record alone.
func TestComplaintLateForm(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert media")
	desk := commands.New(commands.Options{Book: r.book, Renewer: busy{r.engine, t}, Now: r.clock.now})
	for _, verb := range []string{"incident declare", "incident status", "incident close"} {
		ask := commands.FormAsk{Verb: verb, Room: "INC-1", By: person("ana")}
		if f, err := desk.Form(context.Background(), ask); err != nil || len(f.Fields) == 0 {
			t.Errorf("%s: %+v %v", verb, f, err)
		}
	}
}

// "Two people declare the same thing."
func TestComplaintTwoDeclare(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare media is down --cert media")
	p := r.say("ben", "main", "/incident declare images are gone --cert media")
	if p.Problem.Code != "duplicate" || !strings.Contains(p.Problem.Message, "INC-1") || len(p.Buttons) == 0 || !strings.Contains(p.Buttons[0].Command, "INC-1") {
		t.Errorf("%+v", p)
	}
	if all, _ := r.book.List(context.Background(), incident.Filter{}); len(all) != 1 {
		t.Errorf("%d incidents", len(all))
	}
	p = r.must("ben", "main", "/incident declare images are gone --cert media --anyway")
	if !strings.Contains(p.Headline, "INC-2") {
		t.Errorf("%+v", p)
	}
	r.must("ben", "main", "/incident merge INC-2 INC-1") // and become one again
}

// "A private incident leaks through a digest."
func TestComplaintPrivateInADigest(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare --private zebra keys leaked --cert media")
	r.must("ana", "main", "/incident task add INC-1 zebra hunt due 2026-11-23")
	r.posts = nil
	for range 100 {
		r.clock.add(time.Hour)
		if err := r.desk.Tick(context.Background(), r.clock.now(), r.post); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.posts) == 0 {
		t.Fatal("no reminder at all, so this shows nothing")
	}
	for _, p := range r.posts {
		if b, _ := json.Marshal(p); p.Room != "INC-1" && (strings.Contains(string(b), "zebra") || strings.Contains(string(b), "INC-1")) {
			t.Errorf("said in %s: %s", p.Room, b)
		}
	}
	for _, who := range []string{"zoe", ""} {
		h, err := r.desk.Home(context.Background(), commands.Person{ID: "slack:" + who, Name: who, Platform: "slack"})
		if b, _ := json.Marshal(h); err != nil || strings.Contains(string(b), "zebra") || strings.Contains(string(b), "INC-1") {
			t.Errorf("on the page of %q: %s %v", who, b, err)
		}
	}
}

// "Going back a state is refused."
func TestComplaintNoWayBack(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare images do not load --cert api")
	r.must("ana", "INC-1", "/incident status monitoring")
	if p := r.say("ana", "INC-1", "/incident status investigating"); p.Problem.Code != "reason_needed" || !strings.Contains(p.Problem.Hint, "--reason") {
		t.Errorf("%+v", p.Problem)
	}
	r.must("ana", "INC-1", "/incident status investigating --reason one host fails again")
	r.must("ana", "INC-1", "/incident resolve --anyway over")
	r.must("ana", "INC-1", "/incident close --anyway over")
	r.must("ana", "INC-1", "/incident reopen it was not over")
	if i, _ := r.book.Incident(context.Background(), "INC-1"); i.Status != incident.Investigating {
		t.Errorf("%s", i.Status)
	}
}
