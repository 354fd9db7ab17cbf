package commands

import (
	"fmt"
	"strings"
)

// Reference is the documentation page of all verbs, in Markdown, made from the
// table. docs/commands.md holds it.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	group := ""
	for _, v := range Verbs() {
		g, _, _ := strings.Cut(v.Name, " ")
		if g != group {
			group = g
			fmt.Fprintf(&b, "\n## /%s", g)
			if s := short[g]; s != "" {
				fmt.Fprintf(&b, " (short: /%s)", s)
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s.", strings.TrimSpace("/"+v.Name+" "+v.Args), strings.ToUpper(v.Summary[:1])+v.Summary[1:])
		if v.Public {
			b.WriteString(" Changes the record, so everybody sees the answer.")
		}
		fmt.Fprintf(&b, "\n\n    %s\n", v.Example)
		if len(v.Flags) > 0 {
			b.WriteString("\n| flag | |\n|---|---|\n")
			for _, f := range v.shown() {
				fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace("--"+f.Name+" "+f.Value), strings.ReplaceAll(f.Summary, "|", "\\|"))
			}
		}
	}
	return []byte(b.String())
}

const referenceHead = `# What can be said

This page is made from the table of verbs; a test keeps it true (` + "`go test ./commands -update`" + ` writes it anew).

The same verbs work in the browser's room, in the terminal and with ` + "`certmedic run \"/verb ...\"`" + `.

- Verbs may be written in any case, and the slash may be left out. ` + "`/help verb`" + ` explains one.
- An incident is named by its id right after the verb: ` + "`/incident note INC-7 text`" + `. Without it the room's incident is meant, else the only open one.
- A certificate is named by its name in the configuration or by any of its domains; a renewal by ` + "`R-12`" + `.
- Flags may stand anywhere, as ` + "`--flag value`" + ` or ` + "`--flag=value`" + `. A flag that takes a text takes all words up to the next flag; put it in quotes to end it sooner. Quotes are not needed for the last argument.
- Smart quotes, and the dash that phones make of two hyphens, are understood.
- Times are ` + "`14:05`, `14:05Z`, `14:05 CET`, `2026-11-21 14:05+01:00`, `-20m`, `yesterday 14:05`" + ` or RFC 3339. Without a zone the time is read in your own zone, else UTC; the answer says how it was read. A time of day that is still to come is yesterday's. A zone's short name that was not in use on that day is pointed out.
- What only looks is answered to you alone; what changes the record is seen by everybody, and in the incident's room too.
- The same request delivered twice is done once.
`
