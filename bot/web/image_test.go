package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/incident"
)

// Images of pinned messages are shown, with a type that runs nothing.
func TestPinnedImages(t *testing.T) {
	t.Parallel()
	d := &record{}
	h := build(t, func(o *Options) { o.Pages = d })
	c := h.browser(t)
	d.entries = []incident.Entry{{ID: "E-9", Incident: "INC-7", At: atNight, Recorded: atNight, Kind: incident.PinKind, By: anaOnCall, Text: "look", Version: 1,
		Evidence: incident.Evidence{Pin: incident.PinEvidence{Message: "slack/C1/1", By: anaOnCall, Pinned: atNight,
			Images: []incident.PinImage{{Name: `"><script>x`, SHA256: pinnedImage}, {Name: "b.svg", Left: "it is not an image"}}}}}}
	_, page := h.get(t, c, "/incident/INC-7")
	if !strings.Contains(page, `<img class="pinned" src="/incident/INC-7/image/`+pinnedImage+`"`) || !strings.Contains(page, "b.svg is not kept") || strings.Contains(page, "<script>x") {
		t.Error(page)
	}
	for kind, want := range map[string]int{"": http.StatusOK, "image/svg+xml": http.StatusNotFound, "text/html": http.StatusNotFound} {
		d.imageType = kind
		resp, err := c.Get(h.URL + "/incident/INC-7/image/" + pinnedImage)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		hd := resp.Header
		if resp.StatusCode != want || hd.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", kind, resp.StatusCode, hd)
		}
		if want == http.StatusOK && (hd.Get("Content-Type") != "image/png" || !strings.HasPrefix(hd.Get("Content-Disposition"), "inline") || hd.Get("Content-Security-Policy") != "default-src 'none'; sandbox") {
			t.Errorf("%v", hd)
		}
	}
	if status, _ := h.get(t, c, "/incident/INC-7/image/other"); status != http.StatusNotFound {
		t.Error(status)
	}
}
