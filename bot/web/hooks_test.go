package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// taker keeps what it is given.
type taker struct {
	mu   sync.Mutex
	got  []commands.Alert
	fail error
}

func (t *taker) TakeAlerts(_ context.Context, as []commands.Alert) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fail != nil {
		return t.fail
	}
	t.got = append(t.got, as...)
	return nil
}

const (
	amToken   = "token-of-alertmanager-1"
	pdSecret  = "secret-of-pagerduty"
	ownSecret = "secret-of-the-generic-hook"
)

var hookNow = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

func newHooks(take *taker) *Hooks {
	return NewHooks(HookOptions{Take: take, Now: func() time.Time { return hookNow }, Hooks: map[string]Hook{
		Alertmanager: {Secrets: []string{"older-" + amToken, amToken}, Policy: commands.AlertDeclare},
		PagerDuty:    {Secrets: []string{pdSecret}, Policy: commands.AlertSuggest},
		Generic:      {Secrets: []string{ownSecret}, Policy: commands.AlertEntry},
	}})
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "hooks", name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b)
}

func mac(secret string, parts ...[]byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	for _, p := range parts {
		m.Write(p)
	}
	return "v1=" + hex.EncodeToString(m.Sum(nil))
}

// hookRequest is a request as its sender makes it.
func hookRequest(source string, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://certmedic.example/hooks/"+source, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	switch source {
	case Alertmanager:
		r.Header.Set("Authorization", "Bearer "+amToken)
	case PagerDuty:
		r.Header.Set("X-PagerDuty-Signature", mac(pdSecret, body))
	case Generic:
		stamp := strconv.FormatInt(hookNow.Unix(), 10)
		r.Header.Set(timestampHeader, stamp)
		r.Header.Set(signatureHeader, mac(ownSecret, []byte("v1:"+stamp+":"), body))
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHookAlertmanager(t *testing.T) {
	t.Parallel()
	take := &taker{}
	h := newHooks(take)
	if w := serve(h, hookRequest(Alertmanager, fixture(t, "alertmanager_firing.json"))); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if len(take.got) != 3 {
		t.Fatalf("%+v", take.got)
	}
	a := take.got[0]
	if a.Source != "alertmanager" || a.State != "firing" || a.Title != "CertificateExpiresSoon" || a.Text != "Certificate of https://media.example.com/ ends soon" || a.Severity != "warning" ||
		a.ID != "6d3b1c0a9f5e7d21/2026-11-22T01:53:12.482Z" || a.Event != "firing" || !strings.HasPrefix(a.Link, "http://prometheus.example.net:9090/") ||
		a.Started.Format(time.RFC3339) != "2026-11-22T01:53:12Z" || !a.At.Equal(hookNow) || a.Policy != commands.AlertDeclare || !slices.Equal(a.Hosts, []string{"media.example.com"}) {
		t.Errorf("%+v", a)
	}
	b := take.got[1]
	if b.State != "resolved" || !slices.Equal(b.Hosts, []string{"api.example.com:443"}) || b.Happened.Format(time.RFC3339) != "2026-11-22T01:50:12Z" || b.Link != "http://alertmanager.example.net:9093" {
		t.Errorf("%+v", b)
	}
	if c := take.got[2]; !strings.Contains(c.Text, "3 more were left out") {
		t.Errorf("what Alertmanager left out is not said: %+v", c)
	}
	if n := h.Taken()[Alertmanager]; n != 3 {
		t.Errorf("counted %d", n)
	}
	r := hookRequest(Alertmanager, fixture(t, "alertmanager_firing.json"))
	r.SetBasicAuth("certmedic", amToken)
	if w := serve(h, r); w.Code != http.StatusNoContent {
		t.Errorf("basic auth: %d", w.Code)
	}
	r = hookRequest(Alertmanager, fixture(t, "alertmanager_firing.json"))
	r.Header.Set("Authorization", "bearer older-"+amToken)
	if w := serve(h, r); w.Code != http.StatusNoContent {
		t.Errorf("the token before: %d", w.Code)
	}
}

func TestHookPagerDuty(t *testing.T) {
	t.Parallel()
	take := &taker{}
	h := newHooks(take)
	for _, name := range []string{"pagerduty_triggered.json", "pagerduty_annotated.json", "pagerduty_resolved.json"} {
		if w := serve(h, hookRequest(PagerDuty, fixture(t, name))); w.Code != http.StatusNoContent {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if len(take.got) != 2 {
		t.Fatalf("%+v", take.got)
	}
	a := take.got[0]
	if a.ID != "QEXAMPLE7INC01" || a.Event != "01CEXAMPLE5S7PMVNY0Q3T9W1A" || a.State != "firing" || a.Severity != "P1" || a.Text != "Service Media" || a.Link != "https://example.pagerduty.com/incidents/QEXAMPLE7INC01" ||
		a.Started.Format(time.RFC3339) != "2026-11-22T01:54:02Z" || !slices.Contains(a.Hosts, "img.example.com:8443") || !slices.Contains(a.Names, "Media") || !slices.Contains(a.Names, "cdn-2") {
		t.Errorf("%+v", a)
	}
	if b := take.got[1]; b.State != "resolved" || b.By != "Ana Example" || b.Severity != "low" {
		t.Errorf("%+v", b)
	}
	body := fixture(t, "pagerduty_triggered.json")
	for name, c := range map[string]struct {
		header string
		want   int
	}{
		"several, one right": {mac("another", body) + "," + mac(pdSecret, body), http.StatusNoContent},
		"with spaces":        {mac("another", body) + ", " + mac(pdSecret, body), http.StatusNoContent},
		"none right":         {mac("another", body) + "," + mac("a third", body), http.StatusUnauthorized},
		"of another body":    {mac(pdSecret, body[1:]), http.StatusUnauthorized},
		"another version":    {"v2=" + strings.TrimPrefix(mac(pdSecret, body), "v1="), http.StatusUnauthorized},
		"cut":                {mac(pdSecret, body)[:20], http.StatusUnauthorized},
		"nothing":            {"", http.StatusUnauthorized},
	} {
		r := hookRequest(PagerDuty, body)
		r.Header.Set("X-PagerDuty-Signature", c.header)
		if w := serve(h, r); w.Code != c.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestHookGeneric(t *testing.T) {
	t.Parallel()
	take := &taker{}
	h := newHooks(take)
	body := fixture(t, "generic_one.json")
	if w := serve(h, hookRequest(Generic, body)); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	a := take.got[0]
	if a.Source != "uptime" || a.Title != "media does not answer over TLS" || a.Severity != "critical" || a.Hosts[0] != "media.example.com:443" || a.ID != "media-tls/2026-11-22T01:52:10Z" || a.Event != "firing" || a.Policy != commands.AlertEntry {
		t.Errorf("%+v", a)
	}
	take.got = nil
	if w := serve(h, hookRequest(Generic, []byte(`{"from":"cron","alerts":[{"title":"a","certificate":"media"},{"title":"b","status":"resolved","hosts":["x.example","y.example"]}]}`))); w.Code != http.StatusNoContent || len(take.got) != 2 {
		t.Errorf("%d %+v", w.Code, take.got)
	}
	if b := take.got[1]; b.ID == take.got[0].ID || b.Event != "" || b.State != "resolved" || len(b.Hosts) != 2 || take.got[0].Certificate != "media" {
		t.Errorf("%+v", take.got)
	}
	for name, at := range map[string]time.Duration{"old": -freshFor - time.Second, "of the future": freshFor + time.Second} {
		stamp := strconv.FormatInt(hookNow.Add(at).Unix(), 10)
		r := hookRequest(Generic, body)
		r.Header.Set(timestampHeader, stamp)
		r.Header.Set(signatureHeader, mac(ownSecret, []byte("v1:"+stamp+":"), body))
		if w := serve(h, r); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	r := hookRequest(Generic, body)
	r.Header.Set(timestampHeader, strconv.FormatInt(hookNow.Unix()+1, 10)) // signed with another time
	if w := serve(h, r); w.Code != http.StatusUnauthorized {
		t.Errorf("the time is not part of what is signed: %d", w.Code)
	}
	for bad, why := range map[string]string{
		`{"titel":"x"}`:                    "titel",
		`{}`:                               "no title",
		`{"title":"x","status":"broken"}`:  "neither firing nor resolved",
		`{"title":"x"} {"title":"y"}`:      "behind",
		`{"title":"x","alerts":[{}]}`:      "not both",
		`{"from":"PagerDuty","title":"x"}`: "sender's name",
		`{"from":"<b>","title":"x"}`:       "sender's name",
		`{"alerts":[{"titel":"x"}]}`:       "titel",
		`{"alerts":{"title":"x"}}`:         "no list",
		`[]`:                               "docs/hooks.md",
		`x`:                                "docs/hooks.md",
	} {
		if w := serve(h, hookRequest(Generic, []byte(bad))); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), why) {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}
}

// TestHookRefusals: who is not verified learns nothing, whatever the body is,
// and nothing of it is taken.
func TestHookRefusals(t *testing.T) {
	t.Parallel()
	take := &taker{}
	h := newHooks(take)
	answers := map[string]bool{}
	for _, source := range []string{Alertmanager, PagerDuty, Generic} {
		for _, body := range []string{`{"not":"ours"}`, `not JSON`, "", string(fixture(t, "alertmanager_firing.json"))} {
			for _, header := range []string{"", "Bearer wrong", "Bearer ", "Basic Og=="} {
				r := httptest.NewRequest(http.MethodPost, "http://x/hooks/"+source, strings.NewReader(body))
				if header != "" {
					r.Header.Set("Authorization", header)
				}
				w := serve(h, r)
				if w.Code != http.StatusUnauthorized {
					t.Errorf("%s %q %q: %d", source, header, body, w.Code)
				}
				answers[fmt.Sprint(w.Code, w.Header(), w.Body)] = true
			}
		}
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	if len(take.got) != 0 {
		t.Errorf("taken: %+v", take.got)
	}
	for path, want := range map[string]int{"/hooks/none": 404, "/hooks/": 404, "/hooks/alertmanager/": 404, "/hooks/../estate": 404} {
		r := hookRequest(Alertmanager, []byte("{}"))
		r.URL.Path = path
		if w := serve(h, r); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := serve(NewHooks(HookOptions{Take: take}), hookRequest(PagerDuty, fixture(t, "pagerduty_triggered.json"))); w.Code != 404 {
		t.Errorf("not configured: %d", w.Code)
	}
	if w := serve(NewHooks(HookOptions{Take: take, Hooks: map[string]Hook{PagerDuty: {}}}), hookRequest(PagerDuty, fixture(t, "pagerduty_triggered.json"))); w.Code != 404 {
		t.Errorf("without a secret: %d", w.Code)
	}
	r := hookRequest(Alertmanager, nil)
	r.Method = http.MethodGet
	if w := serve(h, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}

// TestHookNotRecorded: what cannot be put on the record is not acknowledged.
func TestHookNotRecorded(t *testing.T) {
	t.Parallel()
	take := &taker{fail: errors.New("disk full")}
	w := serve(newHooks(take), hookRequest(Alertmanager, fixture(t, "alertmanager_firing.json")))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestHookTooLong: bodies are capped, and a list of very many alerts is cut
// with a word that it was.
func TestHookTooLong(t *testing.T) {
	t.Parallel()
	take := &taker{}
	h := newHooks(take)
	for source, n := range map[string]int{Alertmanager: maxAlertBody, PagerDuty: maxSignedBody, Generic: maxSignedBody} {
		if w := serve(h, hookRequest(source, bytes.Repeat([]byte(" "), n+1))); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", source, w.Code)
		}
	}
	many := []byte(`{"version":"4","alerts":[` + strings.Repeat(`{"status":"firing"},`, maxAlerts+4) + `{"status":"firing"}]}`)
	if w := serve(h, hookRequest(Alertmanager, many)); w.Code != http.StatusNoContent || len(take.got) != maxAlerts+1 || !strings.Contains(take.got[maxAlerts].Text, "5 more were left out") {
		t.Errorf("%d, %d alerts", w.Code, len(take.got))
	}
}

// TestAlertEvidence: what an alert said is folded under its line, as text.
func TestAlertEvidence(t *testing.T) {
	t.Parallel()
	e := incident.Entry{ID: "E-1", Kind: incident.Alert, Text: "Alert", Link: "javascript:alert(1)", Evidence: incident.Evidence{Alert: incident.AlertEvidence{Source: "alertmanager", Certificate: "media", ID: "f/1", Severity: "page", Link: "http://prometheus.example:9090/graph", Started: hookNow, Count: 3}}}
	v := entryViews(commands.IncidentPage{Timeline: []incident.Entry{e}})[0]
	want := []commands.Fact{{Name: "From", Value: "alertmanager"}, {Name: "Certificate", Value: "media"}, {Name: "Their id", Value: "f/1"}, {Name: "Their severity", Value: "page"}, {Name: "Started, they say", Value: "2026-11-22 02:00 UTC"}, {Name: "Alerts", Value: "3"}, {Name: "Their link", Value: "http://prometheus.example:9090/graph"}}
	if v.Link != "" || !slices.Equal(v.Facts, want) {
		t.Errorf("%q %+v", v.Link, v.Facts)
	}
}

func TestHookSlowBody(t *testing.T) {
	t.Parallel()
	h := newHooks(&taker{})
	r := hookRequest(PagerDuty, nil)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), errReader{}))
	if w := serve(h, r); w.Code != http.StatusRequestTimeout {
		t.Errorf("%d", w.Code)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// fuzzHook feeds a verified body to the parser of a source.
func fuzzHook(f *testing.F, source string, fixtures ...string) {
	for _, name := range fixtures {
		f.Add(fixture(f, name))
	}
	f.Add([]byte(`{"version":"4","alerts":[{"status":"firing","labels":{"instance":"[::1]:443"}}]}`))
	f.Add([]byte(`{"event":{"id":"1","event_type":"incident.triggered","data":{"id":"2","body":[[[[["a.example"]]]]]}}}`))
	f.Add([]byte(`{"title":"tls","hosts":["*.a.example","` + strings.Repeat("x", 300) + `.example"],"started":"0000-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		alerts, err := parseHook(source, body)
		if err != nil {
			if len(alerts) != 0 {
				t.Error("alerts with an error")
			}
			return
		}
		if !json.Valid(body) {
			t.Errorf("what is no JSON was understood: %q", body)
		}
		for _, a := range alerts {
			if a.ID == "" || a.Source == "" || a.State != "firing" && a.State != "resolved" && a.State != "acknowledged" || len(a.Hosts) > maxNamed || len(a.Names) > maxNamed {
				t.Errorf("%+v", a)
			}
		}
		again, err := parseHook(source, body)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(alerts) {
			t.Errorf("read twice, it differs: %v", err)
		}
	})
}

func FuzzHookAlertmanager(f *testing.F) { fuzzHook(f, Alertmanager, "alertmanager_firing.json") }
func FuzzHookPagerDuty(f *testing.F) {
	fuzzHook(f, PagerDuty, "pagerduty_triggered.json", "pagerduty_resolved.json", "pagerduty_annotated.json")
}
func FuzzHookGeneric(f *testing.F) { fuzzHook(f, Generic, "generic_one.json") }

// FuzzHookSignatures: no header that was not made with the secret is good.
func FuzzHookSignatures(f *testing.F) {
	f.Add("v1=,v1=00", "1732240800", []byte("{}"))
	f.Add(mac("another", []byte("{}")), "", []byte("{}"))
	f.Fuzz(func(t *testing.T, header, stamp string, body []byte) {
		h := http.Header{"X-Pagerduty-Signature": {header}, signatureHeader: {header}, timestampHeader: {stamp}}
		if pagerDutySigned([]string{pdSecret}, h, body) && !strings.Contains(header, strings.TrimPrefix(mac(pdSecret, body), "v1=")) ||
			genericSigned([]string{ownSecret}, h, body, hookNow) && !strings.Contains(header, strings.TrimPrefix(mac(ownSecret, []byte("v1:"+stamp+":"), body), "v1=")) ||
			pagerDutySigned(nil, h, body) || pagerDutySigned([]string{""}, h, body) {
			t.Errorf("%q is good", header)
		}
	})
}
