package bottest

// This file is a fake of the Atlassian Statuspage API that keeps its documented
// rules (developer.statuspage.io): the token's form, the fields and their
// values, one request a second, the forms of errors.

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// PageIncident is an incident of the page.
type PageIncident struct {
	ID         string                    `json:"id"`
	Name       string                    `json:"name"`
	Status     string                    `json:"status"`
	Impact     string                    `json:"impact_override"`
	Metadata   map[string]map[string]any `json:"metadata"`
	Updates    []PageUpdate              `json:"incident_updates"` // the newest first
	Components []PageComponent           `json:"components"`
}

// PageUpdate is one of its updates.
type PageUpdate struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Body   string `json:"body"`
	Told   bool   `json:"deliver_notifications"`
}

// PageComponent is a component of the page.
type PageComponent struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// Statuspage is the fake.
type Statuspage struct {
	rest
	Page  string
	Token string

	incidents  []*PageIncident
	components map[string]string
	asked      []time.Time
	perMinute  int
	n          int
}

// NewStatuspage starts it, with a page and its components.
func NewStatuspage(t testing.TB, components ...string) *Statuspage {
	t.Helper()
	f := &Statuspage{Page: "kctbh9vrtdwd", Token: "89a229ce1a8dbcf9ff30430fbe35eb4c0426574bca932061892cefd2138aa4b1", components: map[string]string{}, perMinute: 1 << 20}
	for _, c := range components {
		f.components[c] = "operational"
	}
	f.start(t, "the status page", "/v1", f.serve)
	return f
}

// Limit lets so many requests a minute through; one a second is the service's.
func (f *Statuspage) Limit(perMinute int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.perMinute = perMinute
}

// Incidents are copies of what stands on the page, the oldest first.
func (f *Statuspage) Incidents() []PageIncident {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []PageIncident
	for _, i := range f.incidents {
		c := *i
		c.Updates = slices.Clone(i.Updates)
		all = append(all, c)
	}
	return all
}

// Component is a component's status.
func (f *Statuspage) Component(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.components[id]
}

// Asked is how many requests came.
func (f *Statuspage) Asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// Delete takes an incident off the page, as a person can.
func (f *Statuspage) Delete(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.incidents = slices.DeleteFunc(f.incidents, func(i *PageIncident) bool { return i.ID == id })
}

func (f *Statuspage) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.asked = append(f.asked, now)
	lately := 0
	for _, at := range f.asked {
		if now.Sub(at) < time.Minute {
			lately++
		}
	}
	how := f.next()
	if lately > f.perMinute && how == "" {
		how = "420"
	}
	code, said := 0, any(nil)
	switch n, err := strconv.Atoi(how); {
	case err == nil && n == 422:
		code, said = n, map[string]any{"error": []string{"Name can't be blank"}}
	case err == nil:
		code, said = n, map[string]any{"error": "told to answer " + how}
	case r.Header.Get("Authorization") != "OAuth "+f.Token:
		code, said = 401, map[string]any{"error": "Could not authenticate"}
	default:
		code, said = f.route(r)
	}
	sayJSON(w, how, code, said)
}

func (f *Statuspage) route(r *http.Request) (int, any) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/pages/"+f.Page+"/incidents")
	if !ok {
		return 404, map[string]any{"error": "Page not found"}
	}
	id := strings.TrimPrefix(rest, "/")
	at := slices.IndexFunc(f.incidents, func(i *PageIncident) bool { return i.ID == id })
	switch {
	case r.Method == "GET" && id == "":
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil || limit > 100 {
			limit = 100
		}
		all := slices.Clone(f.incidents)
		slices.Reverse(all)
		return 200, all[:min(len(all), limit)]
	case id != "" && at < 0:
		return 404, map[string]any{"error": "Incident not found"}
	case r.Method == "GET":
		return 200, f.incidents[at]
	case r.Method == "POST" && id == "":
		f.n++
		i := &PageIncident{ID: fmt.Sprintf("p31zjtct2jer%d", f.n), Status: "investigating"}
		if code, err := f.change(r, i, true); err != nil {
			return code, map[string]any{"error": []string{err.Error()}}
		}
		f.incidents = append(f.incidents, i)
		return 201, i
	case r.Method == "PATCH" || r.Method == "PUT":
		if code, err := f.change(r, f.incidents[at], false); err != nil {
			return code, map[string]any{"error": []string{err.Error()}}
		}
		return 200, f.incidents[at]
	}
	return 404, map[string]any{"error": "Not found"}
}

// change applies a body to an incident, checking it as documented.
func (f *Statuspage) change(r *http.Request, i *PageIncident, create bool) (int, error) {
	var body struct {
		Incident *struct {
			Name       string                    `json:"name"`
			Status     string                    `json:"status"`
			Impact     string                    `json:"impact_override"`
			Body       string                    `json:"body"`
			Components map[string]string         `json:"components"`
			IDs        []string                  `json:"component_ids"`
			Notify     *bool                     `json:"deliver_notifications"`
			Metadata   map[string]map[string]any `json:"metadata"`
		} `json:"incident"`
	}
	if r.Header.Get("Content-Type") != "application/json" {
		return 400, fmt.Errorf("content type %q", r.Header.Get("Content-Type"))
	}
	if err := f.body(r, &body); err != nil {
		return 400, fmt.Errorf("body: %w", err)
	}
	if body.Incident == nil {
		f.wrong("a body without an incident")
		return 400, errors.New("body: no incident")
	}
	in := body.Incident
	oneOf := func(what, v string, all ...string) error {
		if v != "" && !slices.Contains(all, v) {
			return fmt.Errorf("%s %q is none of %v", what, v, all)
		}
		return nil
	}
	if create && in.Name == "" {
		return 422, fmt.Errorf("%s can't be blank", "Name")
	}
	if err := oneOf("status", in.Status, "investigating", "identified", "monitoring", "resolved"); err != nil {
		return 422, err
	}
	if err := oneOf("impact_override", in.Impact, "none", "maintenance", "minor", "major", "critical"); err != nil {
		return 422, err
	}
	for id, status := range in.Components {
		if _, ok := f.components[id]; !ok || !slices.Contains(in.IDs, id) {
			return 422, fmt.Errorf("component %q is not of this page or not in component_ids", id)
		}
		if err := oneOf("component status", status, "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"); err != nil {
			return 422, err
		}
	}
	for id, status := range in.Components {
		f.components[id] = status
	}
	if in.Name != "" {
		i.Name = in.Name
	}
	if in.Status != "" {
		i.Status = in.Status
	}
	if in.Impact != "" {
		i.Impact = in.Impact
	}
	if in.Metadata != nil {
		i.Metadata = in.Metadata
	}
	i.Components = nil
	for _, id := range in.IDs {
		i.Components = append(i.Components, PageComponent{id, f.components[id]})
	}
	if in.Body != "" {
		f.n++
		i.Updates = append([]PageUpdate{{ID: fmt.Sprintf("u%d", f.n), Status: i.Status, Body: in.Body, Told: in.Notify == nil || *in.Notify}}, i.Updates...)
	}
	return 0, nil
}
