package tracker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/tracker"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// clock is the time, and what was added to it.
type clock struct {
	mu sync.Mutex
	d  time.Duration
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return time.Now().Add(c.d) }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.d += d
}

// stand is a record, a desk and a clerk.
type stand struct {
	*bottest.Outside
	clock    *clock
	trackers map[string]tracker.Tracker
	settle   time.Duration
}

func newStand(t testing.TB) *stand {
	t.Helper()
	c := &clock{}
	x := &stand{clock: c, trackers: map[string]tracker.Tracker{}, settle: time.Millisecond,
		Outside: bottest.NewOutside(t, commands.Options{Renewer: bottest.Estate{}, Now: c.now, Trackers: []commands.Tracker{{Name: "github", Where: "example/certs", AtClose: true}, {Name: "jira", Where: "TLS"}}})}
	x.Say("/incident declare sev2 images do not load")
	return x
}

func (x *stand) run() {
	c := tracker.New(tracker.Options{Desk: x.Desk, Trackers: x.trackers, Notes: x.Notes, Post: x.Post, Now: x.clock.now, Settle: x.settle, Retry: 2 * time.Millisecond, Every: 5 * time.Millisecond})
	x.Start(func(ctx context.Context) { c.Run(ctx, nil) })
}

// task waits until an item is as wanted.
func (x *stand) task(id string, want func(incident.Task) bool) incident.Task {
	x.T.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		ts, err := x.Book.Tasks(context.Background(), true)
		if err != nil {
			x.T.Fatal(err)
		}
		at := slices.IndexFunc(ts, func(t incident.Task) bool { return t.ID == id })
		if at >= 0 && want(ts[at]) {
			return ts[at]
		}
		if time.Now().After(end) {
			x.T.Fatalf("%+v\n%s", ts, x.Heard())
		}
	}
}

func settled(t incident.Task) bool {
	return t.Export.State == incident.ExportDone || t.Export.State == incident.ExportFailed
}

func (x *stand) github(f *bottest.GitHub) tracker.Tracker {
	return x.githubAt(f.Token, f.URL)
}

func (x *stand) jira(f *bottest.Jira) tracker.Tracker {
	return &tracker.Jira{URL: f.URL, Project: f.Project, User: f.User, Token: f.Token}
}

// hostile is a text that would be markup and mentions.
const hostile = "two owners `for` each @everyone ```fence``` #12 <script>x</script> [a](javascript:x) {code} [~accountid:5b10]"

func TestGitHub(t *testing.T) {
	t.Parallel()
	f := bottest.NewGitHub(t)
	x := newStand(t)
	x.trackers["github"] = x.github(f)
	x.run()
	x.Say(`/incident task add "` + hostile + `" due 2026-12-24`)
	x.Say("/incident task export T-1 --to github")
	task := x.task("T-1", settled)
	is := f.Issues()
	if len(is) != 1 || task.Export.Ref != "example/certs#1" || task.Export.URL != "https://github.com/example/certs/issues/1" {
		t.Fatalf("%+v %+v\n%s", is, task.Export, x.Heard())
	}
	if is[0].Title != hostile || !strings.HasPrefix(is[0].Body, "```text\nAction item T-1 (prevent) of INC-1, SEV2: images do not load\nOwner: nobody yet\nDue: 2026-12-24\n") || !strings.Contains(is[0].Body, "\n```\n<!-- certmedic-t-1-inc-1-") {
		t.Errorf("%q\n%s", is[0].Title, is[0].Body)
	}
	// A day later it is read: nothing changed, then closed, then opened again.
	x.clock.add(25 * time.Hour)
	f.Close(1, "octocat", "not_planned")
	task = x.task("T-1", func(t incident.Task) bool { return !t.Open() && t.Export.There == incident.ThereDone })
	if task.DoneBy.Name != "octocat" || task.DoneBy.Platform != "github" || task.How != "done as example/certs#1 in github, not planned" || !task.Done.Equal(*f.Issues()[0].ClosedAt) && !task.Done.Equal(task.At) {
		t.Errorf("%+v", task)
	}
	f.Reopen(1)
	x.clock.add(25 * time.Hour)
	task = x.task("T-1", func(t incident.Task) bool { return t.Export.There == incident.ThereOpen })
	if task.Open() || !strings.Contains(x.Heard(), "T-1 of INC-1 was reopened as example/certs#1 in github; here it is done.") {
		t.Errorf("%+v\n%s", task, x.Heard())
	}
	// At close the open ones go by themselves.
	x.Say(`/incident task add "` + hostile + strings.Repeat(" and more", 20) + `"`)
	x.Say("/incident resolve")
	x.Say("/incident close --anyway nobody was affected")
	if task := x.task("T-2", settled); task.Export.Ref != "example/certs#2" {
		t.Errorf("%+v", task.Export)
	}
	if body := f.Issues()[1].Body; !strings.HasPrefix(body, "````text\n"+hostile) || !strings.Contains(body, "\n````\n<!-- certmedic-t-2-") {
		t.Errorf("what is in the fence can leave it: %s", body)
	}
	x.End() // what it was doing is finished
	if len(x.Notes.All()) != 0 {
		t.Errorf("left behind: %v", x.Notes.All())
	}
}

