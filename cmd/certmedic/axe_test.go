package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
)

// axeFile is where .ci/install puts axe-core (npm, a pinned version).
const axeFile = "../../bin/axe/node_modules/axe-core/axe.min.js"

// axeSource is axe-core, or the test skips.
func axeSource(t *testing.T) string {
	t.Helper()
	file := os.Getenv("CERTMEDIC_AXE")
	if file == "" {
		file = axeFile
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("NO AXE-CORE: the pages are not checked for who cannot see or point. .ci/install puts it to %s where npm is there; or name the file in CERTMEDIC_AXE. (%v)", filepath.Clean(axeFile), err)
	}
	return string(b)
}

// finding is what axe-core says of a page.
type finding struct {
	ID     string   `json:"id"`
	Impact string   `json:"impact"`
	Help   string   `json:"help"`
	Nodes  []string `json:"nodes"`
}

// fullIncident declares an incident that has one of everything on its page.
func fullIncident(t *testing.T, p *program) {
	t.Helper()
	ana := commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}
	for _, line := range []string{"/incident declare sev1 images do not load --cert media", "/incident lead me", "/incident role scribe ben", "/incident invite cho",
		"/incident note the first report came from the forum @ -2m", "/incident temp add INC-1 the CDN points to the old hosts", "/incident temp add INC-1 caching is off", "/incident temp undo INC-1 1 set back",
		"/incident task add INC-1 renew without a person @ana due 2099-01-01", "/incident task add INC-1 alert sooner --detect", "/incident task done T-2 it does", "/certcheck rehearse media", "/renew media", "/incident show INC-1"} {
		room := "INC-1"
		if strings.Contains(line, "declare") {
			room = "main"
		}
		if r := p.rooms.Say(t.Context(), commands.Request{Text: line, Room: room, By: ana}); !r.Problem.IsZero() && !strings.HasPrefix(line, "/renew") {
			t.Fatalf("%s: %+v", line, r.Problem)
		}
	}
	by := incident.Person{ID: ana.ID, Name: ana.Name, Platform: ana.Platform}
	for n, wait := range []bool{false, true} { // one that failed, one that waits
		_, u, err := p.book.AddUpdate(t.Context(), "INC-1", incident.Update{Text: "Images do not load.", Deliveries: []incident.Delivery{{Target: "board", Kind: "mail", Audience: "internal"}}}, wait, incident.Change{By: by})
		if err == nil && n == 0 {
			_, _, err = p.book.SettleDelivery(t.Context(), "INC-1", u.ID, incident.Delivery{Target: "board", State: incident.DeliveryFailed, Text: "550 no such user"}, incident.Change{By: incident.Bot})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa75\x81\x84\x00\x00\x00\x00IEND\xaeB`\x82")
	pin := commands.Pin{Key: "slack/C/1", Room: "INC-1", Text: "look at the graph", Author: ana, By: ana, At: time.Now(), Link: "https://example.slack.com/p1", Images: []commands.File{{Name: "graph.png", Data: png}, {Name: "notes.txt", Data: []byte("text")}}}
	if r := p.desk.Pin(t.Context(), pin, p.post); !r.Problem.IsZero() {
		t.Fatal(r.Problem)
	}
}

// TestAxe: no finding of axe-core that is more than minor (WCAG 2.2 A and AA,
// and its best practices) on any page, light and dark, each wide and as wide as
// a phone; and
// everything that can be pressed is reached by the Tab key alone.
func TestAxe(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no browser")
	}
	axe := axeSource(t)
	b := openTab(t, "")
	_, p := startDrill(t, 6*time.Second)
	b.url = p.Address()
	b.do(chromedp.Navigate(b.url+"/"), chromedp.WaitVisible("#text"))
	b.sees("the alert", `[...document.querySelectorAll("#log > li.critical")].some(m => m.innerText.includes("media expired"))`)
	fullIncident(t, p)
	for _, path := range []string{"/", "/room/INC-1", "/incident/INC-1", "/incident/INC-1/draft", "/incident/INC-1/draft?template=status-page", "/numbers", "/estate", "/certificate/media", "/incidents", "/incident/INC-99"} {
		b.do(chromedp.Navigate(b.url + path))
		b.sees("the page", `document.readyState === "complete" && document.querySelector("main")`)
		b.is(onceEach)
		if ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](axe+"\n;typeof window.axe === 'object'")); err != nil || !ok {
			t.Fatalf("axe-core does not run in the page: %t %v", ok, err)
		}
		for _, look := range looks {
			b.do(chromedp.EmulateViewport(look.width, look.high), chromedp.Func(func(ctx context.Context, p *chromedp.Target) error {
				return p.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": look.scheme}}}, nil)
			}))
			for _, f := range findings(b) {
				if f.Impact == "minor" {
					t.Logf("%s, %s: %s (%s): %s: %s", path, look.name, f.ID, f.Impact, f.Help, strings.Join(f.Nodes, "; "))
				} else {
					t.Errorf("%s, %s: %s (%s): %s\n%s", path, look.name, f.ID, f.Impact, f.Help, strings.Join(f.Nodes, "\n"))
				}
			}
			if path == "/incident/INC-1" && look.name == "dark" {
				b.shot("axe-incident")
			}
			if wide := b.is(`document.documentElement.scrollWidth > document.documentElement.clientWidth + 1`); wide {
				t.Errorf("%s, %s: the page is wider than the window", path, look.name)
			}
		}
		byKeyboard(t, b, path)
	}
}

// onceEach opens everything that is folded, and leaves one of what is there in
// many that are alike (lines of a timeline with the same evidence, rows of a
// table): axe-core would look at each of them, for every look.
const onceEach = `(() => {
	for (const d of document.querySelectorAll("details")) d.open = true;
	const seen = new Set();
	for (const e of document.querySelectorAll("li.entry, .draft tbody tr, .draft li[id]")) {
		const like = [...e.querySelectorAll("*")].map(x => x.tagName + "." + x.className).filter((x, n, all) => all.indexOf(x) === n).join(" ") + e.parentElement.closest("[id], [aria-labelledby]").outerHTML.slice(0, 80);
		if (seen.has(like)) e.remove();
		seen.add(like);
	}
	return seen.size > 0 || true;
})()`

// looks are how every page is looked at.
var looks = []struct {
	name, scheme string
	width, high  int64
}{{"light", "light", 1200, 900}, {"dark", "dark", 1200, 900}, {"dark, as wide as a phone", "dark", 390, 844}, {"light, as wide as a phone", "light", 390, 844}}

// findings runs axe-core on the page as it looks now.
func findings(b *tab) []finding {
	b.t.Helper()
	b.is(`(() => { window.found = null; axe.run(document, {resultTypes: ["violations"]}).then(r => { window.found = JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 4).map(n => n.html.slice(0, 200) + " | " + (n.any[0] || n.all[0] || n.none[0] || {message: ""}).message)}))) }, e => { window.found = JSON.stringify([{id: "axe", impact: "critical", help: String(e), nodes: []}]) }); return true })()`)
	b.sees("axe-core's answer", `window.found`)
	var all []finding
	if err := json.Unmarshal([]byte(b.text(`window.found`)), &all); err != nil {
		b.t.Fatal(err)
	}
	return all
}

// byKeyboard tabs through a page: everything that can be pressed is reached,
// and what has the focus can be seen to have it.
func byKeyboard(t *testing.T, b *tab, path string) {
	t.Helper()
	b.do(chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.url+path))
	b.sees("the page", `document.readyState === "complete" && document.querySelector("main")`)
	b.is(`(() => { window.seen = new Set(); window.unseen = []; window.can = [...document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, textarea, [tabindex='0']")].filter(e => e.checkVisibility() && !e.disabled);
		document.activeElement.blur(); addEventListener("focusin", e => { window.seen.add(e.target); const s = getComputedStyle(e.target); if (s.outlineStyle === "none" && s.boxShadow === "none") window.unseen.push(e.target.outerHTML.slice(0, 120)) }); return true })()`)
	for n := 0; n < 40 && !b.is(`window.can.every(e => window.seen.has(e))`); n++ {
		b.do(chromedp.KeyEvent(strings.Repeat(kb.Tab, 10)))
	}
	if left := b.text(`window.can.filter(e => !window.seen.has(e)).map(e => e.outerHTML.slice(0, 160)).join("\n")`); left != "" {
		t.Errorf("%s: the Tab key does not reach\n%s", path, left)
	}
	if dark := b.text(`[...new Set(window.unseen)].join("\n")`); dark != "" {
		t.Errorf("%s: that these have the focus cannot be seen:\n%s", path, dark)
	}
	if n := b.text(`String(window.can.length)`); n == "0" || n == "" {
		t.Error(fmt.Sprint(path, ": nothing can be pressed, so this shows nothing"))
	}
}
