package web

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestDraftBrowser writes a section by keyboard alone in a real browser, copies
// the draft, follows a gap, and prints it.
func TestDraftBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the pages are not tried in a browser")
	}
	ctx := chromium(t)
	h := study(t)
	do(ctx, t, chromedp.EmulateViewport(1200, 800), chromedp.Navigate(h.URL+"/"), chromedp.WaitVisible("#text"),
		chromedp.Func(func(ctx context.Context, p *chromedp.Target) error {
			return p.Call(ctx, "Browser.grantPermissions", map[string]any{"permissions": []string{"clipboardReadWrite", "clipboardSanitizedWrite"}}, nil)
		}))
	do(ctx, t, js(`document.querySelector("#who").open = true`), chromedp.SendKeys("#name", "ana"+kb.Enter))
	until(ctx, t, "the name", `document.querySelector("#who summary").textContent === "You are ana"`)
	do(ctx, t, chromedp.Navigate(h.URL+"/incident/INC-1/draft"), chromedp.WaitVisible("article"))

	tab := func(what, script string) {
		t.Helper()
		for range 90 {
			if ask[bool](ctx, t, "(() => { const e = document.activeElement; return !!("+script+") })()") {
				if !ask[bool](ctx, t, `getComputedStyle(document.activeElement).outlineStyle !== "none" && Number(getComputedStyle(document.activeElement).opacity) > 0`) {
					t.Errorf("%s has the focus, which cannot be seen", what)
				}
				return
			}
			do(ctx, t, chromedp.KeyEvent(kb.Tab))
		}
		t.Fatalf("%s is not reached by Tab", what)
	}
	tab("the button that copies", `e.id === "copy"`)
	do(ctx, t, chromedp.KeyEvent(kb.Enter))
	until(ctx, t, "it is copied", `document.getElementById("copied").textContent === "Copied."`)
	if md := ask[string](ctx, t, `(window.read = "", navigator.clipboard.readText().then(s => window.read = s, e => window.read = String(e)), "")`); md != "" {
		t.Error(md)
	}
	until(ctx, t, "the clipboard has the Markdown", `window.read.startsWith("# Postmortem of INC-1") && window.read.includes("## Appendix")`)

	// A gap is jumped to, and back up its heading's link is reached.
	do(ctx, t, js(`document.querySelector("#far details").open = true; document.querySelector("#copy").focus()`))
	tab("a gap's link", `e.matches(".gaps a") && e.textContent.includes("lucky")`)
	do(ctx, t, chromedp.KeyEvent(kb.Enter))
	until(ctx, t, "the gap is in view", `document.querySelector(":target.gap").getBoundingClientRect().top > 44 && document.querySelector(":target.gap").getBoundingClientRect().bottom < innerHeight`)
	tab("a heading's link", `e.matches("h2 .permalink")`)

	// Written by keyboard; leaving with words that are not saved asks first.
	do(ctx, t, js(`document.querySelector("#edit-lessons summary").focus()`), chromedp.KeyEvent(kb.Enter))
	until(ctx, t, "the form opens", `document.getElementById("edit-lessons").open`)
	tab("the words", `e.id === "words-lessons"`)
	do(ctx, t, chromedp.KeyEvent("alert sooner"))
	tab("Save", `e.textContent === "Save" && e.closest("#edit-lessons")`)
	until(ctx, t, "leaving asks", `(() => { const e = new Event("beforeunload", {cancelable: true}); window.dispatchEvent(e); return e.defaultPrevented })()`)
	do(ctx, t, chromedp.KeyEvent(kb.Enter))
	until(ctx, t, "the words stand", `location.hash === "#pm-lessons" && [...document.querySelectorAll(".draft [role=status]")].some(e => e.textContent.includes("on the record")) && `+has("Written by ana"))
	if got := h.sections(t, "lessons"); len(got) != 1 || got[0] != "ana: alert sooner" {
		t.Errorf("%q", got)
	}

	// On paper: the words and the picture, none of the controls.
	do(ctx, t, chromedp.Func(func(ctx context.Context, p *chromedp.Target) error {
		return p.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	}))
	until(ctx, t, "no controls on paper", `[...document.querySelectorAll("form, button, summary, nav, .permalink")].every(e => !e.checkVisibility()) && document.querySelector("svg.picture").checkVisibility()`)
	until(ctx, t, "pages break between sections", `getComputedStyle(document.querySelector("[aria-labelledby=pm-timeline]")).breakBefore === "page" && getComputedStyle(document.querySelector("[aria-labelledby=pm-lessons]")).breakInside === "avoid" && getComputedStyle(document.querySelector("h2")).breakAfter === "avoid"`)
	do(ctx, t, chromedp.Func(func(ctx context.Context, p *chromedp.Target) error {
		return p.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"media": ""}, nil)
	}))
	pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
	if err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Errorf("%.20q %v", pdf, err)
	}
	draftShots(ctx, t, h, pdf)
	do(ctx, t, chromedp.Navigate("about:blank")) // before the server ends
}

// draftShots writes the draft by every template to the folder that
// CERTMEDIC_SHOTS names, in its looks; and looks on every page for what is
// wider than a phone.
func draftShots(ctx context.Context, t *testing.T, h *house, pdf []byte) {
	dir := os.Getenv("CERTMEDIC_SHOTS")
	write := func(name string, b []byte) {
		if dir == "" {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("draft-study.pdf", pdf)
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1200}, {"dark", "dark", 1200}, {"phone", "light", 390}, {"phone-dark", "dark", 390}} {
		do(ctx, t, chromedp.EmulateViewport(look.width, 844), chromedp.Func(func(ctx context.Context, p *chromedp.Target) error {
			return p.Call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": look.scheme}}}, nil)
		}))
		for _, name := range []string{"standard", "brief", "blog", "status-page", "ours"} {
			do(ctx, t, chromedp.Navigate(h.URL+"/incident/INC-1/draft?template="+name), chromedp.WaitReady("article"),
				js(`for (const d of document.querySelectorAll("details:not(.who)")) d.open = d.id === "edit-summary" || d.closest("#far") !== null`))
			if wide := ask[[]string](ctx, t, `document.documentElement.scrollWidth > innerWidth ? [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll, pre")).map(e => e.outerHTML.slice(0, 90)).slice(0, 5) : []`); len(wide) > 0 {
				t.Errorf("%s, %s is wider than the window: %q", look.name, name, wide)
			}
			if dir == "" {
				continue
			}
			do(ctx, t, chromedp.Sleep(100*time.Millisecond))
			png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			write("study-"+look.name+"-"+name+".png", png)
		}
	}
}
