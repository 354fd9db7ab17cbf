package incident

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

// slugForm is what a published file may be called.
var slugForm = regexp.MustCompile(`^([a-z0-9]+(-[a-z0-9]+)*)?$`)

func FuzzSlug(f *testing.F) {
	for _, title := range []string{"", "images down", "../../etc/passwd", ".git/config", "-rf --force", "CON", "a\x00b\nc", "Ünïcode 证书", strings.Repeat("x", 300), "a/./b//c\\d", "--", "K\u212a"} {
		f.Add(title)
	}
	f.Fuzz(func(t *testing.T, title string) {
		if s := slug(title); !slugForm.MatchString(s) || len(s) > maxSlug {
			t.Errorf("%q becomes %q", title, s)
		}
	})
}

// The intent: at the close and when asked for, under the name that it had at
// first; gone with the incident; without a name that was forgotten.
func TestPublication(t *testing.T) {
	t.Parallel()
	b, w := testBook(t)
	ctx, ok := t.Context(), must[Incident](t)
	id := ok(b.Declare(ctx, Declaration{Title: "x/../y", By: ana}, false)).ID
	if _, err := b.AskPublish(ctx, id, Change{By: ana}); !errors.Is(err, ErrState) {
		t.Errorf("asked for while open: %v", err)
	}
	ok(b.Close(ctx, id, Change{By: ana, Reason: "x", Publish: true, Key: "k"}))
	ok(b.Close(ctx, id, Change{By: ana, Reason: "x", Publish: true, Key: "k"}))
	list := must[[]Publication](t)(b.Publications(ctx, w.now()))
	if len(list) != 1 || list[0].Path != "INC-1-x-y" || list[0].Rev != 1 || list[0].By != (Person{}) || !list[0].Asked.Equal(w.now()) {
		t.Fatalf("%+v", list)
	}
	ok(b.SetImpact(ctx, id, "all", Change{By: ana})) // changed while it is under way
	pub := list[0]
	pub.Commit, pub.Content = "c1", "s1"
	if err := b.PublishDone(ctx, pub, "Published."); err != nil {
		t.Fatal(err)
	}
	if list = must[[]Publication](t)(b.Publications(ctx, w.now())); len(list) != 1 || list[0].Commit != "c1" {
		t.Fatalf("what changed meanwhile is lost: %+v", list)
	}
	if err := b.PublishDone(ctx, list[0], ""); err != nil {
		t.Fatal(err)
	}
	if list = must[[]Publication](t)(b.Publications(ctx, time.Time{})); len(list) != 0 {
		t.Fatalf("published and waits: %+v", list)
	}
	ok(b.AskPublish(ctx, id, Change{By: ben, Reason: "ben wants it"}))
	list = must[[]Publication](t)(b.Publications(ctx, w.now()))
	if len(list) != 1 || list[0].By != ben || list[0].Path != "INC-1-x-y" {
		t.Fatalf("%+v", list)
	}
	if err := b.PublishFailed(ctx, list[0], "down", "It is down.", w.now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if now := must[[]Publication](t)(b.Publications(ctx, w.now())); len(now) != 0 {
		t.Errorf("due before its time: %+v", now)
	}
	w.add(-24 * time.Hour)
	if now := must[[]Publication](t)(b.Publications(ctx, w.now())); len(now) != 1 {
		t.Error("the clock was put back, and it waits for a day")
	}
	w.add(48 * time.Hour)
	if _, err := b.Forget(ctx, Forgetting{Names: []string{"ben"}, IDs: []string{"web:ben"}, As: "somebody"}); err != nil {
		t.Fatal(err)
	}
	pub, found, err := b.Publication(ctx, id)
	if err != nil || !found || pub.By.Name != "somebody" || pub.Reason != "somebody wants it" || !pub.Waits || pub.Code != "down" {
		t.Errorf("%v %+v", err, pub)
	}
	w.add(400 * day)
	if gone := must[[]string](t)(b.Retire(ctx, w.now().Add(-day))); len(gone) != 1 {
		t.Fatalf("%v", gone)
	}
	if _, found, err := b.Publication(ctx, id); found || err != nil {
		t.Errorf("of a removed incident: %v %v", found, err)
	}
	if list = must[[]Publication](t)(b.Publications(ctx, time.Time{})); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// A private incident is never due but when somebody asks and says why.
func TestPublicationPrivate(t *testing.T) {
	t.Parallel()
	b, _ := testBook(t)
	ctx, ok := t.Context(), must[Incident](t)
	id := ok(b.Declare(ctx, Declaration{Title: "x", By: ana, Private: true}, false)).ID
	ok(b.Close(ctx, id, Change{By: ana, Reason: "x", Publish: true}))
	if _, err := b.AskPublish(ctx, id, Change{By: ana}); !errors.Is(err, ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	if list := must[[]Publication](t)(b.Publications(ctx, time.Time{})); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	ok(b.AskPublish(ctx, id, Change{By: ana, Reason: "the board"}))
	if list := must[[]Publication](t)(b.Publications(ctx, time.Time{})); len(list) != 1 || list[0].Reason != "the board" {
		t.Errorf("%+v", list)
	}
}
