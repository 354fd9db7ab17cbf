package bottest

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
)

// This file draws a channel of the fake Discord as a page, near to what a
// client shows, so that people can look at what the bot says. It is for
// looking: tests read Seen.

const pageStyle = `body{background:#313338;color:#dbdee1;font:16px/1.375 "gg sans","Noto Sans",Helvetica,Arial,sans-serif;margin:0;padding:16px;width:820px}
.m{display:grid;grid-template-columns:56px 1fr;margin:14px 0}.a{width:40px;height:40px;border-radius:50%;background:#5865f2;color:#fff;text-align:center;line-height:40px}
.m.e{background:#2b2f45;border-left:2px solid #5865f2;padding:4px 0 4px 8px;margin-left:-10px}
.n{color:#f2f3f5;font-weight:500}.b{background:#5865f2;color:#fff;border-radius:3px;font-size:10px;padding:1px 4px;margin-left:4px}.t,.s{color:#949ba4;font-size:12px;margin-left:6px}.s{margin:0}
.embed{background:#2b2d31;border-left:4px solid #1e1f22;border-radius:4px;padding:8px 16px 12px 12px;margin-top:4px;max-width:516px;font-size:14px}
.embed h4{margin:8px 0 4px;font-size:16px}.fs{display:grid;grid-template-columns:repeat(3,1fr);gap:8px;margin-top:8px}.f{grid-column:1/-1}.f.i{grid-column:auto}.f b{display:block}.ft{font-size:12px;margin-top:8px;color:#b5bac1}
.r{margin-top:8px}.k{display:inline-block;border-radius:4px;padding:6px 16px;margin:0 8px 4px 0;color:#fff;font-size:14px;background:#4e5058}.k1{background:#5865f2}.k3{background:#248046}.k4{background:#da373c}.off{opacity:.5}
code{background:#2b2d31;border-radius:4px;padding:1px 3px;font-size:14px}pre{background:#2b2d31;border:1px solid #1e1f22;border-radius:4px;padding:8px;margin:4px 0;white-space:pre-wrap;font-size:14px}
.q{border-left:4px solid #4e5058;padding-left:12px}.at{background:#414675;color:#c9cdfb;border-radius:3px;padding:0 2px}time{background:#3f4147;border-radius:3px;padding:0 2px}.file{background:#2b2d31;border:1px solid #1e1f22;border-radius:8px;padding:10px;margin-top:4px;max-width:400px}
h1,h2,h3{margin:6px 0}.h{border-bottom:1px solid #1e1f22;padding-bottom:10px;font-weight:600}.h span{color:#949ba4;font-weight:400;margin-left:12px}`

// Page is what a person sees in a channel, as HTML.
func (f *Discord) Page(person, channel string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch, user := f.channels[channel], f.who(person)
	if ch == nil || ch.Type != discordDM && f.permissions(user, ch)&permView == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(`<!doctype html><meta charset="utf-8"><style>` + pageStyle + `</style><div class="h"># ` + html.EscapeString(ch.Name) + `<span>` + html.EscapeString(ch.Topic) + `</span></div>`)
	for _, m := range ch.Messages {
		if (m.For == "" || m.For == user) && !m.Typed {
			f.pageMessage(&b, m)
		}
	}
	return b.String()
}

func (f *Discord) pageMessage(b *strings.Builder, m *DiscordMessage) {
	class, name := "m", f.name(m.Author)
	if m.For != "" {
		class = "m e"
	}
	fmt.Fprintf(b, `<div class="%s"><div class="a">%s</div><div>`, class, html.EscapeString(strings.ToUpper(name[:1])))
	if a := f.asks[m.Ask]; a != nil && a.Type == askCommand && a.original == m.ID {
		fmt.Fprintf(b, `<div class="s">%s used <span class="at">/%s</span></div>`, html.EscapeString(f.name(a.User)), html.EscapeString(a.what()))
	}
	fmt.Fprintf(b, `<span class="n">%s</span>`, html.EscapeString(name))
	if m.Author == DiscordApp {
		b.WriteString(`<span class="b">APP</span>`)
	}
	fmt.Fprintf(b, `<span class="t">%s</span>`, m.At.UTC().Format("15:04"))
	if m.Thinking {
		b.WriteString(`<div class="s">certmedic is thinking...</div>`)
	}
	if m.Content != "" {
		b.WriteString("<div>" + f.pageText(m.Content))
		if m.Edits > 0 {
			b.WriteString(` <span class="t">(edited)</span>`)
		}
		b.WriteString("</div>")
	}
	if m.Flags&flagSuppressEmbeds == 0 {
		for _, e := range m.Embeds {
			f.pageEmbed(b, e)
		}
	}
	for _, file := range m.Files {
		fmt.Fprintf(b, `<div class="file">%s<div class="s">%d bytes</div></div>`, html.EscapeString(file.Name), len(file.Data))
	}
	f.pageComponents(b, m.Components)
	if m.For != "" {
		b.WriteString(`<div class="s">Only you can see this</div>`)
	}
	b.WriteString("</div></div>\n")
}

