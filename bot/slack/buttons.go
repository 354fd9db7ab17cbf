package slack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/commands"
)

// This file draws what can be pressed: a reply's buttons, the forms beside
// them, and links to pages of the site.

// buttons are the reply's, with what they press behind them.
func (d *drawing) buttons(y say) *slack.ActionBlock {
	var es []slack.BlockElement
	for i, b := range y.Reply.Buttons {
		v, err := json.Marshal(pressed{Room: y.Room, Message: y.ID, Button: i, Label: b.Label})
		if err != nil || len(v) > maxValue || strings.TrimSpace(b.Label) == "" || len(es) == maxButtons || slices.Contains(y.Gone, i) {
			continue
		}
		e := slack.NewButtonBlockElement(fmt.Sprintf("press-%d", i), string(v), text(fit(b.Label, maxLabel)))
		dress(e, b)
		d.left -= size(e.Text.Text) + size(fit(b.Confirm, 300))
		if b.Confirm != "" {
			d.left -= 60
		}
		es = append(es, e)
	}
	if v, err := json.Marshal(pressed{Room: y.Room, Message: y.ID}); err == nil && y.Share {
		es = append(es, slack.NewButtonBlockElement(shareAction, string(v), text("Share in channel")))
	}
	if len(es) == 0 {
		return nil
	}
	if menu := besides(y); menu != nil {
		es = append(es, menu)
	}
	return slack.NewActionBlock("", es...)
}

// dress gives a button its style and its question.
func dress(e *slack.ButtonBlockElement, b commands.Button) {
	switch b.Style {
	case "primary":
		e.Style = slack.StylePrimary
	case "danger":
		e.Style = slack.StyleDanger
	}
	if b.Confirm != "" {
		e.Confirm = slack.NewConfirmationBlockObject(text("Are you sure?"), text(fit(b.Confirm, 300)), text(fit(b.Label, 30)), text("Cancel"))
	}
}

// besides is the menu of forms that buttons can be opened in instead.
func besides(y say) slack.BlockElement {
	var os []*slack.OptionBlockObject
	for _, b := range y.Beside {
		if slices.Contains(y.Gone, b.Button) {
			continue
		}
		v, err := json.Marshal(pressed{Room: y.Room, Message: y.ID, Button: b.Button})
		if err == nil && len(v) <= maxOption && len(os) < 5 {
			os = append(os, slack.NewOptionBlockObject(string(v), text(fit(b.Label, maxOption)), nil))
		}
	}
	if len(os) == 0 {
		return nil
	}
	return slack.NewOverflowBlockElement(besideAction, os...)
}

// link adds links to pages of the site.
func (d *drawing) link(site string, links []commands.Link) {
	if site == "" {
		return
	}
	var ls []string
	for _, l := range links {
		if len(ls) < 5 && strings.HasPrefix(l.Path, "/") && !strings.HasPrefix(l.Path, "//") && !strings.ContainsAny(l.Path, "<>|\\ \n") && len(l.Path) < 300 {
			label := strings.Map(func(r rune) rune {
				if strings.ContainsRune("*_~`|<>&\n", r) {
					return ' '
				}
				return r
			}, clip(l.Label, 60))
			ls = append(ls, "<"+strings.TrimSuffix(site, "/")+escape(l.Path)+"|"+label+">")
		}
	}
	if len(ls) > 0 {
		d.blocks = append(d.blocks, slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, strings.Join(ls, "  "), false, true)))
	}
}
