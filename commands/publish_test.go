package commands_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// shelf keeps papers as a repository would: the same one once.
type shelf struct {
	fail   error
	papers []commands.Paper // each that was new
	puts   int
}

func (s *shelf) Place() string { return "main of /srv/git/postmortems.git" }

func (s *shelf) Put(_ context.Context, p commands.Paper) (commands.Placed, error) {
	s.puts++
	if s.fail != nil && !p.Over {
		return commands.Placed{}, s.fail
	}
	n := len(s.papers)
	if n == 0 || s.papers[n-1].Content != p.Content {
		s.papers, n = append(s.papers, p), n+1
	}
	return commands.Placed{Commit: fmt.Sprintf("%040d", n), Path: "postmortems/" + p.Path + ".md"}, nil
}

// withShelf is a room whose desk publishes to a shelf.
func withShelf(t *testing.T, change func(*commands.Options)) (*room, *shelf) {
	t.Helper()
	r, s := newRoom(t), &shelf{}
	o := commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now, Publisher: s, Teams: []commands.Team{{Name: "web", People: []string{"ana", "ben"}}}}
	if change != nil {
		change(&o)
	}
	r.desk = commands.New(o)
	return r, s
}

// due works off what is due now and returns what was said.
func (r *room) due() []commands.Post {
	r.t.Helper()
	r.posts = nil
	if err := r.desk.PublishDue(context.Background(), r.clock.now(), r.post); err != nil {
		r.t.Fatal(err)
	}
	return r.posts
}

