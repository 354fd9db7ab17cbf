package tracker

// This file is Jira Cloud: one issue for an action item (REST API version 3,
// developer.atlassian.com/cloud/jira/platform/rest/v3). The marker is a label,
// which JQL finds; the text is a document of plain paragraphs (Atlassian
// Document Format), in which nothing is markup and nobody is mentioned. The
// client is our own: it has four calls.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// Jira is a project's issues.
type Jira struct {
	URL     string // https://example.atlassian.net
	Project string // its key, "TLS"
	Type    string // the name of the kind of issue; "": Task
	User    string // the account's address
	Token   string // an API token of it
	Client  *http.Client
}

// jiraIssue is what is read of an issue.
type jiraIssue struct {
	Key    string `json:"key"`
	Fields struct {
		Status struct {
			Name     string `json:"name"`
			Category struct {
				Key string `json:"key"` // "new", "indeterminate" or "done"
			} `json:"statusCategory"`
		} `json:"status"`
		Resolution *struct {
			Name string `json:"name"`
		} `json:"resolution"`
	} `json:"fields"`
	Changelog struct {
		Histories []struct {
			Author struct {
				Name string `json:"displayName"`
			} `json:"author"`
			Created string `json:"created"`
			Items   []struct {
				Field string `json:"field"`
			} `json:"items"`
		} `json:"histories"`
	} `json:"changelog"`
}

// Find implements Tracker.
func (j *Jira) Find(ctx context.Context, e commands.Export) (Place, bool, error) {
	q := url.Values{"jql": {fmt.Sprintf("project = %q AND labels = %q", j.Project, e.Marker)}, "fields": {"status"}, "maxResults": {"10"}}
	var found struct {
		Issues []jiraIssue `json:"issues"`
	}
	if err := j.call(ctx, http.MethodGet, "/rest/api/3/search/jql?"+q.Encode(), nil, &found); err != nil || len(found.Issues) == 0 {
		return Place{}, false, err
	}
	return j.placeOf(found.Issues[0].Key), true, nil
}

func (j *Jira) placeOf(key string) Place {
	return Place{Ref: key, URL: strings.TrimSuffix(j.URL, "/") + "/browse/" + url.PathEscape(key)}
}

// Make implements Tracker. A project whose screen has no due date is asked
// again without it: the day stands in the text too.
func (j *Jira) Make(ctx context.Context, e commands.Export) (Place, error) {
	kind := j.Type
	if kind == "" {
		kind = "Task"
	}
	fields := map[string]any{"project": map[string]string{"key": j.Project}, "issuetype": map[string]string{"name": kind},
		"summary": e.Title, "description": document(e.Text), "labels": []string{"certmedic", e.Marker}}
	if !e.Due.IsZero() {
		fields["duedate"] = e.Due.Format(time.DateOnly)
	}
	var made jiraIssue
	err := j.call(ctx, http.MethodPost, "/rest/api/3/issue", map[string]any{"fields": fields}, &made)
	var refused *jiraRefusal
	if errors.As(err, &refused) && refused.fields["duedate"] != "" {
		delete(fields, "duedate")
		err = j.call(ctx, http.MethodPost, "/rest/api/3/issue", map[string]any{"fields": fields}, &made)
	}
	if err == nil && made.Key == "" {
		err = &Trouble{Text: "Jira's answer has no key of an issue"}
	}
	return j.placeOf(made.Key), err
}

// document is a text in Atlassian Document Format: a paragraph a line.
func document(text string) map[string]any {
	var all []any
	for l := range strings.SplitSeq(text, "\n") {
		p := map[string]any{"type": "paragraph", "content": []any{}}
		if l != "" { // an empty text node is refused
			p["content"] = []any{map[string]any{"type": "text", "text": l}}
		}
		all = append(all, p)
	}
	return map[string]any{"type": "doc", "version": 1, "content": all}
}

// State implements Tracker. Who changed the status last, and when, is in the
// changelog.
func (j *Jira) State(ctx context.Context, e commands.Export) (commands.There, error) {
	var i jiraIssue
	err := j.call(ctx, http.MethodGet, "/rest/api/3/issue/"+url.PathEscape(e.Ref)+"?fields=status,resolution&expand=changelog", nil, &i)
	if err != nil {
		return commands.There{}, err
	}
	s := commands.There{Done: i.Fields.Status.Category.Key == "done"}
	for _, h := range i.Changelog.Histories {
		at, err := time.Parse("2006-01-02T15:04:05.000-0700", h.Created)
		if err != nil || !at.After(s.At) {
			continue
		}
		for _, x := range h.Items {
			if x.Field == "status" {
				s.At, s.By = at.UTC(), h.Author.Name
			}
		}
	}
	if s.Done {
		s.How = i.Fields.Status.Name
		if i.Fields.Resolution != nil {
			s.How = i.Fields.Resolution.Name
		}
	}
	return s, nil
}

// jiraRefusal is a Trouble with what is wrong with which field.
type jiraRefusal struct {
	*Trouble
	fields map[string]string
}

func (e *jiraRefusal) Unwrap() error { return e.Trouble }

// call asks the API. in and out are JSON; in may be nil.
func (j *Jira) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode for Jira: %w", err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(j.URL, "/")+path, body)
	if err != nil {
		return err
	}
	r.SetBasicAuth(j.User, j.Token)
	r.Header.Set("Accept", "application/json")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	c := j.Client
	if c == nil {
		c = client()
	}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 == 2 {
		if err := json.Unmarshal(b, out); err != nil {
			return fmt.Errorf("read Jira's answer: %w", err)
		}
		return nil
	}
	return j.refusal(resp, b)
}

// refusal gives an answer that is no success its words.
func (j *Jira) refusal(resp *http.Response, body []byte) error {
	var said struct {
		Messages []string          `json:"errorMessages"`
		Errors   map[string]string `json:"errors"`
	}
	_ = json.Unmarshal(body, &said) // what is no JSON says nothing
	parts := slices.Clone(said.Messages)
	var names []string
	for f := range said.Errors {
		names = append(names, f)
	}
	slices.Sort(names)
	for _, f := range names {
		parts = append(parts, f+": "+said.Errors[f])
	}
	t := &Trouble{Text: fmt.Sprintf("Jira answers %d", resp.StatusCode), None: code4(resp.StatusCode)}
	if text := short(strings.Join(parts, "; "), maxSaid); text != "" {
		t.Text += ": " + text
	}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		t.After = retryAfter(resp)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		t.Final, t.Next = true, "See that JIRA_USER and JIRA_TOKEN are right and may make issues in "+j.Project+", and restart certmedic."
	case code == http.StatusNotFound || code == http.StatusGone:
		t.Final, t.Next = true, "See that tasks.jira has the right url and project; an issue may have been deleted."
	case code/100 == 4 && code != http.StatusRequestTimeout:
		t.Final, t.Next = true, "See that project "+j.Project+" has issues of that type, and labels on the screen that makes them."
	}
	return &jiraRefusal{t, said.Errors}
}