func TestJira(t *testing.T) {
	t.Parallel()
	f := bottest.NewJira(t)
	f.NoDue = true
	x := newStand(t)
	x.trackers["jira"] = x.jira(f)
	x.run()
	x.Say(`/incident task add "` + hostile + `" due 2026-12-24`)
	x.Say("/incident task export T-1 --to jira")
	task := x.task("T-1", settled)
	is := f.Issues()
	if len(is) != 1 || task.Export.Ref != "TLS-1" || task.Export.URL != f.URL+"/browse/TLS-1" {
		t.Fatalf("%+v %+v\n%s", is, task.Export, x.Heard())
	}
	if is[0].Summary != hostile || is[0].Due != "" || is[0].Type != "Task" || !strings.HasPrefix(is[0].Text, "Action item T-1 (prevent) of INC-1") || is[0].Labels[0] != "certmedic" {
		t.Errorf("%+v", is[0])
	}
	f.NoDue = false
	x.Say("/incident task add second due 2026-12-24")
	x.Say("/incident task export T-2 --to jira")
	if x.task("T-2", settled); f.Issues()[1].Due != "2026-12-24" {
		t.Errorf("%+v", f.Issues()[1])
	}
	f.Move("TLS-1", true, "Ben Example")
	x.clock.add(25 * time.Hour)
	task = x.task("T-1", func(t incident.Task) bool { return !t.Open() && t.Export.There == incident.ThereDone })
	if task.DoneBy.Name != "Ben Example" || task.How != "done as TLS-1 in jira, Fixed" {
		t.Errorf("%+v", task)
	}
	f.Move("TLS-1", false, "Ben Example")
	x.clock.add(25 * time.Hour)
	x.task("T-1", func(t incident.Task) bool { return t.Export.There == incident.ThereOpen })
	if ts, _ := x.Book.Tasks(t.Context(), false); len(ts) != 1 || ts[0].ID != "T-2" {
		t.Errorf("open: %+v", ts)
	}
}

