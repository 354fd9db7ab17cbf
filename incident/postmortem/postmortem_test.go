package postmortem

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got, -update writes it anew):\n%s", path, diff)
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func page(t testing.TB, d Draft) []byte {
	t.Helper()
	b, err := d.HTML()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func data(t testing.TB, d Draft) []byte {
	t.Helper()
	b, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHachyderm(t *testing.T) {
	t.Parallel()
	r := hachyderm(t).record(zone(t, "Europe/Berlin"))
	d := New(r)
	golden(t, "hachyderm.md", d.Markdown())
	golden(t, "hachyderm.html", page(t, d))
	golden(t, "hachyderm.json", data(t, d))

	again := New(r)
	if !bytes.Equal(again.Markdown(), d.Markdown()) || !bytes.Equal(page(t, again), page(t, d)) || !bytes.Equal(data(t, again), data(t, d)) {
		t.Error("the same record, other bytes")
	}
	other := New(hachyderm(t).record(zone(t, "Europe/Berlin")))
	if !bytes.Equal(other.Markdown(), d.Markdown()) {
		t.Error("the same facts replayed, other bytes")
	}

	var back Draft
	if err := json.Unmarshal(data(t, d), &back); err != nil || !reflect.DeepEqual(back, d) {
		t.Errorf("JSON does not read back: %v\n%s", err, cmp.Diff(d, back))
	}
	if !bytes.Equal(page(t, back), page(t, d)) {
		t.Error("a draft read from JSON draws another page")
	}
}

// What a bot could know of the outage is in the draft, and said to be unaided.
func TestHachydermFacts(t *testing.T) {
	t.Parallel()
	d := New(hachyderm(t).record(nil))
	byName := map[string]Fact{}
	unaided := 0
	for _, f := range d.Facts {
		byName[f.Section+"/"+f.Name] = f
		if f.Unaided {
			unaided++
		}
		if f.Value == "" || f.Source == "" {
			t.Errorf("fact without value or source: %+v", f)
		}
	}
	for name, want := range map[string]string{
		"header/started":              "2023-02-28 01:51:07 UTC",
		"header/detected":             "2023-02-28 01:52 UTC",
		"header/duration":             "48 min 53 s",
		"summary/cause":               "The certificate expired at 2023-02-28 01:51:07 UTC.",
		"summary/hosts that failed":   "cdn-frankfurt-1, cdn-fremont-1, sally, esme",
		"resolution/verified esme":    "2023-02-28 02:39:15 UTC",
		"resolution/R-2 approved by":  "ana at 2023-02-28 02:33 UTC",
		"resolution/R-2 serial":       "03d5",
		"detection/time to detect":    "53 s",
		"detection/approval wait":     "3 min",
		"impact/hosts that failed":    "4 of 4",
		"impact/time in sev1":         "40 min",
		"appendix/order of R-2":       "https://ca.example.com/order/7",
		"resolution/serial before on": "",
	} {
		if got := byName[name].Value; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if byName["impact/impact"].Unaided || byName["header/title"].Unaided || !byName["header/started"].Unaided {
		t.Error("who typed what is wrong")
	}
	if unaided*2 < len(d.Facts) {
		t.Errorf("%d of %d facts unaided", unaided, len(d.Facts))
	}
	md := string(d.Markdown())
	if n := strings.Count(md, "**TO FILL: "); n != len(d.Gaps) {
		t.Errorf("%d gaps marked, %d counted: %q", n, len(d.Gaps), d.Gaps)
	}
	for _, want := range []string{"Two times for started", "corrected, version 2", "2023-03-01 00:10", "Proposal: ", "404 from cdn-fremont-1"} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft lacks %q", want)
		}
	}
}

func TestSections(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range New(Record{}).Sections {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), "header summary impact timeline picture factors detection resolution lessons actions messaging appendix"; got != want {
		t.Errorf("sections %q, want %q", got, want)
	}
}

// A record with nearly nothing in it makes a draft of gaps, invents nothing
// and does not fail.
func TestEmpty(t *testing.T) {
	t.Parallel()
	p := newTape(t, "2026-11-21")
	p.at("10:00")
	p.must(p.b.Declare(t.Context(), incident.Declaration{Title: "Something is wrong", By: ana}, false))
	d := New(p.record(nil))
	golden(t, "empty.md", d.Markdown())
	if _, err := d.HTML(); err != nil {
		t.Error(err)
	}
	if _, err := New(Record{}).HTML(); err != nil {
		t.Error(err)
	}
}

// hostile text as people paste it, or worse.
var hostile = []string{
	"<script>alert(1)</script>", "a | b\n| --- |\n| c |", "`code` ``` ~~~", "[x](javascript:alert(1))", "![i](http://evil.example/x.png)",
	"</td></table><h1>owned</h1>", "# heading\n- item\n1. one\n> quote\n===\n---", "&lt;b&gt; &#60;img src=x onerror=alert(1)&#62;",
	"\\| \\` \\<b>", "**TO FILL: fake**", "\u202egnp.exe", strings.Repeat("ä|<`", 1500), "<!--", "]]>", "{{.}}", "trailing \\",
	"    indented", "<http://evil.example>", "https://evil.example/?a=|b", "line one\\\nline two", "| |", "\"><svg onload=alert(1)>",
	"x\n```\n<script>alert(1)</script>\n| a | b |\n~~~\n# y",
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	for n, bad := range hostile {
		p := newTape(t, "2026-11-21")
		ctx := t.Context()
		p.at("10:00")
		evil := incident.Person{ID: "web:" + bad, Name: bad, Platform: bad}
		p.must(p.b.Declare(ctx, incident.Declaration{Title: bad + " x", Certificates: []string{"c" + bad}, Owner: bad, By: evil}, false))
		p.must(p.b.SetCommander(ctx, "INC-1", evil, incident.Change{By: evil, Text: bad, Reason: bad, Link: bad}))
		p.must(p.b.SetImpact(ctx, "INC-1", "x "+bad, incident.Change{By: evil}))
		p.entry("10:05", incident.Entry{By: evil, Kind: bad + "k", Text: bad, Link: "https://x.example/" + bad, Evidence: incident.Evidence{Check: incident.CheckEvidence{Certificate: bad, Verdict: "critical", Cause: bad, Hosts: []incident.HostCheck{{Host: bad + "h", Address: bad, State: "critical", Findings: []string{bad}, Cause: bad, Serial: bad, SHA256: bad, Issuer: bad}}}}})
		p.step("10:06", incident.StepEvidence{Renewal: "R" + bad, Certificate: bad, Step: bad + "s", Outcome: "failed", Host: bad, Order: bad, Challenge: bad, AfterSHA256: "ff" + bad, AfterSerial: bad, Issuer: bad, Output: bad}, bad)
		p.entry("10:07", incident.Entry{By: evil, Kind: incident.Alert, Text: bad, Evidence: incident.Evidence{Approval: incident.ApprovalEvidence{Renewal: bad, Decision: "approved", By: bad, AskedBy: bad}}})
		d := New(p.record(nil))
		out := page(t, d)
		safe(t, n, out)
		rows(t, n, d, string(out))
	}
}

// safe reads the page as XML and refuses what could run or load something.
func safe(t *testing.T, n int, out []byte) {
	t.Helper()
	if bytes.Contains(out, []byte("raw HTML omitted")) {
		t.Errorf("text %d: it was read as HTML", n)
	}
	allowed := map[string]bool{}
	for tag := range strings.FieldsSeq("html head meta title style body main article section h1 h2 h3 a p strong table thead tbody tr th td div ul ol li code pre blockquote br em hr figure figcaption svg rect path text") {
		allowed[tag] = true
	}
	dec := xml.NewDecoder(bytes.NewReader(out))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("text %d: the page does not read: %v", n, err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if !allowed[el.Name.Local] {
			t.Errorf("text %d: element %s", n, el.Name.Local)
		}
		for _, a := range el.Attr {
			name := strings.ToLower(a.Name.Local)
			if strings.HasPrefix(name, "on") || name == "src" || name == "style" {
				t.Errorf("text %d: %s has %s=%q", n, el.Name.Local, name, a.Value)
			}
			if name == "href" && !strings.HasPrefix(a.Value, "#") && !strings.HasPrefix(a.Value, "https://x.example/") && a.Value != "https://evil.example/?a=%7Cb" {
				t.Errorf("text %d: link to %q", n, a.Value)
			}
		}
	}
}

// rows checks that no text broke a table: each has as many rows and cells as
// were written, and no pipe row fell out of one.
func rows(t *testing.T, n int, d Draft, out string) {
	t.Helper()
	want := 0
	for _, s := range d.Sections {
		mark := "" // that ends the fence we are in
		for line := range strings.SplitSeq(s.Body, "\n") {
			switch {
			case mark == "" && strings.HasPrefix(line, "```"):
				mark = strings.TrimSuffix(line, "text")
			case line == mark:
				mark = ""
			}
			if mark == "" && strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| --- |") {
				want++
			}
		}
	}
	if got := strings.Count(out, "<tr"); got != want {
		t.Errorf("text %d: %d rows in the page, %d written", n, got, want)
	}
	if got := strings.Count(out, "<h1"); got != 1 {
		t.Errorf("text %d: %d first headings", n, got)
	}
	if got, want := strings.Count(out, "<h2"), len(d.Sections)-1; got != want {
		t.Errorf("text %d: %d second headings, want %d", n, got, want)
	}
	if strings.Contains(out, "<strong class=\"gap\">TO FILL: fake") {
		t.Errorf("text %d: a gap that nobody left", n)
	}
}

