package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/certmedic/certmedic/cmd/certmedic/drill"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// In this file: one outage from the alert to the draft, in a real browser, by
// somebody who clicks. CERTMEDIC_SHOTS names a folder to write pictures of
// every stage to, light, dark and as wide as a phone.

// tab is a page of a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
}

func openTab(t *testing.T, url string) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("NO CHROMIUM: the outage is not handled in a browser. Install chromium (Debian: apt-get install chromium) and run again.")
	}
	o := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.WSURLReadTimeout(time.Minute))
	for _, flag := range []string{"disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"} {
		o = append(o, chromedp.Flag(flag, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), o...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, url: url}
	b.do(chromedp.EmulateViewport(1000, 800))
	return b
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// is evaluates a script that says true or false.
func (b *tab) is(script string) bool {
	ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+script+")"))
	return ok && err == nil
}

// text evaluates a script that returns text.
func (b *tab) text(script string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return s
}

// sees waits until a script says true.
func (b *tab) sees(what, script string) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); !b.is(script); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: it does not happen; the page reads\n%s", what, b.text("document.body.innerText"))
		}
	}
}

// reads waits until the page says these words.
func (b *tab) reads(words string) {
	b.t.Helper()
	b.sees(words, "document.body.innerText.includes("+quoted(words)+")")
}

func quoted(s string) string {
	q, _ := json.Marshal(s)
	return string(q)
}

// click presses the newest button of this name under a message, and says yes
// where the button asks. Where something new pushes the button away under the
// pointer, it presses again, as people do: a button that was pressed is
// disabled at once.
func (b *tab) click(label string) {
	b.t.Helper()
	find := `[...document.querySelectorAll("#log form.press button:enabled")].filter(b => b.textContent === ` + quoted(label) + `).pop()`
	for tries := 0; ; tries++ {
		b.sees("a button "+label, find)
		form := b.text(`(() => { const f = ` + find + `.closest("form"); return "#" + f.closest("li").id + " form.press:nth-of-type(" + ([...f.parentElement.children].indexOf(f) + 1) + ")" })()`)
		b.do(chromedp.Click(form + " button"))
		// Gone is the button of this name: its message may have others since.
		gone := `![...document.querySelectorAll(` + quoted(form+" button") + `)].some(b => b.textContent === ` + quoted(label) + `)`
		if !b.soon(`document.querySelector("dialog[open]") || `+gone+` || document.querySelector(`+quoted(form+" button:disabled")+`)`) && tries < 20 {
			continue
		}
		if b.is(`document.querySelector("dialog[open]")`) {
			b.do(chromedp.Click("dialog button[value=yes]"))
		}
		b.sees("the press of "+label, gone)
		return
	}
}

// soon reports whether a script says true within a moment.
func (b *tab) soon(script string) bool {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if b.is(script) {
			return true
		}
	}
	return false
}

// types says a line in the room.
func (b *tab) types(line string) {
	b.t.Helper()
	b.do(chromedp.SendKeys("#text", line), chromedp.SendKeys("#text", kb.Escape+kb.Enter))
}

// shot takes pictures of a stage when they are asked for.
func (b *tab) shot(stage string) {
	dir := os.Getenv("CERTMEDIC_SHOTS")
	if dir == "" {
		return
	}
	b.t.Helper()
	for _, look := range []struct {
		name, scheme string
		width, high  int64
	}{{"light", "light", 1000, 800}, {"dark", "dark", 1000, 800}, {"phone", "light", 390, 844}, {"", "light", 1000, 800}} {
		b.do(chromedp.EmulateViewport(look.width, look.high), chromedp.Func(func(ctx context.Context, p *chromedp.Target) error {
			return p.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": look.scheme}}}, nil)
		}))
		if look.name == "" { // as it was
			break
		}
		b.do(chromedp.Sleep(150 * time.Millisecond))
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, stage+"-"+look.name+".png"), png, 0o644)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// startDrill builds the demo's estate and runs the whole program on it.
func startDrill(t *testing.T, lifetime time.Duration) (*drill.Estate, *program) {
	t.Helper()
	f := estateFlags{dir: t.TempDir(), lifetime: lifetime, listen: "127.0.0.1:0"}
	e, p, err := f.start(t.Context(), drill.Options{}, programOptions{Name: "test", Log: newLog(testLog{t}, true), Listen: true, Watch: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close the estate: %v", err)
		}
	})
	keepRunning(t, p)
	return e, p
}

