package web

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
	"github.com/certmedic/certmedic/store"
)

// In this file: the page of the draft on a real desk and a real record.

// study is a house with a real desk and INC-1 in it, closed.
func study(t testing.TB) *house {
	t.Helper()
	kept, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "record.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	templates := t.TempDir()
	if err := os.WriteFile(filepath.Join(templates, "ours.md"), []byte("# {{.Title}}\n\n## In short {#summary}\n{{.Sections.summary.Body}}\n\n## Cost\n{{gap \"cost in euro\"}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := postmortem.LoadTemplates(templates)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{t: atNight}
	h := build(t, func(o *Options) {
		desk := commands.New(commands.Options{Book: incident.NewBook(kept, c.now), Renewer: bottest.Estate{}, Now: c.now, Templates: own})
		o.Pages, o.Now = desk, c.now
		o.Rooms = bot.New(bot.Options{Desk: desk, MayRead: desk.MayRead, Log: bottest.NewLog(), Now: c.now})
	})
	h.rooms.Close(t.Context())
	h.rooms, h.clock = h.site.o.Rooms, c
	t.Cleanup(func() { h.rooms.Close(context.Background()) })
	for _, line := range []string{"/incident declare sev2 images do not load", "/incident lead me", "/incident note the <b>first</b> report came from the forum", "/incident resolve", "/incident close --anyway nothing more to say"} {
		h.hears(t, "ana", line)
	}
	return h
}

// hears has a line said in the incident's room.
func (h *house) hears(t testing.TB, who, line string) commands.Reply {
	t.Helper()
	room := "INC-1"
	if strings.Contains(line, " declare ") {
		room = "main"
	}
	r := h.rooms.Say(t.Context(), commands.Request{Text: line, Room: room, By: commands.Person{ID: "web:" + who, Name: who, Platform: "web"}})
	if !r.Problem.IsZero() {
		t.Fatalf("%s: %+v", line, r.Problem)
	}
	return r
}

// as is a browser of somebody.
func (h *house) as(t testing.TB, who string) *http.Client {
	t.Helper()
	c := h.browser(t)
	if status, _ := h.submit(t, c, "/name", url.Values{"as": {who}}); status != 200 {
		t.Fatalf("the name %s is not taken: %d", who, status)
	}
	return c
}

var field = regexp.MustCompile(`<input[^>]* name="([a-z]+)" value="([^"]*)"`)

// formOf is what the form of a section (or, "far", of the state) sends.
func formOf(t testing.TB, page, section string) url.Values {
	t.Helper()
	for _, f := range regexp.MustCompile(`(?s)<form method="post" action="/incident/INC-1/draft/(?:section|state)">.*?</form>`).FindAllString(page, -1) {
		v := url.Values{}
		for _, m := range field.FindAllStringSubmatch(f, -1) {
			v.Set(m[1], html.UnescapeString(m[2]))
		}
		if v.Get("section") == section || section == "far" && v.Get("do") != "" {
			if _, words, ok := strings.Cut(f, "<textarea"); ok {
				_, words, _ = strings.Cut(words, ">\n")
				words, _, _ = strings.Cut(words, "</textarea>")
				v.Set("words", html.UnescapeString(words))
			}
			return v
		}
	}
	t.Fatalf("there is no form of %s", section)
	return nil
}

// partOf is one section of the page.
func partOf(page, section string) string {
	_, part, _ := strings.Cut(page, `<section aria-labelledby="pm-`+section+`"`)
	part, _, _ = strings.Cut(part, "</section>")
	return part
}

func (h *house) sections(t testing.TB, section string) (words []string) {
	t.Helper()
	d, err := h.site.o.Pages.IncidentPage(t.Context(), "INC-1", commands.Person{ID: "web:ana", Name: "ana", Platform: "web"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range d.Timeline {
		if c := e.Evidence.Change; c.What == incident.SectionChange && c.From == section {
			words = append(words, e.By.Name+": "+c.To)
		}
	}
	return words
}

// A section is written in a form without script, is on the record with who,
// and the record's own account stays with it.
func TestDraftSection(t *testing.T) {
	t.Parallel()
	h := study(t)
	ana := h.as(t, "ana")
	_, page := h.get(t, ana, "/incident/INC-1/draft")
	for _, name := range postmortem.Settable() {
		v := formOf(t, page, name)
		if v.Get("seen") == "" || v.Get("once") == "" || v.Get("csrf") == "" || v.Get("words") != "" {
			t.Errorf("the form of %s: %v", name, v)
		}
	}
	before := partOf(page, "detection")
	v := formOf(t, page, "detection")
	said := "A person in the forum saw it first.\n\n- not the monitoring\n--anyway --template brief --seen E-1"
	v.Set("words", strings.ReplaceAll(said, "\n", "\r\n"))
	status, page := h.submit(t, ana, "/incident/INC-1/draft/section", v)
	part := partOf(page, "detection")
	if status != 200 || !strings.Contains(part, "Your words are on the record.") || !strings.Contains(part, "A person in the forum saw it first.") || !strings.Contains(part, "Written by ana at 2026-11-22 02:11 UTC (E-") || !strings.Contains(part, "--template brief --seen E-1") {
		t.Errorf("%d %s", status, part)
	}
	if _, table, ok := strings.Cut(before, "<table>"); !ok || !strings.Contains(part, table[:strings.Index(table, "</table>")]) {
		t.Errorf("what the record says is gone: %s", part)
	}
	if got := h.sections(t, "detection"); len(got) != 1 || got[0] != "ana: "+said {
		t.Errorf("on the record: %q", got)
	}
	// The form has them, as they were written; the room has the line, and who.
	if got := formOf(t, page, "detection").Get("words"); got != said {
		t.Errorf("the form holds %q", got)
	}
	if _, room := h.get(t, h.as(t, "ben"), "/room/INC-1"); !strings.Contains(room, "/incident postmortem set INC-1 detection") || !strings.Contains(room, "your words stand in the section detection") {
		t.Error("the room does not have it")
	}
	// The same form again (a second press) is one line.
	status, page = h.submit(t, ana, "/incident/INC-1/draft/section", v)
	if got := h.sections(t, "detection"); status != 200 || len(got) != 1 || !strings.Contains(partOf(page, "detection"), "Your words are on the record.") {
		t.Errorf("sent twice: %d, written as %q", status, got)
	}
}

// Whoever has an old page does not replace what somebody wrote since: both are
// shown, and a second save knows what it does.
func TestDraftStale(t *testing.T) {
	t.Parallel()
	h := study(t)
	ana, ben := h.as(t, "ana"), h.as(t, "ben")
	_, page := h.get(t, ana, "/incident/INC-1/draft")
	mine := formOf(t, page, "lessons")
	_, page = h.get(t, ben, "/incident/INC-1/draft")
	theirs, other := formOf(t, page, "lessons"), formOf(t, page, "impact")
	theirs.Set("words", "ben's <i>lesson</i>")
	if status, _ := h.submit(t, ben, "/incident/INC-1/draft/section", theirs); status != 200 {
		t.Fatal(status)
	}
	mine.Set("words", "ana's lesson")
	status, page := h.submit(t, ana, "/incident/INC-1/draft/section", mine)
	part := partOf(page, "lessons")
	for _, want := range []string{"ben wrote at 2026-11-22 02:11", "other words for the section lessons since you saw it", `<blockquote class="theirs">ben&#39;s &lt;i&gt;lesson&lt;/i&gt;</blockquote>`, "Yours are below", `id="edit-lessons" open`} {
		if !strings.Contains(part, want) {
			t.Errorf("the page has no %q: %s", want, part)
		}
	}
	again := formOf(t, page, "lessons")
	if status != http.StatusConflict || again.Get("words") != "ana's lesson" || strings.Join(h.sections(t, "lessons"), "|") != "ben: ben's <i>lesson</i>" {
		t.Errorf("%d, the form holds %q, the record %q", status, again.Get("words"), h.sections(t, "lessons"))
	}
	// Another section is not in the way.
	other.Set("words", "nobody was hurt")
	if status, page := h.submit(t, ben, "/incident/INC-1/draft/section", other); status != 200 || len(h.sections(t, "impact")) != 1 {
		t.Errorf("%d %s", status, partOf(page, "impact"))
	}
	if status, page := h.submit(t, ana, "/incident/INC-1/draft/section", again); status != 200 || !strings.Contains(partOf(page, "lessons"), "ana&#39;s lesson") && !strings.Contains(partOf(page, "lessons"), "ana's lesson") {
		t.Errorf("%d %s", status, partOf(page, "lessons"))
	}
	if got := h.sections(t, "lessons"); len(got) != 2 {
		t.Errorf("the record has %q", got)
	}
}

// Words of strangers are text wherever the page has them, and words that
// cannot be taken stay in the form.
func TestDraftHostile(t *testing.T) {
	t.Parallel()
	h := study(t)
	ana := h.as(t, "ana")
	hostile := "</textarea><script>alert(1)</script> **TO FILL: x** <strong class=\"gap\">TO FILL: y</strong> [a](javascript:alert(1)) \" onclick=x '; {{.}} <!-- -- --anyway \"q\"\n# head\n| a | b |\n```\nfence"
	_, page := h.get(t, ana, "/incident/INC-1/draft")
	marks := strings.Count(page, `id="pm-gap-`)
	for _, name := range []string{"actions", "timeline", "appendix"} {
		v := formOf(t, page, name)
		v.Set("words", hostile)
		status, now := h.submit(t, ana, "/incident/INC-1/draft/section", v)
		if status != 200 || len(h.sections(t, name)) != 1 {
			t.Errorf("%s: %d", name, status)
		}
		if strings.Contains(now, "<script>alert") || strings.Contains(now, `href="javascript`) || strings.Contains(now, "<h1>head") || strings.Count(now, `id="pm-gap-`) > marks || strings.Count(now, "</textarea>") != strings.Count(now, "<textarea") {
			t.Errorf("%s: markup of a stranger; %d gaps, were %d; %d and %d\n%s", name, strings.Count(now, `id="pm-gap-`), marks, strings.Count(now, "</textarea>"), strings.Count(now, "<textarea"), partOf(now, name))
		}
		if got := formOf(t, now, name).Get("words"); got != hostile {
			t.Errorf("%s: the form holds %q", name, got)
		}
	}
	v := formOf(t, page, "lessons")
	for words, want := range map[string]string{"": "Say what is to stand", strings.Repeat("long ", 900): "at most 4000", strings.Repeat("é", 9000): "at most"} {
		v.Set("words", words)
		status, now := h.submit(t, ana, "/incident/INC-1/draft/section", v)
		if status != 400 || !strings.Contains(partOf(now, "lessons"), want) || formOf(t, now, "lessons").Get("words") != strings.TrimSpace(words) {
			t.Errorf("%.9q: %d %.600s", words, status, partOf(now, "lessons"))
		}
	}
	v.Set("words", "the password=hunter2hunter2 -----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY----- was in it")
	if status, now := h.submit(t, ana, "/incident/INC-1/draft/section", v); status != 200 || strings.Contains(now, "MIIEvQ") {
		t.Errorf("%d %s", status, partOf(now, "lessons"))
	}
	for name, x := range map[string]url.Values{
		"no section":      {"section": {"header"}, "seen": {"E-5"}, "words": {"x"}},
		"a strange one":   {"section": {"../x"}, "seen": {"E-5"}, "words": {"x"}},
		"seen is no line": {"section": {"lessons"}, "seen": {"E-1 -- x"}, "words": {"x"}},
		"nothing":         {},
	} {
		if status, now := h.submit(t, ana, "/incident/INC-1/draft/section", x); status != 400 {
			t.Errorf("%s: %d %.300s", name, status, now)
		}
	}
	// Somebody without a name is asked for it, and keeps what was written.
	nobody := h.browser(t)
	_, page = h.get(t, nobody, "/incident/INC-1/draft")
	v = formOf(t, page, "messaging")
	v.Set("words", "we are sorry")
	status, page := h.submit(t, nobody, "/incident/INC-1/draft/section", v)
	if status != 400 || formOf(t, page, "messaging").Get("words") != "we are sorry" || !strings.Contains(page, "It is not known who says this.") {
		t.Errorf("%d", status)
	}
	v.Set("as", "cho")
	if status, _ := h.submit(t, nobody, "/incident/INC-1/draft/section", v); status != 200 || fmt.Sprint(h.sections(t, "messaging")) != "[cho: we are sorry]" {
		t.Errorf("%d %q", status, h.sections(t, "messaging"))
	}
}

// Finish, review and share: refused with why, done all the same with a reason.
func TestDraftStates(t *testing.T) {
	t.Parallel()
	h := study(t)
	ana, ben := h.as(t, "ana"), h.as(t, "ben")
	press := func(c *http.Client, why string) (int, string) {
		t.Helper()
		_, page := h.get(t, c, "/incident/INC-1/draft")
		v := formOf(t, page, "far")
		if why != "" {
			v.Set("anyway", why)
		}
		status, page := h.submit(t, c, "/incident/INC-1/draft/state", v)
		_, far, _ := strings.Cut(page, `<section id="far"`)
		far, _, _ = strings.Cut(far, "</section>")
		return status, far
	}
	if status, far := press(ana, ""); status != 409 || !strings.Contains(far, "left to fill in the postmortem of INC-1") || !strings.Contains(far, `name="anyway"`) || !strings.Contains(far, "! </span> draft") && !strings.Contains(far, "</span> draft</span>") {
		t.Errorf("%d %s", status, far)
	}
	if status, far := press(ana, `nobody "knows" more --template <b>`); status != 200 || !strings.Contains(far, "</span> finished</span> by ana") || !strings.Contains(far, "all the same: nobody &#39;knows&#39; more --template &lt;b&gt;") || !strings.Contains(far, ">Reviewed</button>") {
		t.Errorf("%d %s", status, far)
	}
	if status, far := press(ana, ""); status != 409 || !strings.Contains(far, "You finished it, so somebody else reviews it.") {
		t.Errorf("%d %s", status, far)
	}
	if status, far := press(ben, ""); status != 200 || !strings.Contains(far, "</span> reviewed</span> by ben") {
		t.Errorf("%d %s", status, far)
	}
	h.clock.pass(time.Minute)
	h.hears(t, "cho", "/incident postmortem set INC-1 lessons one more")
	if _, page := h.get(t, ben, "/incident/INC-1/draft?template=brief"); !strings.Contains(page, "changed since by cho") {
		t.Error("that words changed since is not said")
	}
	if status, far := press(ana, ""); status != 200 || !strings.Contains(far, "</span> shared</span> by ana") || strings.Contains(far, "<form") {
		t.Errorf("%d %s", status, far)
	}
	if status, _ := h.submit(t, ana, "/incident/INC-1/draft/state", url.Values{"do": {"burn"}}); status != 400 {
		t.Error(status)
	}
}

// Templates are switched by a link, the one of this installation too; the
// files follow, and a form keeps to it.
func TestDraftTemplates(t *testing.T) {
	t.Parallel()
	h := study(t)
	ana := h.as(t, "ana")
	for name, want := range map[string]string{"standard": "pm-appendix", "brief": "pm-actions", "blog": "What we do about it", "status-page": "Root cause", "ours": "cost in euro"} {
		status, page := h.get(t, ana, "/incident/INC-1/draft?template="+name)
		if status != 200 || !strings.Contains(page, want) || !strings.Contains(page, `?template=`+name+`" aria-current="true"`) || !strings.Contains(page, `href="/incident/INC-1/draft.md?template=`+name+`"`) {
			t.Errorf("%s: %d %s", name, status, page)
		}
		_, md := h.get(t, ana, "/incident/INC-1/draft.md?template="+name)
		if title := map[string]string{"standard": "## Appendix", "brief": "## Action items", "blog": "## What we do about it", "status-page": "## Root cause", "ours": "## Cost"}[name]; !strings.Contains(md, title) {
			t.Errorf("%s.md has no %q", name, title)
		}
	}
	if _, page := h.get(t, ana, "/incident/INC-1/draft?template=brief"); strings.Contains(page, "pm-appendix") {
		t.Error("brief has an appendix")
	}
	_, page := h.get(t, ana, "/incident/INC-1/draft?template=ours")
	v := formOf(t, page, "summary")
	v.Set("words", "all was well")
	if _, page = h.submit(t, ana, "/incident/INC-1/draft/section", v); !strings.Contains(page, "cost in euro") || !strings.Contains(partOf(page, "summary"), "all was well") {
		t.Error("after saving it is another template")
	}
	for _, path := range []string{"/incident/INC-1/draft?template=%3Cb%3E", "/incident/INC-1/draft.md?template=..%2Fx"} {
		if status, page := h.get(t, ana, path); status != 404 || !strings.Contains(page, "is not a template") || strings.Contains(page, "<b>") {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// Every gap has a mark to jump to, every heading and entry a link to itself.
func TestDraftLinks(t *testing.T) {
	t.Parallel()
	h := study(t)
	for _, name := range []string{"standard", "brief", "blog", "status-page", "ours"} {
		_, page := h.get(t, h.as(t, "ana"), "/incident/INC-1/draft?template="+name)
		ids := map[string]int{}
		for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if ids[m[1]]++; ids[m[1]] > 1 {
				t.Errorf("%s: the id %s is there twice", name, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if ids[html.UnescapeString(m[1])] != 1 {
				t.Errorf("%s: nothing is at #%s", name, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`<h[1-6] id="(pm-[^"]+)"`).FindAllStringSubmatch(page, -1) {
			if !strings.Contains(page, `href="#`+m[1]+`"`) {
				t.Errorf("%s: no link to %s", name, m[1])
			}
		}
		marked := strings.Count(page, `<strong class="gap"`)
		if n := len(regexp.MustCompile(`<strong class="gap" id="pm-gap-\d+"`).FindAllString(page, -1)); n != marked || n == 0 {
			t.Errorf("%s: %d of %d gaps can be jumped to", name, n, marked)
		}
		count := regexp.MustCompile(`<summary>(\d+) to fill in</summary>`).FindStringSubmatch(page)
		_, list, _ := strings.Cut(page, `<ol class="gaps">`)
		list, _, _ = strings.Cut(list, "</ol>")
		if count == nil || count[1] != fmt.Sprint(strings.Count(list, "<li>")) {
			t.Errorf("%s: %v to fill in, %d listed", name, count, strings.Count(list, "<li>"))
		}
		if name == "standard" || name == "brief" {
			if n := strings.Count(page, `aria-label="Link to E-`); n < 4 {
				t.Errorf("%s: %d entries have a link", name, n)
			}
			if !strings.Contains(page, "first&lt;/b&gt; report") || name == "standard" && !strings.Contains(page, `<svg xmlns="http://www.w3.org/2000/svg" class="picture" `) {
				t.Errorf("%s: %s", name, page)
			}
		}
		if len(page) > 80_000 {
			t.Errorf("%s: %d bytes", name, len(page))
		}
	}
	if status, png := h.get(t, h.as(t, "ana"), "/incident/INC-1/draft.png"); status != 200 || !strings.HasPrefix(png, "\x89PNG\r\n") {
		t.Errorf("the picture: %d %.20q", status, png)
	}
}

// What is private stays so: reading, writing and every file.
func TestDraftPrivate(t *testing.T) {
	t.Parallel()
	h := study(t)
	h.hears(t, "ana", "/incident declare sev1 zebra --private")
	id := "INC-2"
	ana, zoe := h.as(t, "ana"), h.as(t, "zoe")
	if status, page := h.get(t, ana, "/incident/"+id+"/draft"); status != 200 || !strings.Contains(page, "zebra") {
		t.Fatalf("ana: %d", status)
	}
	for _, id := range []string{id, strings.ToLower(id), "INC-9", "x%20y", "INC-1%20--%20x"} {
		for _, path := range []string{"/draft", "/draft.md", "/draft.png", "/draft?template=brief"} {
			if status, page := h.get(t, zoe, "/incident/"+id+path); status != 404 || strings.Contains(page, "zebra") {
				t.Errorf("GET %s%s: %d", id, path, status)
			}
		}
		for path, v := range map[string]url.Values{"section": {"section": {"lessons"}, "seen": {"E-1"}, "words": {"x"}, "once": {"a"}}, "state": {"do": {"finish"}, "anyway": {"x"}}} {
			for _, as := range []string{"", "zoe"} {
				v.Set("as", as)
				if status, page := h.submit(t, zoe, "/incident/"+id+"/draft/"+path, v); status != 404 || strings.Contains(page, "zebra") {
					t.Errorf("POST %s of %s: %d", path, id, status)
				}
			}
		}
	}
	if ms, err := h.rooms.Messages(t.Context(), "INC-9", "web:zoe", 0); err != nil || len(ms) > 0 {
		t.Errorf("a line went into a room that there is not: %v %v", ms, err)
	}
	d, err := h.site.o.Pages.IncidentPage(t.Context(), id, commands.Person{ID: "web:ana", Name: "ana", Platform: "web"})
	if err != nil || strings.Contains(fmt.Sprint(d.Timeline), "zoe") {
		t.Errorf("%v %v", err, d.Timeline)
	}
}