func (f *Discord) pageEmbed(b *strings.Builder, e map[string]any) {
	text := func(v any, k string) string {
		o, _ := v.(map[string]any)
		s, _ := o[k].(string)
		return s
	}
	colour, _ := e["color"].(float64)
	fmt.Fprintf(b, `<div class="embed" style="border-left-color:#%06x">`, int(colour)&0xffffff)
	if s := text(e["author"], "name"); s != "" {
		b.WriteString("<div>" + html.EscapeString(s) + "</div>")
	}
	if s := text(e, "title"); s != "" {
		b.WriteString("<h4>" + f.pageText(s) + "</h4>")
	}
	if s := text(e, "description"); s != "" {
		b.WriteString("<div>" + f.pageText(s) + "</div>")
	}
	if fields := objects(e["fields"]); len(fields) > 0 {
		b.WriteString(`<div class="fs">`)
		for _, x := range fields {
			class := "f"
			if x["inline"] == true {
				class = "f i"
			}
			fmt.Fprintf(b, `<div class="%s"><b>%s</b>%s</div>`, class, f.pageText(text(x, "name")), f.pageText(text(x, "value")))
		}
		b.WriteString("</div>")
	}
	if s := text(e["footer"], "text"); s != "" {
		b.WriteString(`<div class="ft">` + html.EscapeString(s) + "</div>")
	}
	b.WriteString("</div>")
}

func (f *Discord) pageComponents(b *strings.Builder, list []map[string]any) {
	for _, c := range list {
		kind, _ := c["type"].(float64)
		text := func(k string) string { s, _ := c[k].(string); return html.EscapeString(s) }
		switch {
		case kind == 2:
			style, _ := c["style"].(float64)
			class := "k k" + strconv.Itoa(int(style))
			if c["disabled"] == true {
				class += " off"
			}
			label := text("label")
			if text("url") != "" {
				label += " ↗"
			}
			fmt.Fprintf(b, `<span class="%s">%s</span>`, class, label)
		case kind >= 3 && kind <= 8:
			fmt.Fprintf(b, `<span class="k">%s ▾</span>`, text("placeholder"))
		case kind == 10:
			s, _ := c["content"].(string)
			b.WriteString("<div>" + f.pageText(s) + "</div>")
		default:
			b.WriteString(`<div class="r">`)
			f.pageComponents(b, objects(c["components"]))
			b.WriteString("</div>")
		}
	}
}

var (
	pageLine = regexp.MustCompile(`(?m)^(#{1,3} |-# |> |&gt; )(.*)$`)
	pageBold = regexp.MustCompile(`\*\*(.+?)\*\*`)
	pageEm   = regexp.MustCompile(`\*(.+?)\*|\b_(.+?)_\b`)
)

// pageText is markup as HTML: code as it is, the rest by its marks.
func (f *Discord) pageText(s string) string {
	var b strings.Builder
	at := 0
	for _, span := range inCode.FindAllStringIndex(s, -1) {
		if n := span[0] - len(strings.TrimRight(s[:span[0]], `\`)); n%2 == 1 || span[0] < at {
			continue // an escaped backtick begins no code
		}
		b.WriteString(f.pagePlain(s[at:span[0]]))
		tag, code := "code", strings.Trim(s[span[0]:span[1]], "`")
		if strings.HasPrefix(s[span[0]:], "```") {
			tag, code = "pre", strings.Trim(code, "\n")
		}
		b.WriteString("<" + tag + ">" + html.EscapeString(code) + "</" + tag + ">")
		at = span[1]
	}
	b.WriteString(f.pagePlain(s[at:]))
	return b.String()
}

func (f *Discord) pagePlain(s string) string {
	var kept []string
	keep := func(markup string) string {
		kept = append(kept, markup)
		return "\x01" + string(rune(0xE000+len(kept)-1))
	}
	s = escaped.ReplaceAllStringFunc(s, func(m string) string { return keep(html.EscapeString(m[1:])) })
	for _, what := range []struct {
		re  *regexp.Regexp
		tag string
	}{{mentionTime, "time"}, {mentionUser, "span"}, {mentionRole, "span"}, {mentionRoom, "span"}, {mentionVerb, "span"}, {maskedLink, "u"}, {bare, "u"}} {
		s = what.re.ReplaceAllStringFunc(s, func(m string) string {
			return keep("<" + what.tag + ` class="at">` + html.EscapeString(f.unmark(m)) + "</" + what.tag + ">")
		})
	}
	s = html.EscapeString(s)
	s = pageLine.ReplaceAllStringFunc(s, func(m string) string {
		hit := pageLine.FindStringSubmatch(m)
		switch hit[1] {
		case "-# ":
			return `<span class="s">` + hit[2] + "</span>"
		case "&gt; ", "> ":
			return `<span class="q">` + hit[2] + "</span>"
		}
		return "<b>" + hit[2] + "</b>"
	})
	s = pageBold.ReplaceAllString(s, "<b>$1</b>")
	s = pageEm.ReplaceAllString(s, "<i>$1$2</i>")
	s = strings.ReplaceAll(s, "\n", "<br>")
	for i := len(kept) - 1; i >= 0; i-- {
		s = strings.ReplaceAll(s, "\x01"+string(rune(0xE000+i)), kept[i])
	}
	return s
}
