package bottest

// This file is a fake of GitHub's issues that keeps the documented shapes
// (docs.github.com/rest/issues/issues, .../using-the-rest-api/rate-limits).

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Issue is one issue of the fake.
type Issue struct {
	Number    int        `json:"number"`
	Title     string     `json:"title"`
	Body      string     `json:"body"`
	State     string     `json:"state"`
	Reason    string     `json:"state_reason,omitempty"`
	HTMLURL   string     `json:"html_url"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	ClosedAt  *time.Time `json:"closed_at"`
	ClosedBy  *struct {
		Login string `json:"login"`
	} `json:"closed_by,omitempty"`
}

// GitHub is the fake, of one repository. It can Fail with "rate" too (the limit
// is used up for a second), and with "abuse" (a secondary limit, for a second).
type GitHub struct {
	rest
	Repo  string
	Token string

	issues []*Issue
	asked  int
}

// NewGitHub starts it.
func NewGitHub(t testing.TB) *GitHub {
	t.Helper()
	f := &GitHub{Repo: "example/certs", Token: "a-token-of-the-tests"}
	f.start(t, "GitHub", "/", f.serve)
	return f
}

// Issues are copies of all, by number.
func (f *GitHub) Issues() []Issue {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copies(f.issues)
}

// Add puts an issue there that somebody else wrote.
func (f *GitHub) Add(title, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(title, body)
}

func (f *GitHub) add(title, body string) *Issue {
	n := len(f.issues) + 1
	now := time.Now().UTC().Truncate(time.Second)
	i := &Issue{Number: n, Title: title, Body: body, State: "open", HTMLURL: fmt.Sprintf("https://github.com/%s/issues/%d", f.Repo, n), CreatedAt: now, UpdatedAt: now}
	f.issues = append(f.issues, i)
	return i
}

// Close closes an issue as somebody there does; Reopen opens it again.
func (f *GitHub) Close(number int, by, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now().UTC().Truncate(time.Second)
	i := f.issues[number-1]
	i.State, i.Reason, i.ClosedAt, i.UpdatedAt = "closed", reason, &now, now
	i.ClosedBy = &struct {
		Login string `json:"login"`
	}{by}
}

// Reopen opens an issue again.
func (f *GitHub) Reopen(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.issues[number-1]
	i.State, i.Reason, i.ClosedAt, i.ClosedBy, i.UpdatedAt = "open", "reopened", nil, nil, time.Now().UTC()
}

func (f *GitHub) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	how := f.next()
	if r.Header.Get("X-GitHub-Api-Version") == "" || !strings.Contains(r.Header.Get("Accept"), "application/vnd.github") || r.Header.Get("User-Agent") == "" {
		f.wrong("headers %v", r.Header)
	}
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", "4999")
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
	code, said := 0, any(nil)
	switch n, err := strconv.Atoi(how); {
	case err == nil:
		code, said = n, message("told to answer "+how)
	case how == "rate":
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10))
		code, said = 403, message("API rate limit exceeded for user ID 1.")
	case how == "abuse":
		w.Header().Set("Retry-After", "1")
		code, said = 403, map[string]any{"message": "You have exceeded a secondary rate limit.", "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}
	case r.Header.Get("Authorization") != "Bearer "+f.Token:
		code, said = 401, message("Bad credentials")
	default:
		code, said = f.route(w, r)
	}
	sayJSON(w, how, code, said)
}

func message(s string) map[string]any {
	return map[string]any{"message": s, "documentation_url": "https://docs.github.com/rest"}
}

func (f *GitHub) route(w http.ResponseWriter, r *http.Request) (int, any) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/repos/"+f.Repo+"/issues")
	if !ok {
		return 404, message("Not Found")
	}
	switch {
	case r.Method == "POST" && rest == "":
		var in struct {
			Title     string   `json:"title"`
			Body      string   `json:"body"`
			Labels    []string `json:"labels"`
			Assignees []string `json:"assignees"`
		}
		if err := f.body(r, &in); err != nil {
			return 400, message("Problems parsing JSON")
		}
		if in.Title == "" || len(in.Title) > 256*4 || len(in.Body) > 65536 {
			return 422, message("Validation Failed")
		}
		return 201, f.add(in.Title, in.Body)
	case r.Method == "GET" && rest == "":
		return 200, f.list(w, r)
	case r.Method == "GET":
		n, err := strconv.Atoi(strings.TrimPrefix(rest, "/"))
		if err != nil || n < 1 || n > len(f.issues) {
			return 404, message("Not Found")
		}
		return 200, f.issues[n-1]
	}
	return 404, message("Not Found")
}

// list is a page of the issues, with the Link header of the next one.
func (f *GitHub) list(w http.ResponseWriter, r *http.Request) []*Issue {
	q := r.URL.Query()
	number := func(name string, or, most int) int {
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 1 {
			return or
		}
		return min(n, most)
	}
	per, page := number("per_page", 30, 100), number("page", 1, 1<<20)
	all := slices.Clone(f.issues)
	slices.Reverse(all)
	if state := q.Get("state"); state != "all" {
		all = slices.DeleteFunc(all, func(i *Issue) bool { return i.State != "open" })
	}
	from := min((page-1)*per, len(all))
	to := min(page*per, len(all))
	if to < len(all) {
		q.Set("page", strconv.Itoa(page+1))
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, strings.TrimSuffix(f.URL, "/"), r.URL.Path, q.Encode()))
	}
	return append([]*Issue{}, all[from:to]...)
}
