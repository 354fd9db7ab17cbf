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

// An incident's page has its temporary changes, action items, roles, and what
// stands behind a rehearsal and an alert.
func TestIncidentsParts(t *testing.T) {
	t.Parallel()
	d := &record{parts: true}
	h := build(t, func(o *Options) { o.Pages = d })
	d.entries = []incident.Entry{
		{ID: "E-9", At: atNight, Recorded: atNight, Kind: incident.Rehearsal, By: medic, Text: "The rehearsal failed.", Version: 1, Evidence: incident.Evidence{Rehearsal: incident.RehearsalEvidence{Certificate: "media",
			Faults: []incident.RehearsalFault{{Level: "http-01", Subject: "media.example.com", Addresses: "192.0.2.13", Finding: "http01_path", Cause: "it answers 404 <b>"}}}}},
		{ID: "E-10", At: atNight, Recorded: atNight, Kind: incident.Alert, By: medic, Text: "Alert in main.", Version: 1, Evidence: incident.Evidence{Alert: incident.AlertEvidence{Certificate: "media", Room: "main", Key: "k"}}},
	}
	_, page := h.get(t, h.browser(t), "/incident/INC-7")
	for _, want := range []string{"Temporary changes", "the CDN points to the old hosts", "> stands</span>", "> undone</span>", "To undo: set the CNAME back", "set back", "Action items", "> overdue</span>", "> done</span>", "renew without a person",
		"<dt>scribe</dt><dd>ben</dd>", "<dt>Invited</dt><dd>cho, dan</dd>", "http01 path", "it answers 404 &lt;b&gt;", "failed: it could not have been renewed", "<dt>Posted in</dt><dd>main</dd>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page, "404 <b>") {
		t.Error("markup of a stranger")
	}
}
