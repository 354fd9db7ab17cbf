package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/notify"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

var outsideKills = flag.Int("outside-kills", 30, "how many times TestOutsideKilled kills the server")

// world is everything outside the rooms, on loopback.
type world struct {
	t    *testing.T
	mail *bottest.SMTPServer
	page *bottest.Statuspage
	git  *bottest.GitHub
	jira *bottest.Jira
	file string

	mu    sync.Mutex
	hooks []notify.Hook
}

// newWorld starts the servers and writes a configuration for them.
func newWorld(t *testing.T, more string) *world {
	t.Helper()
	w := &world{t: t, page: bottest.NewStatuspage(t, "comp1"), git: bottest.NewGitHub(t), jira: bottest.NewJira(t)}
	w.mail = bottest.NewSMTP(t, func(s *bottest.SMTPServer) { s.STARTTLS, s.User, s.Password = true, "certmedic", "s3cret" })
	hook := httptest.NewServer(http.HandlerFunc(w.hook))
	t.Cleanup(hook.Close)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ca.pem"), w.mail.CA)
	writeFile(t, filepath.Join(dir, "smtp-password"), []byte("s3cret\n"))
	t.Setenv("SMTP_PASSWORD_FILE", filepath.Join(dir, "smtp-password"))
	t.Setenv("WEBHOOK_SECRET", "a secret of the tests")
	t.Setenv("STATUSPAGE_TOKEN", w.page.Token)
	t.Setenv("GITHUB_TOKEN", w.git.Token)
	t.Setenv("JIRA_TOKEN", w.jira.Token)
	t.Setenv("JIRA_USER", w.jira.User)
	host, port, _ := net.SplitHostPort(w.mail.Address)
	w.file = filepath.Join(dir, "certmedic.yaml")
	writeFile(t, w.file, fmt.Appendf(nil, `data: certmedic.db
listen: 127.0.0.1:0
trust: {roots: ca.pem}
teams: {web: {people: [ana, ben]}}
updates:
  smtp: {host: %s, port: %s, user: certmedic, from: certmedic@example.com}
  targets:
    board: {mail: {to: [board@example.com, cto@example.com]}}
    hook: {webhook: {url: "%s"}}
    page: {statuspage: {page: %s, api_url: "%s"}}
%stasks:
  github: {repo: %s, api_url: "%s"}
  jira: {url: "%s", project: TLS}
  at_close: github
`, host, port, hook.URL, w.page.Page, w.page.URL, more, w.git.Repo, w.git.URL, w.jira.URL))
	return w
}

func (w *world) hook(rw http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = notify.Verify("a secret of the tests", r.Header, b, time.Now())
	}
	var h notify.Hook
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	if err != nil {
		if r.Context().Err() == nil && len(b) > 0 { // not a request that a kill cut short
			w.t.Errorf("webhook: %v", err)
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, h)
}

// TestOutsideKilled kills the real server with signal 9 at random moments while
// people write updates and export action items: in the end each is outside
// once, in order, and nothing acknowledged is lost.
func TestOutsideKilled(t *testing.T) {
	w := newWorld(t, "")
	cfg, err := loadConfig(w.file)
	if err != nil {
		t.Fatal(err)
	}
	n := *outsideKills
	if testing.Short() {
		n = min(n, 10)
	}
	k := &killer{t: t, e: &loopEstate{cfg: cfg, file: w.file}, acked: map[string]bool{}}
	k.declare()
	for i := range n {
		k.outsideRound(i)
		if t.Failed() {
			t.Fatalf("after %d kills", i+1)
		}
	}
	p := startProgram(t, cfg, programOptions{Name: "test", Log: slog.New(slog.DiscardHandler), Watch: true})
	us, ts := w.settled(p)
	w.once(us, ts)
	texts := map[string]bool{}
	for _, u := range us {
		texts[u.Text] = true
	}
	for _, x := range ts {
		texts[x.Text] = true
		if x.Export.State != incident.ExportDone && k.acked["export "+x.ID] {
			t.Errorf("an acknowledged export is lost: %+v", x)
		}
	}
	for text := range k.acked {
		if !texts[text] && !strings.HasPrefix(text, "export ") {
			t.Errorf("%q was acknowledged and is lost", text)
		}
	}
	mails, distinct := w.mail.Mails(), map[string]bool{}
	for _, m := range mails {
		distinct[m.Message(t).Header.Get("Message-Id")] = true
	}
	t.Logf("%d kills, %d updates, %d action items; %d mails of %d Message-IDs, %d hooks, %d requests to the page", n, len(us), len(ts), len(mails), len(distinct), len(w.hooks), w.page.Asked())
	if len(us) < n/3 || len(ts) < n/4 {
		t.Errorf("nothing was put to the test: %d updates, %d action items", len(us), len(ts))
	}
	if broken, err := p.book.Verify(t.Context(), "INC-1"); broken != "" || err != nil {
		t.Errorf("the chain breaks at %q: %v", broken, err)
	}
}