// The text of a timeline's entry reads in the page as it was written.
func TestEscapeReadsBack(t *testing.T) {
	t.Parallel()
	for n, bad := range append(hostile, "plain", "1. no list", "a_b*c", "50 % & more", "x\\") {
		body, err := toHTML(Section{Name: "x", Body: "| a |\n| --- |\n| " + escape(bad) + " |\n"})
		if err != nil {
			t.Fatal(err)
		}
		s := string(body)
		start, end := strings.Index(s, "<td>")+4, strings.LastIndex(s, "</td>")
		if end < start {
			t.Fatalf("text %d: no cell in %s", n, s)
		}
		if got := unhtml(s[start:end]); got != plain(bad) {
			t.Errorf("text %d reads\n%q, was\n%q", n, got, plain(bad))
		}
	}
}

func unhtml(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", "\"", "&amp;", "&").Replace(s)
}

func TestFragment(t *testing.T) {
	t.Parallel()
	d := New(hachyderm(t).record(nil))
	b, err := d.Fragment()
	if err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{"<style", "style=", "<script", "<html", "url(", "src="} {
		if bytes.Contains(b, []byte(no)) {
			t.Errorf("the fragment holds %s", no)
		}
	}
	for _, want := range []string{`<article class="postmortem">`, `<svg `, `id="pm-summary"`, `id="pm-E-2"`, `href="#pm-timeline"`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the fragment lacks %s", want)
		}
	}
	var ids = map[string]bool{}
	for _, part := range strings.Split(string(b), ` id="`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		if ids[id] {
			t.Errorf("id %s twice", id)
		}
		ids[id] = true
	}
}

