package bottest

// This file is a fake of Jira Cloud's REST API version 3
// (developer.atlassian.com/cloud/jira/platform/rest/v3), whose search is behind
// as the real one's is.

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// JiraIssue is one issue of the fake.
type JiraIssue struct {
	Key     string
	Summary string
	Text    string // of its document, a line a paragraph
	Labels  []string
	Due     string
	Type    string
	Done    bool
	made    time.Time
	changes []map[string]any
}

// Jira is the fake, of one project.
type Jira struct {
	rest
	Project string
	User    string
	Token   string
	NoDue   bool          // the screen has no due date
	Behind  time.Duration // how long the search does not find what was made

	issues []*JiraIssue
}

// NewJira starts it.
func NewJira(t testing.TB) *Jira {
	t.Helper()
	f := &Jira{Project: "TLS", User: "certmedic@example.com", Token: "a-token-of-the-tests"}
	f.start(t, "Jira", "", f.serve)
	return f
}

// Issues are copies of all.
func (f *Jira) Issues() []JiraIssue {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copies(f.issues)
}

// Move changes an issue's status as somebody there does.
func (f *Jira) Move(key string, done bool, by string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.issues {
		if i.Key == key {
			i.Done = done
			i.changes = append([]map[string]any{{"author": map[string]any{"displayName": by, "accountId": "5b10"}, "created": time.Now().UTC().Format("2006-01-02T15:04:05.000-0700"),
				"items": []any{map[string]any{"field": "status", "fromString": "x", "toString": "y"}}}}, i.changes...)
		}
	}
}

func (f *Jira) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how := f.next()
	code, said := 0, any(nil)
	user, token, _ := r.BasicAuth()
	switch n, err := strconv.Atoi(how); {
	case err == nil:
		if n == 429 {
			w.Header().Set("Retry-After", "1")
		}
		code, said = n, jiraError("told to answer "+how, nil)
	case user != f.User || token != f.Token:
		code, said = 401, jiraError("Client must be authenticated to access this resource.", nil)
	default:
		code, said = f.route(r)
	}
	sayJSON(w, how, code, said)
}

func jiraError(text string, fields map[string]string) map[string]any {
	e := map[string]any{"errorMessages": []string{}, "errors": fields}
	if text != "" {
		e["errorMessages"] = []string{text}
	}
	return e
}

var jqlLabel = regexp.MustCompile(`^project = "([A-Z]+)" AND labels = "([a-z0-9-]+)"$`)

func (f *Jira) route(r *http.Request) (int, any) {
	path := strings.TrimPrefix(r.URL.Path, "/rest/api/3")
	switch {
	case r.Method == "GET" && path == "/search":
		return 410, jiraError("The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.", nil)
	case r.Method == "GET" && path == "/search/jql":
		m := jqlLabel.FindStringSubmatch(r.URL.Query().Get("jql"))
		if m == nil || m[1] != f.Project {
			return 400, jiraError("Error in the JQL Query", nil)
		}
		found := []any{}
		for _, i := range f.issues {
			if slices.Contains(i.Labels, m[2]) && time.Since(i.made) >= f.Behind {
				found = append(found, map[string]any{"id": "10000", "key": i.Key})
			}
		}
		return 200, map[string]any{"issues": found, "isLast": true}
	case r.Method == "POST" && path == "/issue":
		return f.make(r)
	case r.Method == "GET" && strings.HasPrefix(path, "/issue/"):
		for _, i := range f.issues {
			if i.Key == strings.TrimPrefix(path, "/issue/") {
				return 200, f.read(i, r.URL.Query().Get("expand"))
			}
		}
		return 404, jiraError("Issue does not exist or you do not have permission to see it.", nil)
	}
	return 404, jiraError("no such path", nil)
}

func (f *Jira) read(i *JiraIssue, expand string) any {
	category, name := "new", "To Do"
	var resolution any
	if i.Done {
		category, name, resolution = "done", "Closed", map[string]any{"name": "Fixed"}
	}
	out := map[string]any{"id": "10000", "key": i.Key, "fields": map[string]any{"status": map[string]any{"name": name, "statusCategory": map[string]any{"id": 3, "key": category}}, "resolution": resolution}}
	if expand == "changelog" {
		out["changelog"] = map[string]any{"startAt": 0, "maxResults": 100, "total": len(i.changes), "histories": i.changes}
	}
	return out
}

// make makes an issue, checking the fields as documented.
func (f *Jira) make(r *http.Request) (int, any) {
	var in struct {
		Fields struct {
			Project     struct{ Key string }  `json:"project"`
			Type        struct{ Name string } `json:"issuetype"`
			Summary     string                `json:"summary"`
			Labels      []string              `json:"labels"`
			Due         string                `json:"duedate"`
			Description struct {
				Type    string `json:"type"`
				Version int    `json:"version"`
				Content []struct {
					Type    string `json:"type"`
					Content []struct {
						Type string  `json:"type"`
						Text *string `json:"text"`
					} `json:"content"`
				} `json:"content"`
			} `json:"description"`
		} `json:"fields"`
	}
	if err := f.body(r, &in); err != nil {
		return 400, jiraError("Invalid request payload.", nil)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/json" {
		f.wrong("a body of type %q", ct)
		return 400, jiraError("Invalid request payload.", nil)
	}
	x := in.Fields
	wrong := map[string]string{}
	if x.Project.Key != f.Project {
		wrong["project"] = "Specify a valid project ID or key"
	}
	if x.Type.Name != "Task" && x.Type.Name != "Bug" {
		wrong["issuetype"] = "Specify a valid issue type"
	}
	if x.Summary == "" || len([]rune(x.Summary)) > 255 || strings.ContainsAny(x.Summary, "\r\n") {
		wrong["summary"] = "The summary is invalid because it contains newline characters or is too long."
	}
	if f.NoDue && x.Due != "" {
		wrong["duedate"] = "Field 'duedate' cannot be set. It is not on the appropriate screen, or unknown."
	}
	if _, err := time.Parse(time.DateOnly, x.Due); x.Due != "" && err != nil {
		wrong["duedate"] = "Error parsing date string"
	}
	for _, l := range x.Labels {
		if strings.ContainsAny(l, " \t\n") || len(l) > 255 {
			wrong["labels"] = "The label '" + l + "' contains spaces which is invalid."
		}
	}
	var lines []string
	if x.Description.Type != "doc" || x.Description.Version != 1 {
		wrong["description"] = "Operation value must be an Atlassian Document"
	}
	for _, p := range x.Description.Content {
		line := ""
		for _, n := range p.Content {
			if n.Type != "text" || n.Text == nil || *n.Text == "" || p.Type != "paragraph" {
				wrong["description"] = "INVALID_INPUT"
				continue
			}
			line += *n.Text
		}
		lines = append(lines, line)
	}
	if len(wrong) > 0 {
		return 400, jiraError("", wrong)
	}
	i := &JiraIssue{Key: fmt.Sprintf("%s-%d", f.Project, len(f.issues)+1), Summary: x.Summary, Text: strings.Join(lines, "\n"), Labels: x.Labels, Due: x.Due, Type: x.Type.Name, made: time.Now()}
	f.issues = append(f.issues, i)
	return 201, map[string]any{"id": "10000", "key": i.Key, "self": f.URL + "/rest/api/3/issue/10000"}
}
