package postmortem

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// In this file: the page and the fragment. The chart is drawn in picture.go.

// HTML returns the draft as one self-contained page: no script, no request to
// anywhere, one inline style.
func (d Draft) HTML() ([]byte, error) {
	body, err := d.body("h1")
	if err != nil {
		return nil, err
	}
	title := fmt.Sprintf("%s SEV%d %s: postmortem draft", d.Incident.ID, d.Incident.Severity, d.statuses.Of(d.Incident.Status))
	var b bytes.Buffer
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n" +
		"<title>" + html.EscapeString(plain(title)) + "</title>\n<style>\n" + style + "</style>\n</head>\n<body>\n<main>\n")
	b.Write(body)
	b.WriteString("</main>\n</body>\n</html>\n")
	return b.Bytes(), nil
}

// Fragment returns the draft's body alone, as sanitized HTML to stand inside
// another page: an article of sections whose ids start with "pm-". It has no
// style; its classes are postmortem, permalink, gap, scroll and picture.
func (d Draft) Fragment() ([]byte, error) { return d.body("h2") }

// body writes the article, its title as a heading of level top.
func (d Draft) body(top string) ([]byte, error) {
	parts, _, err := d.Parts()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("<article class=\"postmortem\">\n")
	for n, p := range parts {
		level := "h2"
		if n == 0 {
			level = top
		}
		title := html.EscapeString(p.Title)
		fmt.Fprintf(&b, "<section aria-labelledby=\"%s\">\n<%s id=\"%s\">%s%s</%s>\n", p.ID, level, p.ID, title, permalink(p.ID, p.Title), level)
		b.Write(p.HTML)
		b.WriteString("</section>\n")
	}
	b.WriteString("</article>\n")
	return b.Bytes(), nil
}

func permalink(id, title string) string {
	return fmt.Sprintf(" <a class=\"permalink\" href=\"#%s\" aria-label=\"Link to %s\">#</a>", html.EscapeString(id), html.EscapeString(title))
}

// markdown makes HTML of a section's body. Raw HTML and links that could run
// something are left out (goldmark's default); the sections hold none.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table))

// toHTML renders one section.
func toHTML(s Section) ([]byte, error) {
	source := []byte(s.Body)
	doc := markdown.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext()))
	ids := map[string]bool{}
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			words := plain(plainOf(n, source))
			id := "pm-" + s.Name + "-" + slug(words)
			for base, k := id, 2; ids[id]; k++ {
				id = fmt.Sprintf("%s-%d", base, k)
			}
			address(n, n, id, words, ids)
			return ast.WalkSkipChildren, nil
		case *east.TableRow:
			if s.Name == "timeline" && n.LastChild() != nil {
				if id, _, _ := strings.Cut(plainOf(n.LastChild(), source), ","); entryID(id) {
					address(n, n.LastChild(), "pm-"+id, id, ids)
				}
			}
			return ast.WalkSkipChildren, nil
		case *ast.Paragraph, *ast.TextBlock: // of the timeline in a template's own words: "... (E-5, a check)"
			if m := namesEntry.FindAllStringSubmatch(plainOf(n, source), -1); s.Name == "timeline" && m != nil {
				at, id := n, m[len(m)-1][1]
				if li, ok := n.Parent().(*ast.ListItem); ok {
					at = li
				}
				address(at, n, "pm-"+id, id, ids)
			}
			return ast.WalkContinue, nil
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, source, doc); err != nil {
		return nil, err
	}
	out := b.Bytes()
	// No text of strangers can make these tags: all of it is escaped.
	out = bytes.ReplaceAll(out, []byte("<strong>TO FILL"), []byte("<strong class=\"gap\">TO FILL"))
	out = bytes.ReplaceAll(out, []byte(`class="permalink" title=`), []byte(`class="permalink" aria-label=`))
	out = bytes.ReplaceAll(out, []byte("<table>"), []byte("<div class=\"scroll\" tabindex=\"0\"><table>"))
	out = bytes.ReplaceAll(out, []byte("</table>"), []byte("</table></div>"))
	return out, nil
}

// namesEntry finds the entry that a line is of.
var namesEntry = regexp.MustCompile(`\((E-[0-9]+)[,)]`)

// address gives a node an id, unless another has it already, and a link to
// itself at the end of its words.
func address(n, words ast.Node, id, what string, ids map[string]bool) {
	if ids[id] {
		return
	}
	ids[id] = true
	n.SetAttributeString("id", []byte(id))
	link := ast.NewLink()
	link.Destination = []byte("#" + id)
	link.SetAttributeString("class", []byte("permalink"))
	link.SetAttributeString("title", []byte("Link to "+what))
	link.AppendChild(link, ast.NewString([]byte("#")))
	words.AppendChild(words, ast.NewString([]byte(" ")))
	words.AppendChild(words, link)
}

// plainOf is the text of a node, as far as it is plain.
func plainOf(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(source))
		}
	}
	return b.String()
}

func entryID(s string) bool {
	digits, ok := strings.CutPrefix(s, "E-")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// slug makes an id of a heading.
func slug(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s), "-")
}

// style of the page: calm, dense, light and dark, and for print.
const style = `:root{color-scheme:light dark;--ink:#1b1c1f;--paper:#fff;--faint:#5b6068;--line:#d5d8dd;--link:#0b57a4;--gap:#fff1c9}
@media (prefers-color-scheme:dark){:root{--ink:#e6e7ea;--paper:#17181b;--faint:#a5aab3;--line:#3a3d43;--link:#8ab8f0;--gap:#4a3b08}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1000px;margin:0 auto;padding:16px}
h1,h2{font-size:20px;font-weight:600;margin:32px 0 8px}h1{margin-top:8px}h3{font-size:15px;font-weight:600;margin:16px 0 4px}
p,ul,blockquote{max-width:72ch}blockquote{margin:8px 0;padding-left:12px;border-left:3px solid var(--line)}
a{color:var(--link)}.permalink{color:var(--faint);text-decoration:none;font-weight:400}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{overflow:auto;border:1px solid var(--line);padding:8px}code{overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:8px 0}table{border-collapse:collapse;font-size:13px}
th,td{border-bottom:1px solid var(--line);padding:4px 12px 4px 0;text-align:left;vertical-align:top}td{min-width:5ch}td code{overflow-wrap:normal}
.gap{background:var(--gap);font-weight:600}figure{margin:8px 0}
section[aria-labelledby=pm-timeline] td:first-child,section[aria-labelledby=pm-impact] td:first-child,section[aria-labelledby=pm-appendix] td{white-space:nowrap}
section[aria-labelledby=pm-appendix] td:last-child{white-space:normal;min-width:40ch}section[aria-labelledby=pm-resolution] td:nth-last-child(-n+2):not(:first-child){min-width:20ch}
section[aria-labelledby=pm-timeline] td:nth-last-child(3){min-width:28ch}
.picture{max-width:none}tr:target,:target{outline:2px solid var(--link)}
@media print{main{max-width:none;padding:0}section{break-inside:auto}h2,h3{break-after:avoid}tr,figure{break-inside:avoid}section+section h2{margin-top:20px}.permalink{display:none}.scroll{overflow:visible}table{font-size:10px;max-width:100%}th,td{padding-right:8px}td{min-width:8ch}td,td code{overflow-wrap:anywhere}section[aria-labelledby] :is(td,td:first-child,td:last-child,td:nth-last-child(3)){white-space:normal;min-width:0}td code{font-size:9px}.picture{width:100%;height:auto}a{color:inherit}}
`
