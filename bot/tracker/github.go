package tracker

// This file is GitHub: one issue for an action item
// (docs.github.com/rest/issues/issues). Its text stands in a fence, where
// nothing is markup and nobody is mentioned; the marker in a comment below it.
// The search of GitHub is behind by minutes, so the repository's list is read,
// which is not.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v84/github"

	"github.com/certmedic/certmedic/commands"
)

// GitHub is a repository's issues.
type GitHub struct {
	owner, repo string
	client      *github.Client
}

// GitHubOptions are what a GitHub is made of.
type GitHubOptions struct {
	Repo  string // "owner/name"
	Token string // may read and write issues of it
	API   string // "": https://api.github.com/; GitHub Enterprise: https://HOST/api/v3/
}

// NewGitHub makes a GitHub.
func NewGitHub(o GitHubOptions) (*GitHub, error) {
	owner, repo, ok := strings.Cut(o.Repo, "/")
	if !ok || owner == "" || repo == "" || strings.Contains(repo, "/") {
		return nil, fmt.Errorf("%q is no repository: write it as owner/name", o.Repo)
	}
	c := github.NewClient(client()).WithAuthToken(o.Token)
	if o.API != "" {
		u, err := url.Parse(strings.TrimSuffix(o.API, "/") + "/")
		if err != nil {
			return nil, fmt.Errorf("api_url of GitHub: %w", err)
		}
		c.BaseURL = u
	}
	return &GitHub{owner, repo, c}, nil
}

// pages bounds how far the list is read: a thousand issues newer than the item.
const pages = 10

// Find implements Tracker.
func (g *GitHub) Find(ctx context.Context, e commands.Export) (Place, bool, error) {
	since := e.Since.Add(-time.Hour) // clocks differ
	o := &github.IssueListByRepoOptions{State: "all", Sort: "created", Direction: "desc", ListOptions: github.ListOptions{PerPage: 100, Page: 1}}
	for range pages {
		list, resp, err := g.client.Issues.ListByRepo(ctx, g.owner, g.repo, o)
		if err != nil {
			return Place{}, false, g.words(err)
		}
		for _, i := range list {
			if !i.IsPullRequest() && strings.Contains(i.GetBody(), comment(e)) {
				return g.placeOf(i), true, nil
			}
			if i.GetCreatedAt().Before(since) {
				return Place{}, false, nil
			}
		}
		if resp.NextPage == 0 {
			break
		}
		o.ListOptions.Page = resp.NextPage
	}
	return Place{}, false, nil
}

func (g *GitHub) placeOf(i *github.Issue) Place {
	return Place{Ref: fmt.Sprintf("%s/%s#%d", g.owner, g.repo, i.GetNumber()), URL: i.GetHTMLURL()}
}

// Make implements Tracker.
func (g *GitHub) Make(ctx context.Context, e commands.Export) (Place, error) {
	body := fence(e.Text) + "\n" + comment(e) + "\n"
	i, _, err := g.client.Issues.Create(ctx, g.owner, g.repo, &github.IssueRequest{Title: &e.Title, Body: &body})
	if err != nil {
		return Place{}, g.words(err)
	}
	return g.placeOf(i), nil
}

// State implements Tracker.
func (g *GitHub) State(ctx context.Context, e commands.Export) (commands.There, error) {
	n, err := strconv.Atoi(e.Ref[strings.LastIndexByte(e.Ref, '#')+1:])
	if err != nil {
		return commands.There{}, &Trouble{Final: true, Text: e.Ref + " is no issue of " + g.owner + "/" + g.repo}
	}
	i, _, err := g.client.Issues.Get(ctx, g.owner, g.repo, n)
	if err != nil {
		return commands.There{}, g.words(err)
	}
	s := commands.There{Done: i.GetState() == "closed", At: i.GetUpdatedAt().Time}
	if s.Done {
		s.At, s.By, s.How = i.GetClosedAt().Time, i.GetClosedBy().GetLogin(), strings.ReplaceAll(i.GetStateReason(), "_", " ")
	}
	return s, nil
}

// comment is the marker in an issue's body.
func comment(e commands.Export) string { return "<!-- " + e.Marker + " -->" }

// fence puts a text where Markdown is not read: longer fences than any inside.
func fence(text string) string {
	mark := "```"
	for strings.Contains(text, mark) {
		mark += "`"
	}
	return mark + "text\n" + text + "\n" + mark
}

// words gives an error of the API its words.
func (g *GitHub) words(err error) error {
	var rate *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	var resp *github.ErrorResponse
	repo := g.owner + "/" + g.repo
	switch {
	case errors.As(err, &rate):
		return &Trouble{None: true, After: min(max(time.Until(rate.Rate.Reset.Time), time.Second), 2*time.Hour), Text: "GitHub's rate limit is used up"}
	case errors.As(err, &abuse):
		after := time.Minute
		if abuse.RetryAfter != nil && *abuse.RetryAfter > 0 {
			after = *abuse.RetryAfter
		}
		return &Trouble{None: true, After: min(after, time.Hour), Text: "GitHub asks to slow down"}
	case !errors.As(err, &resp) || resp.Response == nil:
		return err
	}
	t := &Trouble{Text: fmt.Sprintf("GitHub answers %d for %s: %s", resp.Response.StatusCode, repo, short(resp.Message, maxSaid))}
	switch code := resp.Response.StatusCode; {
	case code == http.StatusUnauthorized:
		t.Final, t.Next = true, "Set GITHUB_TOKEN to a valid token and restart certmedic."
	case code == http.StatusForbidden, code == http.StatusNotFound:
		t.Final, t.Next = true, "See that "+repo+" is right and that GITHUB_TOKEN may read and write its issues."
	case code == http.StatusGone:
		t.Final, t.Next = true, "Switch the issues of "+repo+" on, or see whether this one was deleted."
	case code == http.StatusTooManyRequests: // as a proxy or GitHub Enterprise says it
		t.After = retryAfter(resp.Response)
	case code/100 == 4 && code != http.StatusRequestTimeout:
		t.Final, t.Next = true, "Look at the item: /incident task list"
	}
	t.None = code4(resp.Response.StatusCode)
	return t
}

// code4 reports an answer by which nothing was made.
func code4(code int) bool { return code/100 == 4 && code != http.StatusRequestTimeout }