// outsideRound starts the server, has people write, and kills it.
func (k *killer) outsideRound(i int) {
	c, address, log := k.start()
	ctx, cancel := context.WithCancel(k.t.Context())
	heard, first := make(chan struct{}), sync.OnceFunc(func() {})
	if i%3 != 0 { // else it is killed while it starts, or before anybody is answered
		first = sync.OnceFunc(func() { close(heard) })
	} else {
		close(heard)
	}
	ack := func(text string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.acked[text] = true
		if strings.HasPrefix(text, []string{"item-", "update-"}[i%2]) {
			first()
		}
	}
	var talking sync.WaitGroup
	talking.Go(func() {
		for range 3 {
			text := fmt.Sprintf("update-%06d", k.said.Add(1))
			if r, err := k.say(ctx, address, "/incident update INC-1 "+text, false); err != nil || !r.Problem.IsZero() {
				return
			}
			ack(text)
		}
	})
	if i%2 == 0 {
		talking.Go(func() {
			text := fmt.Sprintf("item-%06d", k.said.Add(1))
			r, err := k.say(ctx, address, "/incident task INC-1 add "+text, false)
			if err != nil || !r.Problem.IsZero() {
				return
			}
			ack(text)
			id := strings.Fields(r.Headline)[3]
			if r, err = k.say(ctx, address, "/incident task export "+id+" --to "+[]string{"github", "jira"}[i/2%2], false); err == nil && r.Problem.IsZero() {
				ack("export " + id)
			}
		})
	}
	select {
	case <-heard:
	case <-time.After(time.Minute):
		k.t.Errorf("nobody is answered:\n%s", log)
	}
	time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond)
	if err := c.Process.Kill(); err != nil {
		k.t.Errorf("kill: %v\n%s", err, log)
	}
	cancel()
	talking.Wait()
	_ = c.Wait()
	if strings.Contains(log.String(), "panic") {
		k.t.Errorf("the server panicked:\n%s", log)
	}
}

// settled waits until nothing is to be done outside any more.
func (w *world) settled(p *program) ([]incident.Update, []incident.Task) {
	w.t.Helper()
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ds, err := p.desk.Dispatches(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		es, err := p.desk.Exports(w.t.Context(), time.Now())
		if err != nil {
			w.t.Fatal(err)
		}
		if len(ds)+len(es) == 0 {
			break
		}
		if time.Now().After(end) {
			w.t.Fatalf("still to be done: %+v %+v", ds, es)
		}
	}
	us, err := p.book.Updates(w.t.Context(), "INC-1")
	if err != nil {
		w.t.Fatal(err)
	}
	ts, err := p.book.Tasks(w.t.Context(), true)
	if err != nil {
		w.t.Fatal(err)
	}
	return us, ts
}

// once looks that every update reached every target once and in order, and
// that every exported item stands in its tracker once.
func (w *world) once(us []incident.Update, ts []incident.Task) {
	w.t.Helper()
	var want []string
	for _, u := range us {
		want = append(want, u.Text)
		for _, d := range u.Deliveries {
			if d.State != incident.DeliveryDone {
				w.t.Errorf("%s: %+v", u.ID, d)
			}
		}
	}
	is := w.page.Incidents()
	if len(is) != 1 {
		w.t.Fatalf("%d incidents on the page", len(is))
	}
	var shown, hooked []string
	for _, u := range slices.Backward(is[0].Updates) {
		shown = append(shown, u.Body)
	}
	if !slices.Equal(shown, want) {
		w.t.Errorf("on the page: %v\nwant: %v", shown, want)
	}
	for _, h := range w.hooks { // one that comes twice has the same id
		if !slices.Contains(hooked, h.Update.Text) {
			hooked = append(hooked, h.Update.Text)
		}
	}
	if !slices.Equal(hooked, want) {
		w.t.Errorf("the webhook got %v\nwant: %v", hooked, want)
	}
	for _, to := range []string{"board@example.com", "cto@example.com"} {
		var mailed, ids []string
		for _, m := range w.mail.Mails() {
			msg := m.Message(w.t)
			id := msg.Header.Get("Message-Id")
			if m.To[0] != to || slices.Contains(ids, id) { // a copy has the same Message-ID
				continue
			}
			ids = append(ids, id)
			b, _ := io.ReadAll(msg.Body)
			text, _, _ := strings.Cut(string(b), "\r\n")
			mailed = append(mailed, text)
		}
		if !slices.Equal(mailed, want) {
			w.t.Errorf("%s got %v\nwant: %v", to, mailed, want)
		}
	}
	made := map[string]int{}
	for _, i := range w.git.Issues() {
		made[i.Title]++
	}
	for _, i := range w.jira.Issues() {
		made[i.Summary]++
	}
	for _, t := range ts {
		if n := made[t.Text]; !t.Export.IsZero() && n != 1 || t.Export.IsZero() && n != 0 {
			w.t.Errorf("%s (%s) stands %d times in its tracker: %+v", t.ID, t.Text, n, t.Export)
		}
	}
}

