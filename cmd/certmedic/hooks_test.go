package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

const testHookToken = "token-of-the-hooks-test"

// hookEstate is a loop estate that takes alerts from all sources.
func hookEstate(t *testing.T, certificates int, hooks string) *loopEstate {
	t.Helper()
	for _, name := range hookSecrets {
		t.Setenv(name, testHookToken)
	}
	e := startLoop(t, certificates, 1)
	text, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, e.file, append(text, []byte("hooks: "+hooks+"\n")...))
	if e.cfg, err = loadConfig(e.file); err != nil {
		t.Fatal(err)
	}
	return e
}

// amBody is what Alertmanager sends of some alerts.
func amBody(status string, hosts ...string) []byte {
	type alert map[string]any
	var all []alert
	for n, h := range hosts {
		all = append(all, alert{"status": status, "labels": map[string]string{"alertname": "CertificateExpired", "instance": h, "severity": "critical", "n": strconv.Itoa(n)},
			"annotations": map[string]string{"summary": "TLS of " + h + " fails"}, "startsAt": "2026-01-02T03:04:05Z", "endsAt": "2026-01-02T04:04:05Z", "generatorURL": "http://127.0.0.1:9090/graph", "fingerprint": fmt.Sprintf("%s-%d", h, n)})
	}
	b, _ := json.Marshal(map[string]any{"version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": status, "receiver": "certmedic", "groupLabels": alert{}, "commonLabels": alert{}, "commonAnnotations": alert{}, "externalURL": "http://127.0.0.1:9093", "alerts": all})
	return b
}

// hook posts to a source and returns the status; 0 when the server died first.
func hook(ctx context.Context, address, source string, body []byte) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/hooks/"+source, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	sign := func(what ...string) string {
		m := hmac.New(sha256.New, []byte(testHookToken))
		m.Write([]byte(strings.Join(what, "")))
		return "v1=" + hex.EncodeToString(m.Sum(nil))
	}
	switch source {
	case "alertmanager":
		r.Header.Set("Authorization", "Bearer "+testHookToken)
	case "pagerduty":
		r.Header.Set("X-PagerDuty-Signature", sign(string(body)))
	case "generic":
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set("X-Certmedic-Timestamp", stamp)
		r.Header.Set("X-Certmedic-Signature", sign("v1:", stamp, ":", string(body)))
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// eventually waits for something that the program does on its own.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it does not happen", what)
		}
	}
}

