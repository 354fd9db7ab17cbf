package postmortem

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// outage is a record of n hosts that failed at the start of a span and were
// brought back one after the other in its second half.
func outage(n int, lasted time.Duration) Record {
	at := time.Date(2026, 11, 20, 23, 50, 0, 0, time.UTC)
	when := func(share float64) time.Time {
		return at.Add(time.Duration(share * float64(lasted))).Truncate(time.Second)
	}
	i := incident.Incident{ID: "INC-7", Title: "Images of media do not load", Severity: 1, Status: incident.Resolved, Declared: when(.1), DeclaredBy: ana, Updated: when(1), Certificates: []string{"media"}}
	for _, m := range []struct {
		kind  string
		share float64
	}{{incident.Started, 0}, {incident.Detected, .08}, {incident.Declared, .1}, {incident.Acknowledged, .12}, {incident.IdentifiedAt, .14}, {incident.Mitigated, .97}, {incident.ResolvedAt, 1}} {
		i.Milestones = append(i.Milestones, incident.Milestone{Kind: m.kind, At: when(m.share), Source: "measured"})
	}
	r := Record{Incident: i}
	add := func(share float64, ev incident.Evidence) {
		r.Timeline = append(r.Timeline, incident.Entry{ID: fmt.Sprint("E-", len(r.Timeline)+1), Incident: "INC-7", At: when(share), By: incident.Bot, Kind: incident.Check, Version: 1, Evidence: ev})
	}
	name := func(k int) string {
		return []string{"cdn-frankfurt-1", "cdn-fremont-1", "sally", "esme.very-long-name.example.com:8443"}[k%4] + map[bool]string{true: fmt.Sprint("-", k/4)}[k >= 4]
	}
	check := incident.CheckEvidence{Certificate: "media", Verdict: "critical", Cause: "The certificate expired."}
	for k := range n {
		hc := incident.HostCheck{Host: name(k), State: "critical", Findings: []string{"expired"}, SHA256: oldSum, NotAfter: when(0)}
		switch k % 5 {
		case 2:
			hc.Findings = []string{"name_mismatch"}
		case 3:
			hc.Findings, hc.SHA256 = []string{"eof"}, ""
		}
		check.Hosts = append(check.Hosts, hc)
	}
	add(.08, incident.Evidence{Check: check})
	add(.5, incident.Evidence{Approval: incident.ApprovalEvidence{Renewal: "R-1", Decision: "approved", By: "ana"}})
	for k := range n {
		share := .55 + .4*float64(k)/float64(n)
		s := incident.StepEvidence{Renewal: "R-1", Step: "deploy", Outcome: "ok", Host: name(k), AfterSHA256: newSum, AfterSerial: "03d5"}
		add(share, incident.Evidence{Step: s})
		s.Step = "verify"
		add(share+.01, incident.Evidence{Step: s})
	}
	r.History = r.Timeline
	return r
}

var shapes = []struct {
	name   string
	hosts  int
	lasted time.Duration
}{{"one", 1, time.Hour}, {"four", 4, 53 * time.Minute}, {"forty", 40, 3 * time.Hour}, {"weeks", 4, 21 * 24 * time.Hour}, {"minutes", 4, 10 * time.Minute}, {"many", 90, 26 * time.Hour}, {"seconds", 2, 20 * time.Second}, {"none", 0, time.Hour}}

// The picture is 800 pixels wide, the same bytes for the same record, and what
// stands in it touches nothing else. With PICTURES=folder the images are kept.
func TestShapes(t *testing.T) {
	t.Parallel()
	for _, c := range shapes {
		r := outage(c.hosts, c.lasted)
		r.Zone = zone(t, "Europe/Berlin")
		d := New(r)
		one, err := d.PNG()
		if err != nil {
			t.Fatal(err)
		}
		two, err := New(r).PNG()
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s: the same record, other bytes (%v)", c.name, err)
		}
		img, err := png.Decode(bytes.NewReader(one))
		if err != nil || img.Bounds().Dx() != 800 {
			t.Fatal(c.name, err, img.Bounds())
		}
		if dir := os.Getenv("PICTURES"); dir != "" {
			page, err := d.HTML()
			if err != nil {
				t.Fatal(err)
			}
			for name, b := range map[string][]byte{c.name + ".png": one, c.name + ".html": page} {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		v := gather(r.Incident, r.Timeline)
		s := v.layout("INC-7 SEV1: "+r.Incident.Title, "Europe/Berlin was UTC+01:00")
		apartTexts(t, c.name, s)
		if c.hosts == 4 && c.name == "four" {
			dark, light := count2(img, looks[expired].fill), count2(img, looks[renewed].fill)
			if dark < 10000 || light < 5000 {
				t.Errorf("%s: %d pixels expired, %d new", c.name, dark, light)
			}
		}
	}
}

// count2 counts the pixels of a colour.
func count2(img image.Image, fill string) (n int) {
	want := color.RGBAModel.Convert(shape{fill: fill}.colour())
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if color.RGBAModel.Convert(img.At(x, y)) == want {
				n++
			}
		}
	}
	return n
}

// apartTexts: no two texts touch, and none leaves the picture.
func apartTexts(t *testing.T, name string, s *sheet) {
	t.Helper()
	type box struct {
		x, y, w float64
		text    string
	}
	var all []box
	for _, o := range s.shapes {
		if o.text == "" {
			continue
		}
		b := box{o.points[0], o.points[1], width(o.text, o.mono), o.text}
		if b.x < 0 || b.x+b.w > wide || b.y < 10 || b.y > s.high {
			t.Errorf("%s: %q at %.0f, %.0f leaves the picture", name, b.text, b.x, b.y)
		}
		for _, a := range all {
			if a.x < b.x+b.w && b.x < a.x+a.w && a.y-b.y < 11 && b.y-a.y < 11 {
				t.Errorf("%s: %q and %q touch", name, a.text, b.text)
			}
		}
		all = append(all, b)
	}
}

// Grey tells the states apart, at least for those without a pattern.
func TestGrey(t *testing.T) {
	t.Parallel()
	grey := func(state string) int {
		r, g, b, _ := shape{fill: looks[state].fill}.colour().RGBA()
		return int((299*r + 587*g + 114*b) / 1000 >> 8)
	}
	for n, a := range stateOrder {
		for _, b := range stateOrder[n+1:] {
			if a == expired && b == failing || looks[a].hatch != looks[b].hatch {
				continue // one word for another
			}
			if d := grey(a) - grey(b); d > -18 && d < 18 && looks[a].sign == looks[b].sign {
				t.Errorf("%s and %s are %d and %d in grey", a, b, grey(a), grey(b))
			}
		}
	}
}
