package web

import (
	"strings"
	"testing"
)

// TestUpdatesPanel: the incident's page has each status update with its state,
// where it went, and the button that leads on; it works without script.
func TestUpdatesPanel(t *testing.T) {
	t.Parallel()
	page := func(d *record) string {
		h := build(t, func(o *Options) { o.Pages = d })
		_, body := h.get(t, h.browser(t), "/incident/INC-7")
		return body
	}
	body := page(&record{parts: true})
	for _, want := range []string{
		`<span class="state warning"><span aria-hidden="true">!</span> waits for approval</span> <a href="#E-5">U-7</a>`,
		`<input type="hidden" name="room" value="INC-7"><input type="hidden" name="text" value="/incident update approve INC-7 U-7">`, `<button class="primary" title="/incident update approve INC-7 U-7">Approve</button>`,
		`value="/incident update deny INC-7 U-7"`, `value="/incident update retry INC-7 U-6"`, `>Try again</button>`, `✕</span> failed at 1 of 2</span>`, `✕</span> failed</span> mail board<span class="quiet">: 550 &lt;i&gt;no&lt;/i&gt;</span>`,
		`denied by ana: no blame`, `✓</span> said in the rooms</span>`, `approved by ana`, `And 3 earlier`, `value="/incident update INC-7 --draft external"`, `Images do not load. &lt;b&gt;Sorry&lt;/b&gt;`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(body, "<b>Sorry") {
		t.Error("what somebody wrote is markup")
	}
	if body := page(&record{}); !strings.Contains(body, "Nothing has been told yet.") {
		t.Error("without updates the page does not say so")
	}
}