// TestHooks: the whole way, from each source's request to the timeline.
func TestHooks(t *testing.T) {
	e := hookEstate(t, 3, "{policy: suggest, alertmanager: {}, pagerduty: {policy: declare}, generic: {}, severities: {page: 1}}")
	p := startProgram(t, e.cfg, programOptions{Name: "test", Listen: true, Watch: true, Log: newLog(testLog{t}, false)})
	ctx := t.Context()
	main := func() string {
		ms, err := p.rooms.Messages(ctx, "main", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(ms)
		return string(b)
	}
	if code := hook(ctx, p.Address(), "alertmanager", amBody("firing", "https://site0.example.test/health")); code != http.StatusNoContent {
		t.Fatalf("alertmanager: %d", code)
	}
	eventually(t, "a suggestion", func() bool { return strings.Contains(main(), "Alertmanager says of site0: CertificateExpired.") })

	pd := `{"event":{"id":"E1","event_type":"incident.triggered","occurred_at":"2026-01-02T03:04:05Z","agent":{"summary":"x"},"data":{"id":"P1","type":"incident","title":"certificate of site1 has expired","html_url":"https://example.pagerduty.com/incidents/P1","created_at":"2026-01-02T03:04:05Z","urgency":"high","priority":{"summary":"page"},"service":{"summary":"web"}}}}`
	if code := hook(ctx, p.Address(), "pagerduty", []byte(pd)); code != http.StatusNoContent {
		t.Fatalf("pagerduty: %d", code)
	}
	eventually(t, "an incident", func() bool { _, err := p.book.Incident(ctx, "INC-1"); return err == nil })
	eventually(t, "its message", func() bool { return strings.Contains(main(), "Declared unasked, because of an alert from PagerDuty") })
	i, _ := p.book.Incident(ctx, "INC-1")
	if i.Severity != 1 || len(i.Certificates) != 1 || i.Certificates[0] != "site1" || i.Title != "site1: certificate of site1 has expired" {
		t.Errorf("%+v", i)
	}

	_, port, _ := net.SplitHostPort(e.addrs[1])
	if code := hook(ctx, p.Address(), "generic", []byte(`{"from":"uptime","title":"down","host":"127.0.0.1:`+port+`"}`)); code != http.StatusNoContent {
		t.Fatalf("generic: %d", code)
	}
	alerts := func() (list []incident.Entry) {
		es, err := p.book.Timeline(ctx, "INC-1")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			if e.Kind == incident.Alert {
				list = append(list, e)
			}
		}
		return list
	}
	eventually(t, "the alert by the endpoint's address", func() bool { return len(alerts()) == 2 })
	if a := alerts()[1]; a.Evidence.Alert.Source != "uptime" || a.Text != "Alert from uptime: down." {
		t.Errorf("%+v", a)
	}
	if code := hook(ctx, p.Address(), "alertmanager", amBody("firing", "elsewhere.example:443")); code != http.StatusNoContent {
		t.Fatalf("unknown: %d", code)
	}
	eventually(t, "what fits nothing", func() bool { return strings.Contains(main(), "An alert from Alertmanager fits no certificate here") })
	if code, body := get(t, p.Address()+"/metrics"); code != 200 || !strings.Contains(body, `certmedic_alerts_received_total{source="alertmanager"} 2`) || !strings.Contains(body, "certmedic_alerts_waiting 0") {
		t.Errorf("metrics: %d %s", code, body)
	}
}

