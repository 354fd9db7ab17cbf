package web

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/certmedic/certmedic/commands"
)

// TestBrowserKeepsUp: a message whose fetch fails is fetched again, and a press
// is not lost when its message changes between the pointer's down and up.
func TestBrowserKeepsUp(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the pages are not tried in a browser")
	}
	ctx := chromium(t)
	h := build(t, nil)
	do(ctx, t, chromedp.Navigate(h.URL+"/"), chromedp.WaitVisible("#text"), chromedp.SendKeys("#as", "ana"), chromedp.SendKeys("#text", "/echo first"+kb.Enter))
	until(ctx, t, "the name is known", `!document.getElementById("as")`)
	until(ctx, t, "the stream", `document.getElementById("live").textContent === "live"`)
	post := func(r commands.Reply) {
		t.Helper()
		if err := h.rooms.Post(context.Background(), commands.Post{Room: "main", Reply: r}); err != nil {
			t.Fatal(err)
		}
	}

	do(ctx, t, js(`window.asked = 0;
		const open = XMLHttpRequest.prototype.open;
		XMLHttpRequest.prototype.open = function (method, url, ...rest) {
			if (url.startsWith("/message/") && ++window.asked <= 2) url = "/nothing";
			return open.call(this, method, url, ...rest);
		}`))
	post(commands.Reply{State: commands.StateInfo, Headline: "It was not reached twice.", Public: true})
	until(ctx, t, "it is there nevertheless", has("It was not reached twice."))
	if n := ask[int](ctx, t, "window.asked"); n < 3 {
		t.Errorf("asked %d times", n)
	}

	choice := commands.Reply{State: commands.StateWarning, Headline: "a choice", Public: true, Key: "k", Buttons: []commands.Button{{Label: "Look", Command: "/public looked"}}}
	post(choice)
	until(ctx, t, "the button", `document.querySelector("#log form.press button")`)
	const button = `document.querySelector("#log form.press button")`
	at := ask[[]float64](ctx, t, `(() => { const b = `+button+`; b.scrollIntoView(); const r = b.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`)
	mouse := func(kind string) {
		t.Helper()
		do(ctx, t, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			return tab.Call(ctx, "Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1}, nil)
		}))
	}
	do(ctx, t, js(`window.asked = 10`))
	mouse("mousePressed")
	choice.Body = "It has changed since."
	post(choice)
	until(ctx, t, "the change is fetched", `window.asked > 10`)
	do(ctx, t, js(`window.settled = false; fetch("/healthz").catch(() => 0).then(() => setTimeout(() => { window.settled = true }, 100))`))
	until(ctx, t, "the change would be drawn", `window.settled`)
	mouse("mouseReleased")
	until(ctx, t, "the press", has("ana pressed Look at 02:11 UTC"))
	until(ctx, t, "the change", has("It has changed since."))
	do(ctx, t, chromedp.Navigate("about:blank")) // before the server ends
}
