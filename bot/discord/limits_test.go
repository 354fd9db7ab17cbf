package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
)

// TestBuckets: routes share a bucket by channel, answers have one for each
// interaction, and what was reset is forgotten.
func TestBuckets(t *testing.T) {
	t.Parallel()
	const a, b = "channels/1100000000000000003/messages", "channels/1100000000000000004/messages"
	for _, c := range []struct {
		x, y string
		same bool
	}{
		{bucketOf("PATCH", a+"/1100000000000000009"), bucketOf("PATCH", a+"/1100000000000000010"), true},
		{bucketOf("PATCH", a+"/1100000000000000009"), bucketOf("PATCH", b+"/1100000000000000009"), false},
		{bucketOf("POST", a), bucketOf("GET", a+"?limit=100"), false},
		{bucketOf("PATCH", "webhooks/1100000000000000001/tok-a/messages/@original"), bucketOf("PATCH", "webhooks/1100000000000000001/tok-b/messages/@original"), false},
	} {
		if (c.x == c.y) != c.same {
			t.Errorf("%q and %q", c.x, c.y)
		}
	}
	now := time.Unix(1000, 0)
	l := newLimits(func() time.Time { return now })
	head := http.Header{"X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset-After": {"2.5"}}
	for i := range 3 * mostBuckets {
		l.learn(fmt.Sprint(i), head)
	}
	if len(l.buckets) > mostBuckets {
		t.Errorf("%d buckets are remembered", len(l.buckets))
	}
	l.learn("x", head)
	if d := l.reserve("x", false); d != 0 {
		t.Errorf("the one that is left waits %s", d)
	}
	if d := l.reserve("x", false); d != 2500*time.Millisecond {
		t.Errorf("the next waits %s", d)
	}
	now = now.Add(3 * time.Second)
	if d := l.reserve("x", false); d != 0 {
		t.Errorf("after the reset it waits %s", d)
	}
	l.told("y", &limited{after: time.Minute, all: true})
	if l.reserve("z", false) != time.Minute || l.reserve("z", true) != 0 {
		t.Error("the global limit is for all but answers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var waits *limited
	if err := l.wait(ctx, "z", false); !errors.As(err, &waits) {
		t.Errorf("waits longer than its context: %v", err)
	}
}

// TestPace: under Discord's own limits nothing is refused, edits of one
// message are told as one, the last state always.
func TestPace(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	f.Limit("create_message", 5, 200*time.Millisecond)
	f.Limit("update_message", 5, 200*time.Millisecond)
	f.LimitAll(50, time.Second)
	st := start(t, f, nil, Options{Edits: 100 * time.Millisecond}).up(t)
	for i := range 100 {
		_ = st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{State: commands.StateRunning, Headline: fmt.Sprintf("step %d.", i), Key: "k", Public: true}})
	}
	for i := range 20 {
		st.post(t, "main", fmt.Sprintf("other %02d.", i))
	}
	st.sees(t, "ana", main, "step 99.")
	st.sees(t, "ana", main, "other 19.")
	for i := range 20 {
		if n := strings.Count(f.Seen("ana", main), fmt.Sprintf("other %02d.", i)); n != 1 {
			t.Errorf("%d stands %d times", i, n)
		}
	}
	if n := len(f.Calls("update_message")); n > 8 {
		t.Errorf("%d edits", n)
	}
	if n := f.Invalid(); n > 3 {
		t.Errorf("%d requests were refused", n)
	}
}

// TestWithoutProof: where embeds and files are not allowed, the words are said.
func TestWithoutProof(t *testing.T) {
	t.Parallel()
	f := bottest.NewDiscord(t)
	st := start(t, f, nil, Options{}).up(t)
	f.Permit(main, bottest.DiscordApp, 0, 1<<14|1<<15)
	if err := st.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: commands.Reply{Headline: "media expired.", Public: true,
		Facts: []commands.Fact{{Name: "hosts good", Value: "0 of 4"}}, Files: []commands.File{{Name: "draft.md", Type: "text/markdown", Data: []byte("# x")}}}}); err != nil {
		t.Fatal(err)
	}
	st.sees(t, "ben", main, "hosts good: 0 of 4")
	st.sees(t, "ben", main, "draft.md cannot be attached")
	if n := len(st.Status().Notes); n == 0 {
		t.Error("the operator is not told")
	}
}