// TestHooksKill kills the server with signal 9 just after it acknowledged
// alerts, before and while it works them off. Afterwards each of them is
// counted once, and every kind stands on the timeline once.
func TestHooksKill(t *testing.T) {
	e := hookEstate(t, 1, "{alertmanager: {policy: entry}}")
	k := &killer{t: t, e: e}
	c, address, _ := k.start()
	if r, err := k.say(t.Context(), address, "/incident declare sev3 kill test --cert site0", false); err != nil || !r.Problem.IsZero() {
		t.Fatal(err, r.Problem)
	}
	_ = c.Process.Kill()
	_ = c.Wait()

	var mu sync.Mutex
	acked, sent := 0, 0
	rounds := 8
	if testing.Short() {
		rounds = 4
	}
	for i := range rounds {
		c, address, log := k.start()
		ctx, cancel := context.WithCancel(t.Context())
		var posting sync.WaitGroup
		first := make(chan struct{}, 16)
		for w := range 3 {
			posting.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					var hosts []string
					for range 70 {
						hosts = append(hosts, "site0.example.test")
					}
					body := bytes.ReplaceAll(amBody("firing", hosts...), []byte(`"fingerprint":"`), fmt.Appendf(nil, `"fingerprint":"%d-%d-%d-`, i, w, n))
					mu.Lock()
					sent += 70
					mu.Unlock()
					switch code := hook(ctx, address, "alertmanager", body); code {
					case http.StatusNoContent:
						mu.Lock()
						acked += 70
						mu.Unlock()
						select {
						case first <- struct{}{}:
						default:
						}
						if n%2 == 0 { // delivered again
							hook(ctx, address, "alertmanager", body)
						}
					case 0, http.StatusServiceUnavailable:
						return
					default:
						t.Errorf("answered %d", code)
						return
					}
				}
			})
		}
		<-first // acknowledged: now it must not be lost
		time.Sleep(time.Duration(i%4) * 15 * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Errorf("kill: %v\n%s", err, log)
		}
		cancel()
		posting.Wait()
		_ = c.Wait()
	}

	s, err := store.Open(t.Context(), e.cfg.Data, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := incident.NewBook(s, time.Now).Parcels(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, e.cfg, programOptions{Name: "test", Listen: true, Log: slog.New(slog.DiscardHandler)})
	eventually(t, "everything is worked off", func() bool {
		ps, err := p.book.Parcels(t.Context(), "", 1)
		due, err2 := p.book.DueAlerts(t.Context(), 1)
		return err == nil && err2 == nil && len(ps) == 0 && len(due) == 0
	})
	groups, err := p.book.AlertsOf(t.Context(), "site0", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, g := range groups {
		counted += g.Count()
	}
	t.Logf("%d kills; %d alerts acknowledged of %d sent, %d counted; %d parcels were left at the last kill", rounds, acked, sent, counted, len(waiting))
	if counted < acked || counted > sent || acked == 0 {
		t.Errorf("%d acknowledged, %d counted, %d sent", acked, counted, sent)
	}
	es, err := p.book.Timeline(t.Context(), "INC-1")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, e := range es {
		if e.Kind == incident.Alert {
			lines++
		}
	}
	if lines != len(groups) {
		t.Errorf("%d groups of one kind, %d lines", len(groups), lines)
	}
	if broken, err := p.book.Verify(t.Context(), "INC-1"); err != nil || broken != "" {
		t.Errorf("the chain breaks at %q: %v", broken, err)
	}
}

// TestHooksConfig: what is switched on needs its secret, and a secret has no
// place in the file.
func TestHooksConfig(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"hooks: {policy: all}":                    `hooks.policy: "all" is none`,
		"hooks: {alertmanager: {token: x}}":       "set ALERTMANAGER_TOKEN",
		"hooks: {generic: {secret: x}}":           "set HOOK_SECRET",
		"hooks: {pagerdutty: {}}":                 "did you mean pagerduty?",
		"hooks: {severities: {page: 5}}":          "hooks.severities.page must be a number from 1 to 4",
		"hooks: {alertmanager: {polisy: entry}}":  "did you mean policy?",
		"hooks: {alertmanager: {policy: declar}}": "declare (an incident is opened)",
	} {
		if _, err := parseConfig(filepath.Join(dir, "certmedic.yaml"), []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	c, err := parseConfig(filepath.Join(dir, "certmedic.yaml"), []byte("hooks:\n  alertmanager:\n  pagerduty: {policy: entry}\n  policy: declare\n  severities: {Page: 1}\n"))
	if err != nil || c.Hooks.Policy["alertmanager"] != "declare" || c.Hooks.Policy["pagerduty"] != "entry" || c.Hooks.Severities["page"] != 1 || len(c.Hooks.Policy) != 2 {
		t.Errorf("%+v %v", c.Hooks, err)
	}
	e := startLoop(t, 1, 1)
	e.cfg.Hooks = c.Hooks
	e.cfg.Hooks.Policy = map[string]string{"alertmanager": "suggest"}
	for secret, want := range map[string]string{"": "set ALERTMANAGER_TOKEN or ALERTMANAGER_TOKEN_FILE", "short": "too short"} {
		t.Setenv("ALERTMANAGER_TOKEN", secret)
		if _, err := open(t.Context(), e.cfg, programOptions{Name: "test", Listen: true, Log: newLog(testLog{t}, false)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", secret, err)
		}
	}
	file := filepath.Join(dir, "token")
	writeFile(t, file, []byte("first-token-of-some-length\nsecond-token-of-some-length\n"))
	t.Setenv("ALERTMANAGER_TOKEN", "")
	t.Setenv("ALERTMANAGER_TOKEN_FILE", file)
	p := startProgram(t, e.cfg, programOptions{Name: "test", Listen: true, Token: "a-long-token-of-the-test", Log: newLog(testLog{t}, false)})
	for source, want := range map[string]int{"alertmanager": 401, "pagerduty": 404, "generic": 404} { // also where the pages want a token
		if code := hook(t.Context(), p.Address(), source, []byte("{}")); code != want {
			t.Errorf("%s: %d", source, code)
		}
	}
}