// Whatever the tracker answers, an item is there once in the end, or the room
// is told that it is not and what to do.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to    string
		fails []string
		fail  bool // for good
		says  []string
	}{
		"github down":          {"github", []string{"500", "502", "503"}, false, []string{"T-1 of INC-1 is not in github yet: GitHub answers 500"}},
		"github create lost":   {"github", []string{"", "lost"}, false, nil},
		"github lost twice":    {"github", []string{"", "lost", "lost", "500"}, false, nil},
		"github create 502":    {"github", []string{"", "502"}, false, nil},
		"github rate":          {"github", []string{"rate"}, false, []string{"GitHub's rate limit is used up"}},
		"github abuse":         {"github", []string{"", "abuse"}, false, []string{"GitHub asks to slow down"}},
		"github slow down":     {"github", []string{"", "429", "429"}, false, []string{"GitHub answers 429"}},
		"github took too long": {"github", []string{"", "408"}, false, []string{"GitHub answers 408"}},
		"github token":         {"github", []string{"401"}, true, []string{"did not get into github: GitHub answers 401", "GITHUB_TOKEN", "/incident task export T-1 --to github"}},
		"github no repository": {"github", []string{"404"}, true, []string{"See that example/certs is right"}},
		"github no issues":     {"github", []string{"", "410"}, true, []string{"Switch the issues of example/certs on"}},
		"jira down":            {"jira", []string{"500", "503"}, false, []string{"T-1 of INC-1 is not in jira yet: Jira answers 500"}},
		"jira create lost":     {"jira", []string{"", "lost"}, false, nil},
		"jira slow down":       {"jira", []string{"", "429"}, false, []string{"Jira answers 429"}},
		"jira token":           {"jira", []string{"401"}, true, []string{"JIRA_TOKEN"}},
		"jira refuses":         {"jira", []string{"", "400"}, true, []string{"told to answer 400", "See that project TLS has issues of that type"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newStand(t)
			g, j := bottest.NewGitHub(t), bottest.NewJira(t)
			j.Behind, x.settle = 50*time.Millisecond, 200*time.Millisecond
			x.trackers["github"], x.trackers["jira"] = x.github(g), x.jira(j)
			g.Fail(map[bool][]string{true: c.fails}[c.to == "github"]...)
			j.Fail(map[bool][]string{true: c.fails}[c.to == "jira"]...)
			x.Say("/incident task add two owners")
			x.Say("/incident task export T-1 --to " + c.to)
			x.run()
			task := x.task("T-1", settled)
			n := len(g.Issues()) + len(j.Issues())
			if want := map[bool]int{false: 1, true: 0}[c.fail]; n != want || (task.Export.State == incident.ExportFailed) != c.fail {
				t.Errorf("%d issues, %+v\n%s", n, task.Export, x.Heard())
			}
			for _, w := range c.says {
				if !strings.Contains(x.Heard(), w) {
					t.Errorf("the room did not hear %q:\n%s", w, x.Heard())
				}
			}
			if strings.Contains(x.Heard(), g.Token) {
				t.Error("a token is shown")
			}
			if c.fail { // and once it is mended
				x.Say("/incident task export T-1 --to " + c.to)
				x.task("T-1", func(t incident.Task) bool { return t.Export.State == incident.ExportDone })
			}
		})
	}
}

// The list of a busy repository is read as far as the item is old.
func TestGitHubFindsDeep(t *testing.T) {
	t.Parallel()
	f := bottest.NewGitHub(t)
	x := newStand(t)
	g := x.github(f)
	e := commands.Export{Task: "T-1", Marker: "certmedic-t-1-inc-1-5", Title: "x", Text: "y", Since: time.Now()}
	made, err := g.Make(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 250 {
		f.Add(fmt.Sprint(n), "certmedic-t-1-inc-1-5 is spoken of, and <!-- certmedic-t-1-inc-1-55 -->")
	}
	p, found, err := g.Find(t.Context(), e)
	if err != nil || !found || p != made {
		t.Errorf("%+v %t %v", p, found, err)
	}
	e.Marker = "certmedic-t-1-inc-1-6"
	if _, found, err := g.Find(t.Context(), e); found || err != nil {
		t.Errorf("%t %v", found, err)
	}
	if _, err := g.State(t.Context(), commands.Export{Ref: "example/certs#999"}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("an issue that is not there: %v", err)
	}
}

// An item that was deleted there is told of once a day, and keeps nothing waiting.
func TestUnread(t *testing.T) {
	t.Parallel()
	f := bottest.NewGitHub(t)
	x := newStand(t)
	x.trackers["github"] = x.github(f)
	x.run()
	x.Say("/incident task add two owners")
	x.Say("/incident task export T-1 --to github")
	x.task("T-1", settled)
	f.Fail("410")
	x.clock.add(25 * time.Hour)
	for end := time.Now().Add(time.Minute); !strings.Contains(x.Heard(), "T-1 of INC-1 cannot be read as example/certs#1 in github: GitHub answers 410"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(x.Heard())
		}
	}
	x.Say("/incident task add second")
	x.Say("/incident task export T-2 --to github")
	x.task("T-2", settled)
}