// TestOutside is a whole outage with the real program: approval, every target,
// the close that ends the page's incident and sends the open items.
func TestOutside(t *testing.T) {
	w := newWorld(t, "  approve: true\n")
	cfg, err := loadConfig(w.file)
	if err != nil {
		t.Fatal(err)
	}
	k := &killer{t: t, e: &loopEstate{cfg: cfg, file: w.file}}
	c, address, _ := k.start()
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	as := func(who, line string) string {
		t.Helper()
		r := sayAs(t, address, who, line)
		if !r.Problem.IsZero() {
			t.Fatalf("%s: %+v", line, r.Problem)
		}
		return r.Headline + "\n" + r.Body
	}
	as("ana", "/incident declare sev2 images do not load")
	as("ana", "/incident update INC-1 images do not load, we look for the cause")
	if n := len(w.mail.Mails()) + len(w.page.Incidents()); n != 0 {
		t.Errorf("%d left before somebody approved", n)
	}
	as("ben", "/incident role INC-1 communications me")
	as("ben", "/incident update approve INC-1 U-1")
	as("ana", "/incident task INC-1 add two owners for each certificate")
	as("ana", "/incident resolve INC-1")
	as("ana", "/incident close INC-1 --anyway nobody was affected")
	outsideDone(t, "the page's incident is over and the item is an issue", func() bool {
		is, gs := w.page.Incidents(), w.git.Issues()
		return len(is) == 1 && is[0].Status == "resolved" && len(gs) == 1 && len(w.mail.Mails()) == 2
	})
	outsideDone(t, "the list says so", func() bool {
		list := as("ana", "/incident update list INC-1")
		return strings.Contains(list, "2 status updates")
	})
	outsideDone(t, "the item has its link", func() bool {
		r := sayAs(t, address, "ana", "/incident task list")
		return len(r.Table.Rows) == 1 && strings.Contains(r.Table.Rows[0].Cells[5], w.git.Repo+"#1")
	})
}

func outsideDone(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestOutsideSecrets: what is missing is named before anything starts; `run`
// without a server needs none, and what it says is delivered by the next one.
func TestOutsideSecrets(t *testing.T) {
	w := newWorld(t, "")
	cfg, err := loadConfig(w.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SMTP_PASSWORD_FILE", "WEBHOOK_SECRET", "STATUSPAGE_TOKEN", "GITHUB_TOKEN", "JIRA_TOKEN", "JIRA_USER"} {
		was := os.Getenv(name)
		t.Setenv(name, "")
		_, err := open(t.Context(), cfg, programOptions{Name: "test", Log: slog.New(slog.DiscardHandler), Watch: true})
		if bare := strings.TrimSuffix(name, "_FILE"); err == nil || !strings.Contains(err.Error(), bare+": set it, or "+bare+"_FILE") {
			t.Errorf("without %s: %v", name, err)
		}
		t.Setenv(name, was)
	}
	var out, errOut strings.Builder
	for _, line := range []string{"/incident declare sev2 images do not load", "/incident update INC-1 said without a server"} {
		if code := run(t.Context(), []string{"run", "-c", w.file, "--as", "ana", line}, nil, &out, &errOut); code != 0 {
			t.Fatalf("%d %s %s", code, out.String(), errOut.String())
		}
	}
	if len(w.mail.Mails()) != 0 {
		t.Error("delivered by run")
	}
	p := startProgram(t, cfg, programOptions{Name: "test", Log: slog.New(slog.DiscardHandler), Watch: true})
	us, _ := w.settled(p)
	w.once(us, nil)
}

// sayAs says a line to a running server as somebody.
func sayAs(t *testing.T, address, who, line string) commands.Reply {
	t.Helper()
	r, err := sayToServer(t.Context(), address, commands.Request{Text: line, By: commands.Person{Name: who}, Room: "main", ID: fmt.Sprint(rand.Int64())})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReceiver runs the receiver of docs/updates.md as it stands there against
// a real webhook: it takes what is signed, once, and nothing else.
func TestReceiver(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: python3 is not installed, so the receiver in docs/updates.md is not run")
	}
	doc, err := os.ReadFile("../../docs/updates.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(doc), "```python\n")
	code, _, ok := strings.Cut(code, "```")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || !ok {
		t.Fatal(err, ok)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	c := exec.Command(python, "-c", code)
	c.Env = append(os.Environ(), "WEBHOOK_SECRET=right", "PORT="+port)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	m := commands.Dispatch{Target: "hook", Incident: "INC-7", Update: "U-2", Title: "x", Text: "The cause is found.", Status: "identified", Severity: 2}
	send := func(secret string) error {
		_, err := (&notify.Webhook{URL: "http://" + address + "/", Secret: secret, Now: time.Now}).Deliver(t.Context(), m)
		return err
	}
	outsideDone(t, "the receiver listens", func() bool { return send("right") == nil })
	if err := send("right"); err != nil {
		t.Error(err)
	}
	if err := send("wrong"); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a wrong signature: %v", err)
	}
	old := notify.Webhook{URL: "http://" + address + "/", Secret: "right", Now: func() time.Time { return time.Now().Add(-time.Hour) }}
	if _, err := old.Deliver(t.Context(), m); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("an old one: %v", err)
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if got := out.String(); got != "INC-7 identified: The cause is found.\n" {
		t.Errorf("the receiver printed %q", got)
	}
}
