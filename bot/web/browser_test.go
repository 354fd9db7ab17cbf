package web

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/certmedic/certmedic/commands"
)

// chromium starts one real browser for all tests of a run.
func chromium(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("NO CHROMIUM: the pages are not tried in a browser. Install chromium (Debian: apt-get install chromium) and run again.")
	}
	o := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	o = append(o, chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), o...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	watch(t, ctx)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// watch fails the test on anything that the page's script or policy complains
// of. A status that a test asked for is none.
func watch(t *testing.T, ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	messages := chromedp.Console(ctx)
	var reader sync.WaitGroup
	reader.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if text := m.String(); !strings.HasPrefix(text, "debug:") && !strings.HasPrefix(text, "info:") && !strings.Contains(text, "status of 4") && !strings.Contains(text, "ERR_INCOMPLETE_CHUNKED") {
				t.Errorf("browser: %s", text)
			}
		}
	})
	t.Cleanup(func() { stop(); reader.Wait() })
}

// until waits until a script says true.
func until(ctx context.Context, t *testing.T, what, script string) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+script+")"))
		if ok {
			return
		}
		if time.Now().After(end) {
			text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
			t.Fatalf("%s: it does not happen (%v); the page reads\n%s", what, err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func do(ctx context.Context, t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// ask evaluates a script.
func ask[T any](ctx context.Context, t *testing.T, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// js runs a script for its effect.
func js(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("(() => { "+script+"; return true })()"))
		return err
	})
}

func has(words string) string {
	b, _ := json.Marshal(words)
	return "document.body.innerText.includes(" + string(b) + ")"
}

func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the pages are not tried in a browser")
	}
	ctx := chromium(t)
	h := build(t, nil)
	do(ctx, t, chromedp.EmulateViewport(1200, 800), chromedp.Navigate(h.URL+"/"), chromedp.WaitVisible("#text"))

	// The name is asked once, with the first line.
	do(ctx, t, chromedp.SendKeys("#as", "ana"), chromedp.SendKeys("#text", "/certcheck"+kb.Enter))
	until(ctx, t, "the reply", has("1 of 5 certificates is critical"))
	until(ctx, t, "the name is known", `document.querySelector("#who summary").textContent === "You are ana" && !document.getElementById("as")`)
	do(ctx, t, js(`window.same = true`)) // gone if the page is loaded anew

	// Type a verb, see the reply.
	until(ctx, t, "the stream", `document.getElementById("live").textContent === "live"`)
	do(ctx, t, chromedp.SendKeys("#text", "/renew media"+kb.Enter))
	until(ctx, t, "the plan", has("media cannot be renewed with http-01"))

	// Click a button that asks, see it gone with who and when.
	do(ctx, t, chromedp.Click(`#m-4 form.press button.primary`), chromedp.WaitVisible("dialog[open]"))
	if n := len(h.desk.Asked("")); n != 0 {
		t.Errorf("it does not wait for the answer: %d", n)
	}
	do(ctx, t, chromedp.Click(`dialog button[value=no]`), chromedp.WaitNotPresent("dialog"))
	do(ctx, t, chromedp.Click(`#m-4 form.press button.primary`), chromedp.WaitVisible("dialog[open]"), chromedp.Click(`dialog button[value=yes]`))
	until(ctx, t, "who pressed", has("ana pressed Renew with DNS-01 at 02:11 UTC"))
	until(ctx, t, "the button is gone", `!document.querySelector("#m-4 form.press")`)

	// A progress message is edited in place.
	until(ctx, t, "progress", has("1 of 4 hosts"))
	count := ask[int](ctx, t, `document.querySelectorAll("#log > li").length`)
	for n := 2; n <= 4; n++ {
		if err := h.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: renewing(n)}); err != nil {
			t.Fatal(err)
		}
		until(ctx, t, "more progress", has(fmt.Sprintf("%d of 4 hosts", n)))
	}
	until(ctx, t, "in place", fmt.Sprintf(`document.querySelectorAll("#log > li").length === %d && document.querySelectorAll("progress").length === 1 && document.querySelector("progress").value === 4`, count))
	until(ctx, t, "one page all the time", `window.same === true`)

	t.Run("drawn alike", func(t *testing.T) { drawnAlike(ctx, t) })
	t.Run("keyboard", func(t *testing.T) { keyboardOnly(ctx, t, h) })
	t.Run("filter", func(t *testing.T) { filterEstate(ctx, t, h) })
	t.Run("incident live", func(t *testing.T) { incidentLive(ctx, t, h) })
	t.Run("phone", func(t *testing.T) { phoneWidth(ctx, t, h) })
	t.Run("hostile", func(t *testing.T) { hostileRoom(ctx, t, h) })
	t.Run("pictures", func(t *testing.T) { pictures(ctx, t, h) })
	do(ctx, t, chromedp.Navigate("about:blank")) // before the server ends
}