func (r *room) linesWith(id, words string) (n int) {
	r.t.Helper()
	all, err := r.book.Timeline(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range all {
		if strings.Contains(e.Text, words) {
			n++
		}
	}
	return n
}

// The postmortem is published at the close, again when what it says has
// changed, and not otherwise; each time in the same message.
func TestPublish(t *testing.T) {
	t.Parallel()
	r, s := withShelf(t, nil)
	r.must("ana", "main", "/incident declare sev1 ../../.git/hooks/x: *images* do not load --cert media")
	if p := r.say("ana", "main", "/incident postmortem INC-1 publish"); p.Problem.Code != "not_closed" {
		t.Errorf("while it is open: %+v", p.Problem)
	}
	if r.due(); s.puts != 0 {
		t.Error("published while it is open")
	}
	r.must("ana", "main", "/incident close INC-1 --anyway it is over")
	posts := r.due()
	if len(posts) != 1 || posts[0].Room != "INC-1" || posts[0].Reply.Headline != "The postmortem of INC-1 is published." || !strings.Contains(posts[0].Reply.Body, "Commit 000000000000 on main of /srv/git/postmortems.git: postmortems/INC-1-git-hooks-x-images-do-not-load.md") {
		t.Fatalf("said %+v", posts)
	}
	p := s.papers[0]
	draft, err := r.desk.Draft(context.Background(), "INC-1", "md", person("ana"))
	if err != nil || !strings.HasPrefix(string(p.Files[0].Data), string(draft.Data)) || !strings.HasSuffix(string(p.Files[0].Data), "](INC-1-git-hooks-x-images-do-not-load.png)\n") || !strings.HasPrefix(string(p.Files[1].Data), "\x89PNG") {
		t.Errorf("%v: not the draft: %.300s", err, p.Files[0].Data)
	}
	if strings.ContainsAny(p.Subject, "\r\n") || p.Path != "INC-1-git-hooks-x-images-do-not-load" {
		t.Errorf("%q %q", p.Subject, p.Path)
	}
	for range 5 {
		r.clock.add(time.Hour)
		if posts := r.due(); len(posts) > 0 || s.puts != 1 {
			t.Fatalf("again, and nothing has changed: %+v", posts)
		}
	}
	r.must("ana", "INC-1", "/incident impact INC-1 nobody saw an image")
	r.must("ana", "INC-1", "/incident rename INC-1 another title")
	if r.due(); s.puts != 1 {
		t.Error("published before the minute in which more may change")
	}
	r.clock.add(time.Minute)
	first := posts[0].Reply.Key
	if posts = r.due(); s.puts != 2 || len(posts) != 1 || posts[0].Reply.Key != first || s.papers[1].Path != p.Path || !strings.Contains(string(s.papers[1].Files[0].Data), "nobody saw an image") {
		t.Errorf("after a change: %d, %+v", s.puts, posts)
	}
	r.must("ana", "INC-1", "/incident postmortem INC-1 finish --anyway nobody knows more")
	r.clock.add(time.Minute)
	if r.due(); len(s.papers) != 3 || !strings.Contains(string(s.papers[2].Files[0].Data), "finished by ana") {
		t.Errorf("finished: %d papers", len(s.papers))
	}
	r.must("ana", "INC-1", "/incident postmortem INC-1 publish")
	if posts = r.due(); s.puts != 4 || len(s.papers) != 3 || len(posts) != 1 || !strings.Contains(posts[0].Reply.Body, "Nothing in it has changed since.") {
		t.Errorf("asked for, unchanged: %d puts, %d papers, %+v", s.puts, len(s.papers), posts)
	}
	if n := r.linesWith("INC-1", "The postmortem is published: commit 0"); n != 3 {
		t.Errorf("%d lines of 3 publications", n)
	}
	if broken, err := r.book.Verify(context.Background(), "INC-1"); broken != "" || err != nil {
		t.Errorf("chain: %s %v", broken, err)
	}
}

// What fails is said once, tried again less and less often, never lost, and
// said when it works.
func TestPublishFails(t *testing.T) {
	t.Parallel()
	r, s := withShelf(t, nil)
	s.fail = commands.Problem{Code: "unreachable", Message: "The repository cannot be reached.", Hint: "Is it up?"}
	r.must("ana", "main", "/incident declare x")
	r.must("ana", "main", "/incident close INC-1 --anyway it is over")
	posts := r.due()
	if len(posts) != 1 || posts[0].Reply.Headline != "The postmortem of INC-1 is not published: the repository cannot be reached." || !strings.Contains(posts[0].Reply.Body, "Is it up?\nIt is tried again") || posts[0].Reply.Buttons[0].Command != "/incident postmortem INC-1 publish" {
		t.Fatalf("%+v", posts)
	}
	said := 0
	for range 24 * 60 * 2 {
		r.clock.add(30 * time.Second)
		said += len(r.due())
	}
	if said != 0 || s.puts < 25 || s.puts > 40 { // 30 s, 1 min, 2 min ... 1 h
		t.Errorf("in a day: said %d times, tried %d times", said, s.puts)
	}
	tries := s.puts
	again := commands.New(commands.Options{Book: incident.NewBook(r.store, r.clock.now), Renewer: r.engine, Now: r.clock.now, Publisher: s}) // a restart tries at once
	if err := again.PublishDue(context.Background(), time.Time{}, r.post); err != nil || s.puts != tries+1 {
		t.Errorf("at the start: %v, %d tries", err, s.puts-tries)
	}
	s.fail = errors.New("dial /home/secret: bad")
	r.must("ana", "main", "/incident postmortem INC-1 publish")
	if posts = r.due(); len(posts) != 1 || strings.Contains(posts[0].Reply.Headline+posts[0].Reply.Body, "secret") || !strings.Contains(posts[0].Reply.Body, "log of certmedic") {
		t.Errorf("an error inside: %+v", posts)
	}
	s.fail = nil
	r.clock.add(time.Minute)
	if posts = r.due(); len(posts) != 1 || posts[0].Reply.State != commands.StateGood {
		t.Errorf("%+v", posts)
	}
	if n, m := r.linesWith("INC-1", "The postmortem is not published: "), r.linesWith("INC-1", "The postmortem is published: "); n != 2 || m != 1 {
		t.Errorf("%d lines of failures, %d of success", n, m)
	}
}

// What others changed in the repository waits for somebody's word.
func TestPublishOver(t *testing.T) {
	t.Parallel()
	r, s := withShelf(t, nil)
	s.fail = commands.Problem{Code: commands.PublishEdited, Message: "Somebody changed it.", Hint: "--anyway why"}
	r.must("ana", "main", "/incident declare x")
	r.must("ana", "main", "/incident close INC-1 --anyway it is over")
	if posts := r.due(); len(posts) != 1 || strings.Contains(posts[0].Reply.Body, "again by itself") {
		t.Fatalf("%+v", posts)
	}
	r.clock.add(24 * time.Hour)
	if r.due(); s.puts != 1 {
		t.Error("tried again by itself")
	}
	r.must("ana", "main", "/incident postmortem INC-1 publish")
	if r.due(); len(s.papers) != 0 {
		t.Error("published over it without a word why")
	}
	r.must("ana", "main", "/incident postmortem INC-1 publish --anyway their words are in ours")
	if r.due(); len(s.papers) != 1 || !s.papers[0].Over {
		t.Errorf("%d papers", len(s.papers))
	}
}

// A kill after the push, before that is recorded: the next process finds it,
// says it in the same message, and writes one line.
func TestPublishKilled(t *testing.T) {
	t.Parallel()
	r, s := withShelf(t, nil)
	r.must("ana", "main", "/incident declare x")
	q := commands.Request{ID: "close", Text: "/incident close INC-1 --anyway it is over", By: person("ana"), Room: "main"}
	r.desk.Do(context.Background(), q, r.post)
	ctx, kill := context.WithCancel(context.Background())
	dying := commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now, Publisher: s})
	keys := []string{}
	if err := dying.PublishDue(ctx, time.Time{}, func(p commands.Post) { keys = append(keys, p.Reply.Key); kill() }); err == nil {
		t.Fatal("it was recorded all the same")
	}
	next := commands.New(commands.Options{Book: incident.NewBook(r.store, r.clock.now), Renewer: r.engine, Now: r.clock.now, Publisher: s})
	next.Do(context.Background(), q, r.post) // delivered again
	for range 3 {
		if err := next.PublishDue(context.Background(), time.Time{}, func(p commands.Post) { keys = append(keys, p.Reply.Key) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.papers) != 1 || len(keys) != 2 || keys[0] != keys[1] || r.linesWith("INC-1", "is published") != 1 {
		t.Errorf("%d papers, keys %q, %d lines", len(s.papers), keys, r.linesWith("INC-1", "is published"))
	}
}

// Private incidents are published when one of their people says why; drills
// when somebody asks; by those who may close, where there is a repository.
func TestPublishWho(t *testing.T) {
	t.Parallel()
	r, s := withShelf(t, nil)
	r.must("ana", "main", "/incident declare --private keys leaked")
	r.must("ana", "INC-1", "/incident close INC-1 --anyway it is over")
	r.must("ana", "INC-1", "/incident impact INC-1 all keys")
	r.clock.add(time.Hour)
	if r.due(); s.puts != 0 {
		t.Fatal("a private incident was published unasked")
	}
	if p := r.say("ben", "main", "/incident postmortem INC-1 publish --anyway I want to"); p.Problem.Code != "unknown_incident" {
		t.Errorf("a stranger: %+v", p.Problem)
	}
	if p := r.say("ana", "INC-1", "/incident postmortem INC-1 publish"); p.Problem.Code != "private" || !strings.Contains(p.Problem.Hint, "--anyway") {
		t.Errorf("without a reason: %+v", p.Problem)
	}
	r.must("ana", "INC-1", "/incident postmortem INC-1 publish --anyway the board asks for it")
	if posts := r.due(); len(s.papers) != 1 || len(posts) != 1 || posts[0].Room != "INC-1" || s.papers[0].Over {
		t.Errorf("%d papers, %+v", len(s.papers), posts)
	}
	if r.linesWith("INC-1", "the board asks for it") != 1 {
		t.Error("why is not on the record")
	}
	r.must("ana", "INC-1", "/incident impact INC-1 all keys and more")
	r.clock.add(time.Hour)
	if posts := r.due(); s.puts != 1 || len(posts) > 0 {
		t.Errorf("a private incident, again unasked: %d puts, %+v", s.puts, posts)
	}

	r, s = withShelf(t, func(o *commands.Options) { o.Drill = true })
	r.must("ana", "main", "/incident declare x")
	r.must("ana", "main", "/incident close INC-1 --anyway over")
	if r.due(); s.puts != 0 {
		t.Error("a drill was published unasked")
	}
	r.must("ana", "main", "/incident postmortem INC-1 publish")
	r.must("ana", "main", "/incident reopen INC-1 not over")
	if posts := r.due(); s.puts != 0 || len(posts) != 1 || !strings.Contains(posts[0].Reply.Headline, "it is ") {
		t.Errorf("reopened since: %+v", posts)
	}

	r, _ = withShelf(t, func(o *commands.Options) {
		o.Policy = commands.Policy{Close: []string{"web"}}
	})
	r.must("ana", "main", "/incident declare x")
	r.must("ana", "main", "/incident close INC-1 --anyway over")
	if p := r.say("zoe", "main", "/incident postmortem INC-1 publish"); p.Problem.IsZero() {
		t.Error("somebody without the right to close published")
	}
	r.must("zoe", "main", "/incident postmortem INC-1")
	r.desk = commands.New(commands.Options{Book: r.book, Renewer: r.engine, Now: r.clock.now})
	if p := r.say("ana", "main", "/incident postmortem publish INC-1"); p.Problem.Code != "no_repository" || !strings.Contains(p.Problem.Hint, "postmortem: git:") {
		t.Errorf("no repository: %+v", p.Problem)
	}
}
