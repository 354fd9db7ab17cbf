package bottest

import (
	"fmt"
	"html"
	"strings"
)

// This file draws what a client shows above a channel: a form, and what is
// offered while something is typed.

const askStyle = `<style>.w{background:#313338;border:1px solid #1e1f22;border-radius:8px;box-shadow:0 8px 24px #0008;width:440px;margin:24px 0 8px 56px;padding:16px}.w h3{margin:0 0 12px;color:#f2f3f5}
.w label{display:block;margin:12px 0 4px;font-size:12px;font-weight:600;color:#b5bac1;text-transform:uppercase}.w label i{color:#da373c;font-style:normal}.w p{margin:0 0 4px;font-size:12px;color:#949ba4}
.in{background:#1e1f22;border-radius:4px;padding:8px 10px;min-height:20px;white-space:pre-wrap;font-size:15px}.in.l{min-height:64px}.in.sel::after{content:"▾";float:right}.no{color:#87898c}.go{text-align:right;margin-top:16px}
.ch{background:#2b2d31;border:1px solid #1e1f22;border-radius:8px;margin:24px 0 0;padding:8px;font-size:14px}.ch div{padding:6px 8px;border-radius:4px}.ch div:first-child{background:#404249}.ty{background:#383a40;border-radius:8px;padding:11px 16px;margin-top:8px}.ty b{background:#1e1f22;border-radius:4px;padding:2px 6px;font-weight:500}</style>`

// PageAsk is Page, with the form or the offers that an interaction was answered
// with below; line is what has been typed.
func (f *Discord) PageAsk(person, channel string, a *DiscordAsk, line string) string {
	page := f.Page(person, channel) + askStyle
	if names, _ := a.Choices(); len(names) > 0 {
		page += `<div class="ch">`
		for _, n := range names[:min(len(names), 8)] {
			page += "<div>" + html.EscapeString(n) + "</div>"
		}
		return page + `</div><div class="ty">` + html.EscapeString(line) + `</div>`
	}
	modal := a.Modal()
	if modal == nil {
		return page
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="w"><h3>%s</h3>`, html.EscapeString(fmt.Sprint(modal["title"])))
	for _, row := range objects(modal["components"]) {
		in, label := row, row["label"]
		if c, ok := row["component"].(map[string]any); ok {
			in = c
		} else if cs := objects(row["components"]); len(cs) > 0 {
			in, label = cs[0], cs[0]["label"]
		}
		need := ""
		if in["required"] != false {
			need = " <i>*</i>"
		}
		fmt.Fprintf(&b, "<label>%s%s</label>", html.EscapeString(fmt.Sprint(label)), need)
		if d, ok := row["description"].(string); ok {
			b.WriteString("<p>" + html.EscapeString(d) + "</p>")
		}
		class, value := "in", ""
		if v, ok := in["value"].(string); ok {
			value = html.EscapeString(v)
		}
		if in["style"] == float64(2) {
			class += " l"
		}
		if options := objects(in["options"]); len(options) > 0 {
			class += " sel"
			var chosen []string
			for _, o := range options {
				if o["default"] == true {
					chosen = append(chosen, html.EscapeString(fmt.Sprint(o["label"])))
				}
			}
			if value = strings.Join(chosen, ", "); value == "" {
				value = `<span class="no">Make a selection</span>`
			}
		}
		fmt.Fprintf(&b, `<div class="%s">%s</div>`, class, value)
	}
	return page + b.String() + `<div class="go"><span class="k">Cancel</span><span class="k k1">Submit</span></div></div>`
}
