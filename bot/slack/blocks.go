package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file draws replies as Block Kit, within its limits. What strangers may
// have written stands in plain_text or, escaped, in code fences: it cannot
// mention, link or format.

// Limits of Block Kit, in characters; a little below Slack's own.
const (
	maxText    = 2900  // a section's text
	maxAll     = 11000 // a message; Slack refuses some from 12,000 on
	maxField   = 1900
	maxLabel   = 75
	maxValue   = 2000
	maxButtons = 10
	maxBlocks  = 48
	maxNotice  = 3000 // the text beside the blocks
)

// drawing is a message as it is sent.
type drawing struct {
	text   string // beside the blocks: notifications and screen readers
	blocks []slack.Block
	left   int
	cut    bool // something did not fit
}

// draw draws a message; mark, when not "", tells it from all others.
func draw(y say, mark string) drawing {
	r := y.Reply
	d := drawing{left: maxAll, text: or(escape(clip(strings.TrimSpace(bot.Look(r.State)+" "+r.Headline), maxNotice)), "certmedic")}
	var press *slack.ActionBlock
	if y.Used == "" && y.ID != "" {
		press = d.buttons(y) // first: what they take, the rest cannot have
	}
	head := r.Headline
	if look := bot.Look(r.State); look != "" {
		head = look + ": " + head
	}
	if y.Line != "" {
		d.small(clip(y.Line, 300))
	}
	d.plain(or(head, "certmedic"))
	if r.Problem.Hint != "" {
		d.plain(r.Problem.Hint)
	}
	if r.Of > 0 {
		d.plain(fmt.Sprintf("%s %d of %d hosts", bot.Bar(r.Done, r.Of), r.Done, r.Of))
	}
	d.fields(r.Facts)
	d.long(r.Body)
	var steps []string
	for _, l := range r.Steps {
		steps = append(steps, strings.TrimSpace(bot.Symbol(l.State)+" "+l.Text))
	}
	d.long(strings.Join(steps, "\n"))
	some := d.some(r.Table)
	if lines, ok := listed(some); ok {
		d.long(lines)
	} else {
		d.fence(bot.TableText(some))
	}
	if d.cut {
		d.small("There is more than fits here.")
	}
	if y.Used != "" {
		d.small(clip(y.Used, 300))
	} else if press != nil {
		d.blocks = append(d.blocks, press)
	}
	if menu := y.Pick.menu(); menu != nil {
		d.blocks = append(d.blocks, menu)
	}
	if mark != "" && len(d.blocks) > 0 {
		switch b := d.blocks[0].(type) {
		case *slack.SectionBlock:
			b.BlockID = mark
		case *slack.ContextBlock:
			b.BlockID = mark
		}
	}
	return d
}

// bare is the drawing as text alone, for a Slack that refuses the blocks.
func (d drawing) bare(mark string) drawing {
	b := drawing{text: d.text, left: maxAll}
	b.plain(d.text)
	b.blocks[0].(*slack.SectionBlock).BlockID = mark
	return b
}

// options are the drawing for an edit or an ephemeral message; posts are those
// of a new message, whose links are not to be unfolded: the hosts may be failing.
func (d drawing) options() []slack.MsgOption {
	return []slack.MsgOption{slack.MsgOptionText(d.text, false), slack.MsgOptionBlocks(d.blocks...)}
}

func (d drawing) posts() []slack.MsgOption {
	return append(d.options(), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
}

// room makes sure that a block of so many characters fits.
func (d *drawing) room(n int) bool {
	if n > d.left || len(d.blocks) >= maxBlocks-4 {
		d.cut = true
		return false
	}
	d.left -= n
	return true
}

func text(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, escape(s), false, false)
}

func (d *drawing) plain(s string) {
	if s = strings.TrimSpace(bot.Clean(s)); s == "" {
		return
	}
	if t := timed(fit(s, maxText)); d.room(size(t.Text)) {
		d.blocks = append(d.blocks, slack.NewSectionBlock(t, nil, nil))
	}
}