// drawnAlike compares the log that the script built with the one that the
// server draws.
func drawnAlike(ctx context.Context, t *testing.T) {
	text := `[...document.querySelectorAll("#log > li")].map(l => l.id + l.dataset.rev + l.className.replace(" new","") + l.textContent.replace(/\s+/g, " ")).join("\n")`
	built := ask[string](ctx, t, text)
	do(ctx, t, chromedp.Reload(), chromedp.WaitVisible("#text"))
	drawn := ask[string](ctx, t, text)
	if built != drawn || built == "" {
		t.Errorf("the script built\n%s\nthe server draws\n%s", built, drawn)
	}
}

// keyboardOnly goes from the top of the page to a pressed button without a
// pointer.
func keyboardOnly(ctx context.Context, t *testing.T, h *house) {
	do(ctx, t, chromedp.Navigate(h.URL+"/"), chromedp.WaitVisible("#text"))
	until(ctx, t, "the line has the focus", `document.activeElement.id === "text"`)
	do(ctx, t, chromedp.KeyEvent("/re"))
	until(ctx, t, "completions", `document.querySelectorAll("#choices [role=option]").length === 1 && document.getElementById("text").getAttribute("aria-expanded") === "true"`)
	do(ctx, t, chromedp.KeyEvent(kb.Tab))
	until(ctx, t, "Tab completes", `document.getElementById("text").value === "/renew media "`)
	do(ctx, t, js(`document.getElementById("text").value = ""`), chromedp.KeyEvent("/"))
	until(ctx, t, "three completions", `document.querySelectorAll("#choices [role=option]").length === 3`)
	do(ctx, t, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	until(ctx, t, "arrows and Enter complete", `document.getElementById("text").value === "/incident declare "`)
	do(ctx, t, chromedp.KeyEvent(kb.Escape), js(`document.getElementById("text").value = "/buttons"`), chromedp.KeyEvent(kb.Enter))
	until(ctx, t, "the reply", has("a choice"))
	do(ctx, t, chromedp.KeyEvent(kb.ArrowUp))
	until(ctx, t, "the line comes back", `document.getElementById("text").value === "/buttons"`)
	do(ctx, t, js(`document.getElementById("text").value = ""`))
	// Shift+Tab goes back through the log to the button.
	for range 12 {
		do(ctx, t, chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(kb.ModifierShift)))
		if ask[bool](ctx, t, `document.activeElement.textContent === "Renew" && getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
			do(ctx, t, chromedp.KeyEvent(kb.Enter))
			until(ctx, t, "pressed", has("ana pressed Renew at 02:11 UTC"))
			return
		}
	}
	t.Error("the button is not reached, or its focus is not visible")
}

func hostileRoom(ctx context.Context, t *testing.T, h *house) {
	do(ctx, t, chromedp.Navigate(h.URL+"/"), chromedp.WaitVisible("#text"), chromedp.SendKeys("#text", "/hostile"+kb.Enter))
	until(ctx, t, "the reply", has("hostile reply <script>alert(1)</script>"))
	until(ctx, t, "nothing of it is markup", `!document.querySelector("#log script, #log img, #log [onmouseover], #log a[href^=javascript]") && document.documentElement.scrollWidth <= window.innerWidth`)
}

func filterEstate(ctx context.Context, t *testing.T, h *house) {
	do(ctx, t, chromedp.Navigate(h.URL+"/estate"), chromedp.WaitVisible("#q"),
		js(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true}))`), chromedp.KeyEvent("platform ma"))
	until(ctx, t, "one row", `document.querySelectorAll(".estate tbody tr").length === 1 && document.querySelector(".estate tbody a").textContent === "mail"`)
	until(ctx, t, "state in the address", `location.search === "?q=platform+ma" && document.activeElement.id === "q"`)
	do(ctx, t, chromedp.Reload(), chromedp.WaitVisible("#q"))
	until(ctx, t, "still one row", `document.querySelectorAll(".estate tbody tr").length === 1 && document.getElementById("q").value === "platform ma"`)
}

