package tracker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/tracker"
	"github.com/certmedic/certmedic/incident"
)

// githubAt is GitHub at an address.
func (x *stand) githubAt(token, url string) tracker.Tracker {
	x.T.Helper()
	g, err := tracker.NewGitHub(tracker.GitHubOptions{Repo: "example/certs", Token: token, API: url})
	if err != nil {
		x.T.Fatal(err)
	}
	return g
}

// exports starts the clerk and has T-1 made in a tracker.
func (x *stand) exports(tracker string) {
	x.T.Helper()
	x.run()
	x.Say(`/incident task add "look again"`)
	x.Say("/incident task export T-1 --to " + tracker)
}

// TestRedirectKeepsTheToken: a tracker that leads elsewhere gets no token there,
// nor what was to be written.
func TestRedirectKeepsTheToken(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		fmt.Fprint(w, "[]")
	}))
	t.Cleanup(other.Close)
	for _, code := range []int{301, 302, 307, 308} {
		from := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.Path, code)
		}))
		t.Cleanup(from.Close)
		for _, name := range []string{"github", "jira"} {
			x := newStand(t)
			x.trackers["github"], x.trackers["jira"] = x.githubAt("ghp_secret", from.URL), &tracker.Jira{URL: from.URL, Project: "TLS", User: "ana@example.com", Token: "jira-secret"}
			x.exports(name)
			task := x.task("T-1", settled)
			if task.Export.State != incident.ExportFailed || !strings.Contains(task.Export.Text, "where the token does not go") {
				t.Errorf("%s %d: %+v", name, code, task.Export)
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the other host was asked %d times", n)
	}
}

// TestRedirectOnTheSameHost: a renamed repository is still found.
func TestRedirectOnTheSameHost(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/repos/"):
			http.Redirect(w, r, "/repositories/1/issues", http.StatusTemporaryRedirect)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"number":7,"html_url":"https://github.com/example/new/issues/7"}`)
		default:
			fmt.Fprint(w, "[]")
		}
	}))
	t.Cleanup(s.Close)
	x := newStand(t)
	x.trackers["github"] = x.githubAt("t", s.URL)
	x.exports("github")
	if task := x.task("T-1", settled); task.Export.Ref != "example/certs#7" {
		t.Errorf("%+v", task.Export)
	}
}

// TestHostileAnswers: what a tracker says is bounded: its words, how long it
// asks to wait, its answers.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("no ", 500_000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, `{"message":%q,"errorMessages":[%q]}`, long, long)
	}))
	t.Cleanup(s.Close)
	for _, name := range []string{"github", "jira"} {
		x := newStand(t)
		x.trackers["github"], x.trackers["jira"] = x.githubAt("t", s.URL), &tracker.Jira{URL: s.URL, Project: "TLS", User: "u", Token: "t"}
		x.exports(name)
		if task := x.task("T-1", settled); len(task.Export.Text) > 500 || len(x.Heard()) > 3000 {
			t.Errorf("%s: %d and %d characters", name, len(task.Export.Text), len(x.Heard()))
		}
	}
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-Limit", "1")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", "95617584000") // in the year 5000
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"API rate limit exceeded"}`)
	}))
	t.Cleanup(far.Close)
	x := newStand(t)
	x.trackers["github"] = x.githubAt("t", far.URL)
	x.exports("github")
	for end := time.Now().Add(time.Minute); !strings.Contains(x.Heard(), "rate limit"); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(x.Heard())
		}
	}
	x.clock.add(25 * time.Hour) // it is given up in the end, and said
	if task := x.task("T-1", settled); task.Export.State != incident.ExportFailed {
		t.Errorf("%+v", task.Export)
	}
}

// TestHostileAddress: where a tracker says that an item stands is an address of
// the web, or nothing.
func TestHostileAddress(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{"javascript:alert(1)//x": "", "https://github.com/example/certs/issues/1": "https://github.com/example/certs/issues/1", "//x": "", "http:": "", "https://x/ <script>@everyone": "https://x/%20%3Cscript%3E@everyone", "https://x/" + strings.Repeat("y", 600): ""} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, `{"number":1,"html_url":%q}`, said)
				return
			}
			fmt.Fprint(w, "[]")
		}))
		t.Cleanup(s.Close)
		x := newStand(t)
		x.trackers["github"] = x.githubAt("t", s.URL)
		x.exports("github")
		if task := x.task("T-1", settled); task.Export.URL != want || task.Export.Ref != "example/certs#1" {
			t.Errorf("%.80q: %+v", said, task.Export)
		}
	}
}
