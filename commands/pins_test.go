package commands_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

var picture = []byte("\x89PNG\r\n\x1a\npicture of the graph")

func slackPerson(name string) commands.Person {
	return commands.Person{ID: "slack:" + name, Name: name, Platform: "slack"}
}

func (r *room) pinned(p commands.Pin) commands.Reply {
	r.t.Helper()
	r.clock.add(10 * time.Second)
	return r.desk.Pin(context.Background(), p, r.post)
}

func (r *room) pinEntries(id string) []incident.Entry {
	r.t.Helper()
	es, err := r.book.Timeline(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return slices.DeleteFunc(es, func(e incident.Entry) bool { return e.Kind != incident.PinKind })
}

func TestPinOnTheTimeline(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare media is down")
	r.posts = nil
	p := commands.Pin{Key: "slack/C1/1.1", Room: "main", At: t0.Add(-5 * time.Minute), Author: slackPerson("zoe"), Text: "users say images are gone, api_key=abcdefgh12345678",
		Link: "https://example.slack.com/p1", By: slackPerson("ana"), Images: []commands.File{{Name: "graph.png", Data: picture}, {Name: "virus.exe", Data: []byte("MZ....")}}}
	reply := r.pinned(p)
	if !reply.Problem.IsZero() || reply.Public || reply.State != commands.StateWarning || !strings.Contains(reply.Headline, "users say images are gone") ||
		!strings.Contains(reply.Body, "cut out") || !strings.Contains(reply.Body, "virus.exe is not kept") {
		t.Fatalf("%+v", reply)
	}
	es := r.pinEntries("INC-1")
	if len(es) != 1 || es[0].By.Name != "zoe" || !es[0].At.Equal(p.At) || es[0].Link != p.Link || strings.Contains(es[0].Text, "abcdefgh") || es[0].Evidence.Pin.By.Name != "ana" {
		t.Fatalf("%+v", es)
	}
	if len(r.posts) != 2 || r.posts[0].Room != "INC-1" || r.posts[0].Reply.Key == "" || r.posts[0].For != "" || r.posts[1].For != "slack:zoe" || !strings.Contains(r.posts[1].Reply.Body, "cut out") {
		t.Fatalf("%+v", r.posts)
	}
	key := r.posts[0].Reply.Key

	r.posts = nil
	again := r.pinned(p)
	if !again.Problem.IsZero() || !strings.Contains(again.Headline, "already") || len(r.pinEntries("INC-1")) != 1 || len(r.posts) != 0 {
		t.Errorf("a second pin: %+v, %d entries, %+v", again, len(r.pinEntries("INC-1")), r.posts)
	}

	if err := r.desk.Repin(context.Background(), p.Key, "users say images are back", false, r.clock.now(), r.post); err != nil {
		t.Fatal(err)
	}
	if es := r.pinEntries("INC-1"); len(es) != 1 || es[0].Text != "users say images are back" || es[0].Version != 2 || len(r.posts) != 1 || r.posts[0].Reply.Key != key {
		t.Errorf("after an edit: %+v, %+v", es, r.posts)
	}
	if err := r.desk.Repin(context.Background(), p.Key, "", true, r.clock.now(), r.post); err != nil {
		t.Fatal(err)
	}
	if es := r.pinEntries("INC-1"); len(es) != 1 || !strings.Contains(es[0].Text, "users say images are back [deleted by its author at ") {
		t.Errorf("after a deletion: %+v", es)
	}
	if err := r.desk.Repin(context.Background(), "slack/C1/9.9", "of no timeline", false, r.clock.now(), r.post); err != nil {
		t.Error(err)
	}

	r.posts = nil
	off := r.desk.Unpin(context.Background(), p.Key, slackPerson("ben"), r.clock.now(), r.post)
	if !off.Problem.IsZero() || len(r.pinEntries("INC-1")) != 0 || len(r.posts) != 1 || !strings.Contains(r.posts[0].Reply.Body, "Taken off by ben") || r.posts[0].Reply.Key != key {
		t.Errorf("%+v, %+v", off, r.posts)
	}
	history, _ := r.book.History(context.Background(), "INC-1")
	if last := history[len(history)-1]; !last.Dropped || last.By.Name != "ben" {
		t.Errorf("who took it off: %+v", last)
	}
	if none := r.desk.Unpin(context.Background(), "slack/C1/9.9", slackPerson("ben"), r.clock.now(), r.post); none.Problem.Code != "not_pinned" {
		t.Errorf("%+v", none)
	}
	if back := r.pinned(p); !back.Problem.IsZero() || len(r.pinEntries("INC-1")) != 1 {
		t.Errorf("%+v", back)
	}

	// A person may correct what a pin says, and take it off by its number.
	id := r.pinEntries("INC-1")[0].ID
	r.must("ana", "INC-1", "/incident edit "+id+" users say that images are gone")
	r.must("ana", "INC-1", "/incident drop "+id+" another service")
	if es := r.pinEntries("INC-1"); len(es) != 0 {
		t.Errorf("%+v", es)
	}
}

func TestPinFindsItsIncident(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	p := commands.Pin{Key: "slack/C1/1.1", Room: "main", Author: slackPerson("zoe"), Text: "hello", By: slackPerson("ana")}
	if got := r.pinned(p); got.Problem.Code != "no_incident" {
		t.Errorf("without any: %+v", got)
	}
	r.must("ana", "main", "/incident declare media is down")
	r.must("ana", "main", "/incident declare something else --cert api")
	if got := r.pinned(p); got.Problem.Code != "which_incident" {
		t.Errorf("of two: %+v", got)
	}
	p.Room = "INC-2"
	r.pinned(p)
	p.Key, p.Incident = "slack/C1/1.2", "INC-1"
	r.pinned(p)
	if len(r.pinEntries("INC-1")) != 1 || len(r.pinEntries("INC-2")) != 1 {
		t.Errorf("%v %v", r.pinEntries("INC-1"), r.pinEntries("INC-2"))
	}
	p.Key = "slack/C1/1.1"
	if got := r.pinned(p); got.Problem.Code != "pinned_elsewhere" || !strings.Contains(got.Problem.Message, "INC-2") {
		t.Errorf("%+v", got)
	}
}

func TestPinPrivate(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare --private a secret matter")
	p := commands.Pin{Key: "slack/C1/1.1", Incident: "INC-1", Author: person("ana"), Text: "hidden words", By: person("eve")}
	for _, where := range []string{"main", "INC-1"} {
		if p.Room = where; r.pinned(p).Problem.Message != "There is no incident INC-1." {
			t.Errorf("a stranger pinned in %s: %+v", where, r.pinned(p))
		}
	}
	p.By = person("ana")
	if got := r.pinned(p); !got.Problem.IsZero() {
		t.Fatalf("%+v", got)
	}
	if got := r.desk.Unpin(context.Background(), p.Key, person("eve"), r.clock.now(), r.post); got.Problem.Code != "not_pinned" || len(r.pinEntries("INC-1")) != 1 {
		t.Errorf("a stranger un-pinned: %+v", got)
	}
	r.must("ana", "main", "/incident declare something else --cert api")
	p.By, p.Incident = person("eve"), "INC-2"
	if got := r.pinned(p); got.Problem.Code != "pinned_elsewhere" || strings.Contains(got.Headline+got.Body, "INC-1") {
		t.Errorf("a stranger was told where it is: %+v", got)
	}
	for _, post := range r.posts {
		if post.Room != "INC-1" && strings.Contains(post.Reply.Headline+post.Reply.Body, "hidden words") {
			t.Errorf("said in %s: %+v", post.Room, post.Reply)
		}
	}
}

// The images of a message that does not come on the timeline do not count
// towards what the incident may have.
func TestPinRefusedKeepsNoImage(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare media is down")
	r.must("ana", "main", "/incident declare something else --cert api")
	p := commands.Pin{Key: "slack/C1/1.1", Incident: "INC-1", Author: slackPerson("zoe"), Text: "images are gone", By: person("ana"), Images: []commands.File{{Name: "graph.png", Data: picture}}}
	if got := r.pinned(p); !got.Problem.IsZero() {
		t.Fatalf("%+v", got)
	}
	kept := func(id string, data []byte) bool {
		h := sha256.Sum256(data)
		_, _, err := r.book.Image(context.Background(), id, hex.EncodeToString(h[:]))
		return err == nil
	}
	p.Incident = "INC-2"
	if got := r.pinned(p); got.Problem.Code != "pinned_elsewhere" || kept("INC-2", picture) || !kept("INC-1", picture) {
		t.Errorf("elsewhere: %+v, image kept %t %t", got, kept("INC-2", picture), kept("INC-1", picture))
	}
	other := append(bytes.Clone(picture), '2')
	p.Incident, p.Images = "INC-1", append(p.Images, commands.File{Name: "b.png", Data: other})
	if got := r.pinned(p); !got.Problem.IsZero() || kept("INC-1", other) || !kept("INC-1", picture) {
		t.Errorf("again: %+v, image kept %t %t", got, kept("INC-1", other), kept("INC-1", picture))
	}
}

func TestExportWithImages(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.must("ana", "main", "/incident declare media is down")
	r.pinned(commands.Pin{Key: "slack/C1/1.1", Room: "main", Author: slackPerson("zoe"), Text: "look", By: slackPerson("ana"), Images: []commands.File{{Name: "graph.png", Data: picture}}})
	f := r.must("ana", "INC-1", "/incident export zip").Files[0]
	z, err := zip.NewReader(bytes.NewReader(f.Data), int64(len(f.Data)))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, one := range z.File {
		if strings.HasPrefix(one.Name, "images/") {
			o, err := one.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, _ := io.ReadAll(o)
			found = bytes.Equal(data, picture)
		}
	}
	if !found || len(z.File) != 3 {
		t.Errorf("%d files", len(z.File))
	}
	d, err := r.desk.Draft(context.Background(), "INC-1", "md", person("ana"))
	if err != nil || !strings.Contains(string(d.Data), "### Images") || !strings.Contains(string(d.Data), "graph.png") || !strings.Contains(string(d.Data), "pinned by ana") {
		t.Errorf("the draft: %v\n%s", err, d.Data)
	}
}