// TestOutageByClicks: the certificate really expires, the alert is there
// unasked, and an outage is led from Declare to the draft with buttons alone;
// only the name and the impact are typed.
func TestOutageByClicks(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no browser")
	}
	b := openTab(t, "")
	e, p := startDrill(t, 6*time.Second)
	b.url = p.Address()
	before := serials(t, e)
	b.do(chromedp.Navigate(b.url+"/"), chromedp.WaitVisible("#text"))
	b.sees("the alert", `[...document.querySelectorAll("#log > li.critical")].some(m => m.innerText.includes("media expired") && m.innerText.includes("4 of 4 hosts"))`)
	if time.Now().Before(e.Expires()) {
		t.Errorf("the alert says expired before %s", e.Expires())
	}
	b.shot("1-alert")

	b.do(chromedp.SendKeys("#as", "ana"))
	b.click("Declare incident")
	b.reads("You are ana")
	b.do(chromedp.WaitVisible("#text"))
	b.reads("INC-1 SEV")
	b.shot("2-declared")
	b.sees("the live stream", `document.getElementById("live").textContent === "live"`)
	b.is(`window.same = true`)
	b.click("Lead me")
	b.reads("ana leads INC-1 now")
	b.shot("3-led")
	b.click("Renew plan")
	b.reads("media can be renewed")
	b.shot("4-plan")

	// Every state that the progress message goes through, by its element's id.
	b.is(`(() => { window.went = {}; const look = () => { for (const li of document.querySelectorAll("#log > li")) { const p = li.querySelector(".progress span"); if (p) { const l = window.went[li.id] = window.went[li.id] || []; if (l.at(-1) !== p.textContent) l.push(p.textContent) } } };
		new MutationObserver(look).observe(document.getElementById("log"), {childList: true, subtree: true, characterData: true}); return true })()`)
	b.click("Start")
	b.sees("progress", `document.querySelector("#log progress")`)
	b.shot("5-renewing")
	b.sees("every host", `[...document.querySelectorAll("#log > li.good")].some(m => m.innerText.includes("renewed and verified on 4 of 4 hosts"))`)
	var went map[string][]string
	if err := json.Unmarshal([]byte(b.text(`JSON.stringify(window.went)`)), &went); err != nil {
		t.Fatal(err)
	}
	if !b.is(`window.same`) || len(went) != 1 {
		t.Errorf("not one message changed in place: %v, the same page: %v", went, b.is("window.same"))
	}
	for _, states := range went {
		if len(states) < 2 || states[len(states)-1] != "4 of 4 hosts" {
			t.Errorf("progress went %v", states)
		}
	}
	b.reads("media is good again on 4 of 4 hosts")
	b.sees("the state on top", `document.getElementById("open").innerText.includes("4 of 4 hosts good")`)
	b.shot("6-renewed")

	b.click("Resolve INC-1")
	b.reads("INC-1 is resolved")
	b.shot("7-resolved")
	b.types("/incident impact INC-1 images did not load")
	b.reads("The impact of INC-1 is on the record.")
	b.click("Close")
	b.reads("INC-1 is closed")
	b.shot("8-closed")

	b.do(chromedp.Navigate(b.url+"/room/INC-1"), chromedp.WaitVisible("#card"))
	b.shot("9-room")
	b.do(chromedp.Navigate(b.url+"/incident/INC-1"), chromedp.WaitVisible("#timeline"))
	b.shot("10-incident")
	b.do(chromedp.Navigate(b.url+"/estate"), chromedp.WaitVisible("#q"))
	b.shot("11-estate")
	b.do(chromedp.Navigate(b.url+"/certificate/media"), chromedp.WaitVisible("#certificate"))
	b.shot("12-certificate")
	b.do(chromedp.Navigate(b.url+"/incident/INC-1/draft"), chromedp.WaitVisible("article"))
	b.shot("13-draft")
	size := `performance.getEntries().filter(e => e.entryType === "navigation" || e.entryType === "resource").reduce((n, e) => n + e.decodedBodySize, 0)`
	t.Logf("the draft's page with its files: %s bytes", b.text(`String(`+size+`)`))
	if !b.is(size + ` < 100000 && ` + size + ` > 20000`) {
		t.Errorf("the draft of an ordinary outage is %s bytes with its files", b.text(`String(`+size+`)`))
	}
	b.printed("draft")

	// What the pages said is what is: on the hosts, in the draft, on the record.
	after := serials(t, e)
	for host, serial := range after {
		if serial == before[host] || serial != after[e.Hosts()[0].Name] {
			t.Errorf("%s serves %s, before it was %s", host, serial, before[host])
		}
		for _, want := range []string{serial, before[host], host, "images did not load"} {
			if !b.is("document.body.textContent.includes(" + quoted(want) + ")") {
				t.Errorf("the draft has no %s", want)
			}
		}
	}
	b.do(chromedp.Navigate("about:blank")) // before the server ends
	onRecord(t, e, p)
}

// printed writes the page as it prints, when pictures are asked for.
func (b *tab) printed(name string) {
	dir := os.Getenv("CERTMEDIC_SHOTS")
	if dir == "" {
		return
	}
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".pdf"), pdf, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(720, 1000), chromedp.Func(func(ctx context.Context, p *chromedp.Target) error {
		return p.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	}))
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+"-print.png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// serials is what each host serves, seen by a handshake of the test's own.
func serials(t *testing.T, e *drill.Estate) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, h := range e.Hosts() {
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true, ServerName: e.Domain()}}
		c, err := d.DialContext(t.Context(), "tcp", h.Address)
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = fmt.Sprintf("%x", c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber)
		c.Close()
	}
	return found
}

// onRecord asks the record, past the room: the renewal is done with every host
// verified, and the incident is closed with its certificates good.
func onRecord(t *testing.T, e *drill.Estate, p *program) {
	t.Helper()
	all, err := p.runner.Renewals(t.Context(), e.Name(), 0)
	if err != nil || len(all) != 1 || all[0].State != renew.Done {
		t.Fatalf("%v %+v", err, all)
	}
	verified := 0
	for _, h := range all[0].Hosts {
		if h.State == renew.HostVerified {
			verified++
		}
	}
	if verified != len(e.Hosts()) {
		t.Errorf("%d of %d hosts are verified: %+v", verified, len(e.Hosts()), all[0].Hosts)
	}
	i, err := p.book.Incident(t.Context(), "INC-1")
	if err != nil || i.Status != incident.Closed || i.Commander.Name != "ana" || !strings.Contains(i.Impact, "images did not load") {
		t.Errorf("%v %+v", err, i)
	}
}
