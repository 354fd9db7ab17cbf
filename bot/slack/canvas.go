package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds the draft as a canvas of the incident's channel: one,
// written anew with each draft. Where the plan or a scope does not allow it,
// the draft is a file alone.

// Limits of a canvas, a little below Slack's own.
const (
	maxCanvas = 1<<20 - 1024 // bytes of Markdown; Slack's is 1 MiB
	maxCells  = 300          // of a table
)

// canvasOf returns the draft among a message's files: Markdown in an
// incident's room. A file without a name: there is none.
func canvasOf(m bot.Message, files []commands.File) commands.File {
	if m.Room == "main" {
		return commands.File{}
	}
	i := slices.IndexFunc(files, func(f commands.File) bool {
		return strings.HasPrefix(f.Type, "text/markdown") && strings.HasSuffix(f.Name, "-postmortem.md")
	})
	if i < 0 {
		return commands.File{}
	}
	return files[i]
}

// opCanvas makes the channel's canvas, or writes it anew; the place is its id.
func (s *Slack) opCanvas(ctx context.Context, channel string, y say, place string) (string, error) {
	doc := slack.DocumentContent{Type: "markdown", Markdown: canvas(string(y.File.Data))}
	if place == "" || place == "canvas" {
		id, err := s.api.CreateChannelCanvasContext(ctx, channel, doc)
		switch slackError(err) {
		case "channel_canvas_already_exists", "free_team_canvas_tab_already_exists":
			c, err := s.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
			if err != nil {
				return "", err
			}
			if c.Properties == nil || c.Properties.Canvas.FileId == "" {
				s.once("the draft does not become a canvas, only a file: the channel has one that cannot be found")
				return "canvas", nil
			}
			place = c.Properties.Canvas.FileId
		default:
			return id, err
		}
	}
	err := s.api.EditCanvasContext(ctx, slack.EditCanvasParams{CanvasID: place, Changes: []slack.CanvasChange{{Operation: "replace", DocumentContent: doc}}})
	if e := slackError(err); e == "canvas_not_found" || e == "canvas_deleted" {
		return s.opCanvas(ctx, channel, y, "")
	}
	return place, err
}

// canvas makes Markdown into what a canvas takes: headings of three levels,
// no pictures (what looks like one may be a mention), tables of at most 300
// cells, at most 1 MiB.
func canvas(md string) string {
	var out []string
	var table []string
	size, fenced, cut := 0, false, false
	add := func(lines ...string) {
		for _, l := range lines {
			if cut = cut || size+len(l)+1 > maxCanvas; cut {
				return
			}
			size += len(l) + 1
			out = append(out, l)
		}
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(md, "\r\n", "\n"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			line = strings.ReplaceAll(line, "![", "\\![")
			if strings.HasPrefix(line, "####") {
				line = "**" + strings.TrimSpace(strings.TrimLeft(line, "#")) + "**"
			}
			if strings.HasPrefix(line, "|") {
				table = append(table, line)
				continue
			}
		}
		add(small(table)...)
		table = nil
		add(line)
	}
	add(small(table)...)
	text := strings.ToValidUTF8(strings.Join(out, "\n"), "�")
	if cut {
		text += "\n\nThere is more in the file and on the incident's page."
	}
	return text
}

// small splits a table of too many cells, its head over each part.
func small(table []string) []string {
	if len(table) < 3 {
		return table
	}
	columns := max(strings.Count(strings.ReplaceAll(table[0], `\|`, ""), "|")-1, 1)
	rows := max(maxCells/columns-1, 1)
	var out []string
	for n, part := 0, table[2:]; len(part) > 0; n++ {
		if n > 0 {
			out = append(out, "", fmt.Sprintf("Part %d:", n+1), "")
		}
		k := min(rows, len(part))
		out = append(append(out, table[0], table[1]), part[:k]...)
		part = part[k:]
	}
	return out
}