func incidentLive(ctx context.Context, t *testing.T, h *house) {
	do(ctx, t, chromedp.Navigate(h.URL+"/incident/INC-7"), chromedp.WaitVisible("#timeline"))
	until(ctx, t, "the stream", `document.getElementById("live").textContent === "live"`)
	do(ctx, t, js(`document.querySelector("#E-6 details").open = true; document.querySelector("#E-6 summary").focus(); window.scrollTo(0, 200); window.was = window.scrollY`))
	h.record.mu.Lock()
	h.record.status = "monitoring"
	entry := h.record.entries
	h.record.mu.Unlock()
	extra := h.record.timeline()[6]
	extra.ID, extra.Text = "E-8", "R-12: every host serves the new certificate."
	h.record.mu.Lock()
	h.record.entries = append(entry, extra)
	h.record.mu.Unlock()
	if err := h.rooms.Post(context.Background(), commands.Post{Room: "INC-7", Reply: commands.Reply{State: "good", Headline: "Every host is good."}}); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, "the new entry", `document.getElementById("E-8") && document.title.startsWith("INC-7 SEV1 monitoring") && document.querySelector("#card").innerText.includes("monitoring")`)
	until(ctx, t, "the place is kept", `document.querySelector("#E-6 details").open && document.activeElement === document.querySelector("#E-6 summary") && window.scrollY === window.was`)
}

func phoneWidth(ctx context.Context, t *testing.T, h *house) {
	do(ctx, t, chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	for _, path := range append(everyPage, "/nothing", "/login") {
		do(ctx, t, chromedp.Navigate(h.URL+path), chromedp.WaitReady("main"))
		wide := ask[[]string](ctx, t, `document.documentElement.scrollWidth > 360 ?
			[String(document.documentElement.scrollWidth), ...[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > 361 && !e.closest(".scroll, pre, .draft table, .quick, .only-read")).map(e => e.tagName + "." + e.className)].slice(0, 9) : []`)
		for _, u := range ask[[]string](ctx, t, `performance.getEntriesByType("resource").map(e => e.name)`) {
			if !strings.HasPrefix(u, h.URL+"/") {
				t.Errorf("%s asks %s", path, u)
			}
		}
		if len(wide) > 0 {
			t.Errorf("%s scrolls sideways on a phone: %v", path, wide)
		}
	}
	// The input is in view wherever the room is scrolled to.
	do(ctx, t, chromedp.Navigate(h.URL+"/"), chromedp.WaitVisible("#text"), js(`window.scrollTo(0, 0)`))
	until(ctx, t, "the input is in view", `document.documentElement.scrollHeight > 1000 && document.getElementById("text").getBoundingClientRect().bottom <= window.innerHeight`)
}

// pictures writes every page in light, dark and phone width to the folder that
// CERTMEDIC_SHOTS names, for people to look at.
func pictures(ctx context.Context, t *testing.T, h *house) {
	dir := os.Getenv("CERTMEDIC_SHOTS")
	if dir == "" {
		t.Skip("CERTMEDIC_SHOTS is not set: no pictures are made")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		h.rooms.Say(context.Background(), commands.Request{Text: text, Room: "INC-7", By: commands.Person{ID: "web:ana", Name: "ana", Platform: "web"}})
	}
	say("/certcheck")
	say("/renew media")
	say("/renew media --yes")
	say("/certchek media")
	h.record.mu.Lock()
	h.record.status = ""
	h.record.mu.Unlock()
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1200}, {"dark", "dark", 1200}, {"phone", "light", 360}, {"phone-dark", "dark", 360}} {
		do(ctx, t, chromedp.EmulateViewport(look.width, 800), chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			return tab.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": look.scheme}}}, nil)
		}))
		for _, path := range append(everyPage, "/login", "/nothing", "/?all=1#m-2") {
			do(ctx, t, chromedp.Navigate(h.URL+path), chromedp.WaitReady("main"), chromedp.Sleep(150*time.Millisecond))
			png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			name := strings.Trim(strings.NewReplacer("/", "-", "?all=1#m-2", "top").Replace(path), "-")
			if name == "" {
				name = "main"
			}
			if err := os.WriteFile(filepath.Join(dir, look.name+"-"+name+".png"), png, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	do(ctx, t, chromedp.Navigate(h.URL+"/incident/INC-7/draft"))
	pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "draft.pdf"), pdf, 0o644); err != nil {
		t.Fatal(err)
	}
}