// The zone beside UTC follows daylight saving, half hours of it too.
func TestZones(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, day, clock, want string
	}{
		{"Europe/Berlin", "2026-03-29", "00:59", "01:59 CET"},
		{"Europe/Berlin", "2026-03-29", "01:00", "03:00 CEST"},
		{"Europe/Berlin", "2026-10-25", "00:30", "02:30 CEST"},
		{"Europe/Berlin", "2026-10-25", "01:30", "02:30 CET"},
		{"America/New_York", "2020-08-16", "18:43", "14:43 EDT"},
		{"America/New_York", "2026-11-01", "03:30", "2026-10-31 23:30 EDT"},
		{"Australia/Lord_Howe", "2026-04-04", "14:30", "2026-04-05 01:30 +11"},
		{"Australia/Lord_Howe", "2026-04-04", "15:10", "2026-04-05 01:40 +1030"},
	} {
		p := newTape(t, c.day)
		p.at(c.clock)
		if got := local(p.now, zone(t, c.zone)); got != c.want {
			t.Errorf("%s %s in %s: %q, want %q", c.day, c.clock, c.zone, got, c.want)
		}
	}
	// An outage across the night of the change and across midnight.
	p := newTape(t, "2026-10-24")
	p.at("23:50")
	p.must(p.b.Declare(t.Context(), incident.Declaration{Title: "x", By: ana}, false))
	p.day = "2026-10-25"
	p.note("00:50", ana, incident.NoteKind, "before the change")
	p.note("01:10", ana, incident.NoteKind, "after the change")
	md := string(New(p.record(zone(t, "Europe/Berlin"))).Markdown())
	for _, want := range []string{
		"| 2026-10-24 23:50 | 2026-10-25 01:50 CEST | ana declared",
		"| 2026-10-25 00:50 | 02:50 CEST | before", "| 01:10 | 02:10 CET | after"} {
		if !strings.Contains(md, want) {
			t.Errorf("timeline lacks %q", want)
		}
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://chat.example.com/a?b=1#c":  "[x](<https://chat.example.com/a?b=1#c>)",
		"http://[2001:db8::1]:8080/m":       "[x](<http://[2001:db8::1]:8080/m>)",
		"/rooms/INC-1#m5":                   "[x](</rooms/INC-1#m5>)",
		"//evil.example/x":                  "",
		"javascript:alert(1)":               "",
		"data:text/html,x":                  "",
		"":                                  "",
		"https://x/a|b>c`d":                 "[x](<https://x/a%7Cb%3Ec%60d>)",
		"relative":                          "",
		"https://":                          "",
		"https://x/\" onmouseover=alert(1)": "[x](<https://x/%22%20onmouseover=alert%281%29>)",
	} {
		if got := link("x", in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
