package notify

// This file is the Atlassian Statuspage API, version 1
// (developer.statuspage.io): one incident of the page for one of ours, an
// update of it for each of ours. Its metadata say which update it has last, and
// they are changed by the same request as the text: so a request whose answer
// was lost is not repeated. A token may ask once a second.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// StatuspageAPI is the service's own address.
const StatuspageAPI = "https://api.statuspage.io/v1"

// Statuspage is the target that writes on a page.
type Statuspage struct {
	API    string // "": StatuspageAPI
	Page   string // the page's id
	Token  string
	Notify bool // subscribers are told
	Pace   *Pace
	Client *http.Client // nil: one of its own
}

// Pace lets one request of a token go in a while: "Each API token is limited to
// 1 request / second as measured on a 60 second rolling window".
type Pace struct {
	Every time.Duration
	mu    sync.Mutex
	next  time.Time
}

// Wait waits for its turn.
func (p *Pace) Wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.Every)
	p.mu.Unlock()
	t := time.NewTimer(at.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pageSeen is what is read of an incident of the page.
type pageSeen struct {
	ID       string                     `json:"id"`
	Metadata map[string]json.RawMessage `json:"metadata"`
}

// pageSaid is what is written of one. "All top-level values" of the metadata
// "must also be objects"; those of others stay.
type pageSaid struct {
	Name       string                     `json:"name"`
	Status     string                     `json:"status"`
	Impact     string                     `json:"impact_override,omitempty"`
	Body       string                     `json:"body"`
	Components map[string]string          `json:"components,omitempty"`
	IDs        []string                   `json:"component_ids,omitempty"`
	Notify     bool                       `json:"deliver_notifications"`
	Metadata   map[string]json.RawMessage `json:"metadata"`
}

// mark reads our part of the metadata; a zero one when there is none.
func (p pageSeen) mark() (k pageMark) {
	if json.Unmarshal(p.Metadata["certmedic"], &k) != nil {
		return pageMark{}
	}
	return k
}

// pageMark says which incident of ours it is, and which update it has last.
type pageMark struct {
	Incident string `json:"incident"`
	Declared string `json:"declared"`
	Update   string `json:"update"`
}

// has reports whether the page has an update already.
func (k pageMark) has(m commands.Dispatch) bool {
	return k.of(m) && number(k.Update) >= number(m.Update)
}

func (k pageMark) of(m commands.Dispatch) bool {
	return k.Incident == m.Incident && k.Declared == m.Declared.UTC().Format(time.RFC3339)
}

// number is 2 of "U-2".
func number(update string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(update, "U-"))
	return n
}

// impacts are the page's words for a severity.
var impacts = map[int]string{1: "critical", 2: "major", 3: "minor", 4: "none"}

// Deliver implements Target.
func (s *Statuspage) Deliver(ctx context.Context, m commands.Dispatch) (Receipt, error) {
	is, err := s.find(ctx, m)
	if err != nil {
		return Receipt{}, err
	}
	got := Receipt{Text: "shown as " + m.Status + " on the page", Ref: is.ID, Open: m.Status != "resolved"}
	if is.ID != "" && is.mark().has(m) {
		return got, nil
	}
	mark, err := json.Marshal(pageMark{m.Incident, m.Declared.UTC().Format(time.RFC3339), m.Update})
	if err != nil {
		return Receipt{}, fmt.Errorf("encode the metadata: %w", err)
	}
	next := pageSaid{Name: m.Title, Status: m.Status, Impact: impacts[m.Severity], Body: m.Text, Notify: s.Notify, Components: m.Components,
		IDs: slices.Sorted(maps.Keys(m.Components)), Metadata: map[string]json.RawMessage{}}
	maps.Copy(next.Metadata, is.Metadata)
	next.Metadata["certmedic"] = mark
	method, path := http.MethodPost, "/incidents"
	if is.ID != "" {
		method, path = http.MethodPatch, "/incidents/"+url.PathEscape(is.ID)
	}
	var made pageSeen
	if err := s.call(ctx, method, path, next, &made); err != nil {
		return Receipt{}, err
	}
	if got.Ref = made.ID; got.Ref == "" {
		return Receipt{}, &Trouble{Text: "the page's answer has no id of an incident"}
	}
	return got, nil
}

// find looks for our incident on the page: by the id that it had before, else
// among the newest hundred. One without an id: there is none.
func (s *Statuspage) find(ctx context.Context, m commands.Dispatch) (pageSeen, error) {
	if m.Ref != "" {
		var one pageSeen
		err := s.call(ctx, http.MethodGet, "/incidents/"+url.PathEscape(m.Ref), nil, &one)
		var t *statusError
		if !asStatus(err, &t) || t.code != http.StatusNotFound {
			return one, err
		}
	}
	var all []pageSeen
	if err := s.call(ctx, http.MethodGet, "/incidents?limit=100", nil, &all); err != nil {
		return pageSeen{}, err
	}
	for _, i := range all {
		if i.mark().of(m) {
			return i, nil
		}
	}
	return pageSeen{}, nil
}

// statusError is a Trouble with the code of the answer.
type statusError struct {
	*Trouble
	code int
}

func (e *statusError) Unwrap() error { return e.Trouble }

func asStatus(err error, to **statusError) bool {
	e, ok := err.(*statusError)
	*to = e
	return ok
}

// call asks the API. in and out are JSON; in may be nil.
func (s *Statuspage) call(ctx context.Context, method, path string, in any, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(map[string]any{"incident": in})
		if err != nil {
			return fmt.Errorf("encode the incident of the page: %w", err)
		}
		body = bytes.NewReader(b)
	}
	if s.Pace != nil {
		if err := s.Pace.Wait(ctx); err != nil {
			return err
		}
	}
	api := s.API
	if api == "" {
		api = StatuspageAPI
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(api, "/")+"/pages/"+url.PathEscape(s.Page)+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "OAuth "+s.Token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := client(s.Client).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 == 2 {
		if err := json.Unmarshal(b, out); err != nil {
			return fmt.Errorf("read the page's answer: %w", err)
		}
		return nil
	}
	return s.refusal(resp, b)
}

// refusal gives an answer that is no success its words. The API says {"error":
// "..."} or {"error": ["...", ...]}.
func (s *Statuspage) refusal(resp *http.Response, body []byte) error {
	var said struct {
		Error any `json:"error"`
	}
	text := ""
	if json.Unmarshal(body, &said) == nil && said.Error != nil {
		text = strings.Trim(fmt.Sprint(said.Error), "[]")
	}
	t := answered(resp, host(orAPI(s.API)), text)
	switch code := resp.StatusCode; {
	case code == 420 || code == http.StatusTooManyRequests:
		t.After = max(t.After, time.Minute) // the window is that long
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		t.Final, t.Next = true, "Set STATUSPAGE_TOKEN to a key that may write on page "+s.Page+", and restart certmedic."
	case code == http.StatusNotFound:
		t.Final, t.Next = true, "See that updates.targets has the right page: its id stands in the page's API settings."
	case code/100 == 4 && code != http.StatusRequestTimeout:
		t.Final, t.Next = true, "See that the components of updates.targets are those of page "+s.Page+"."
	}
	return &statusError{t, resp.StatusCode}
}

func orAPI(api string) string {
	if api == "" {
		return StatuspageAPI
	}
	return api
}