func (d *drawing) small(s string) {
	d.blocks = append(d.blocks, slack.NewContextBlock("", text(s)))
	d.left -= size(s)
}

func (d *drawing) fields(facts []commands.Fact) {
	var fs []*slack.TextBlockObject
	n := 0
	for _, f := range facts[:min(len(facts), 10)] {
		s := fit(strings.TrimSpace(f.Name+": "+f.Value), maxField)
		if s == ":" {
			continue
		}
		t := timed(s)
		n += size(t.Text)
		fs = append(fs, t)
	}
	if len(fs) > 0 && d.room(n) {
		d.blocks = append(d.blocks, slack.NewSectionBlock(nil, fs, nil))
	}
}

// long is text of many lines, over several sections.
func (d *drawing) long(s string) {
	for _, part := range split(d.start(strings.TrimSpace(s)), maxText) {
		if !d.room(size(part)) {
			return
		}
		d.blocks = append(d.blocks, slack.NewSectionBlock(text(part), nil, nil))
	}
}

// start is as much of a text as could ever fit.
func (d *drawing) start(s string) string {
	if len(s) <= 4*maxAll+4 {
		return s
	}
	d.cut = true
	return strings.ToValidUTF8(s[:4*maxAll+4], "")
}

// some is as much of a table as could ever fit, its cells at most 200 characters.
func (d *drawing) some(t commands.Table) commands.Table {
	if len(t.Rows) > 300 {
		d.cut, t.Rows = true, t.Rows[:300]
	}
	rows := make([]commands.Row, len(t.Rows))
	for i, r := range t.Rows {
		rows[i].State = r.State
		for _, c := range r.Cells {
			if len(c) > 800 {
				d.cut, c = true, clip(strings.ToValidUTF8(c[:800], ""), 200)
			}
			rows[i].Cells = append(rows[i].Cells, c)
		}
	}
	t.Rows = rows
	return t
}

// fence is text in fixed width, over several sections.
func (d *drawing) fence(s string) {
	for _, part := range split(strings.ReplaceAll(d.start(s), "`", "ˋ"), maxText-10) {
		if !d.room(size(part) + 8) {
			return
		}
		d.blocks = append(d.blocks, slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, "```\n"+escape(part)+"\n```", false, true), nil, nil))
	}
}

// pages are a reply for one person, who can be given no file: at most three messages.
func pages(y say) []say {
	if !draw(y, "").cut {
		return []say{y}
	}
	parts := split(y.Reply.Body, 7000)
	if len(parts) < 2 {
		return []say{y}
	}
	all := []say{y}
	all[0].Reply.Body = parts[0]
	for i, p := range parts[1:min(len(parts), 3)] {
		if i == 1 && len(parts) > 3 {
			p += fmt.Sprintf("\n%d more lines stand in the browser's room.", strings.Count(strings.Join(parts[3:], ""), "\n")+1)
		}
		all = append(all, say{Reply: commands.Reply{State: commands.StateInfo, Headline: fmt.Sprintf("%s, part %d", clip(y.Reply.Headline, 200), i+2), Body: p}})
	}
	return all
}

// mostWide is how wide a table of two columns may be: a wider one is broken up by
// Slack's window, and is drawn as lines.
const mostWide = 80

// listed is a wide table of two columns, such as the help, as lines.
func listed(t commands.Table) (string, bool) {
	if len(t.Columns) != 2 {
		return "", false
	}
	var lines []string
	wide := [2]int{}
	for _, r := range t.Rows {
		if len(r.Cells) != 2 {
			return "", false
		}
		wide[0], wide[1] = max(wide[0], size(r.Cells[0])), max(wide[1], size(r.Cells[1]))
		lines = append(lines, strings.TrimSpace(bot.Symbol(r.State)+" "+strings.ReplaceAll(r.Cells[0]+": "+r.Cells[1], "\n", " ")))
	}
	return strings.Join(lines, "\n"), wide[0]+wide[1] > mostWide
}
