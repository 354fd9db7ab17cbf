package discord

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file draws replies: the answer as the message's text (notifications show
// it), the proof as one embed, what to do next as buttons, or as a menu when
// they are many. What strangers may have written is escaped (escape.go).

// Limits of a message, in characters (docs: resources/message), a little below
// Discord's own.
const (
	maxContent = 1900
	maxDesc    = 3800
	maxName    = 200
	maxValue   = 1000
	maxEmbed   = 5800 // all texts of the embed together
	maxLabel   = 76
	maxID      = 100
	maxRow     = 5
	maxMenu    = 25
)

// colours of states: colour is never the only signal.
var colours = map[string]int{
	commands.StateGood: 0x2e9e5b, commands.StateWarning: 0xd9a400, commands.StateCritical: 0xd03b3b,
	commands.StateRunning: 0x3b7dd0, commands.StateUnknown: 0x8a8f98, commands.StateInfo: 0x8a8f98,
}

// message is a message as it is sent. Lists are never null: null would be
// refused, and an edit that leaves them out would leave them as they were.
type message struct {
	Content    string                       `json:"content"`
	Embeds     []*discordgo.MessageEmbed    `json:"embeds"`
	Components []discordgo.MessageComponent `json:"components"`
	Mentions   mentions                     `json:"allowed_mentions"`
	Flags      int                          `json:"flags,omitempty"`
	Nonce      string                       `json:"nonce,omitempty"`
	Enforce    bool                         `json:"enforce_nonce,omitempty"`

	cut bool // something did not fit
}

// mentions: nobody is ever notified by what a message holds.
type mentions struct {
	Parse []string `json:"parse"`
}

func newMessage(content string) message {
	return message{Content: content, Embeds: []*discordgo.MessageEmbed{}, Components: []discordgo.MessageComponent{}, Mentions: mentions{[]string{}}}
}

// draw draws a message; site is where the pages are ("": no links).
func draw(y say, site string) message {
	r := y.Reply
	head := r.Headline
	if w := bot.Look(r.State); w != "" {
		head = w + ": " + head
	}
	m := newMessage("")
	content := fit(escape(or(head, "certmedic")), maxContent-700)
	m.cut = utf8.RuneCountInString(escape(head)) > maxContent-700
	content = stamps(content, y.At)
	if y.Line != "" {
		content = "-# " + fit(escape(oneLine(y.Line)), 300) + "\n" + content
	}
	if y.Used != "" {
		content += "\n-# " + fit(escape(oneLine(y.Used)), 300)
	}
	if snowflake.MatchString(y.Place) {
		content += "\n-# <#" + y.Place + ">"
	}
	m.Content = content
	if e := m.embed(r, y.At); e != nil {
		m.Embeds = append(m.Embeds, e)
	}
	if y.Used == "" && y.ID != "" {
		m.buttons(y)
	}
	m.links(site, r.Links)
	for _, f := range y.Forms {
		m.form(f)
	}
	return m
}

// embed is the proof, said at a time; nil when there is none.
func (m *message) embed(r commands.Reply, at time.Time) *discordgo.MessageEmbed {
	e := &discordgo.MessageEmbed{Color: colours[r.State]}
	left := maxEmbed
	for _, f := range r.Facts[:min(len(r.Facts), 10)] {
		name, value := strings.TrimSpace(fit(escape(oneLine(f.Name)), maxName)), strings.TrimSpace(fit(escape(f.Value), maxValue-100))
		if name == "" || value == "" {
			continue
		}
		value = stamps(value, at)
		n := utf8.RuneCountInString(name + value)
		if left -= n; left < 0 {
			m.cut = true
			break
		}
		e.Fields = append(e.Fields, &discordgo.MessageEmbedField{Name: name, Value: value, Inline: n < 80})
	}
	var parts []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			parts = append(parts, s)
		}
	}
	if h := r.Problem.Hint; h != "" && h != r.Body {
		add(escape(h))
	}
	if r.Of > 0 {
		add(fmt.Sprintf("%s %d of %d hosts", bot.Bar(r.Done, r.Of), r.Done, r.Of))
	}
	add(m.some(r.Body))
	var steps []string
	for _, l := range r.Steps[:min(len(r.Steps), 200)] {
		steps = append(steps, strings.TrimSpace(bot.Symbol(l.State)+" "+escape(oneLine(l.Text))))
	}
	add(strings.Join(steps, "\n"))
	text := strings.Join(parts, "\n\n")
	room := min(maxDesc, left)
	if utf8.RuneCountInString(text) > room-200 {
		m.cut, text = true, fit(text, max(room-200, 1))
	}
	text = stamps(text, at)
	slim, cut := narrow(r.Table)
	m.cut = m.cut || cut
	if t := bot.TableText(slim); t != "" {
		text = strings.TrimSpace(text + "\n\n" + m.fence(t, room-utf8.RuneCountInString(text)-20))
	}
	if m.cut {
		e.Footer = &discordgo.MessageEmbedFooter{Text: "There is more than fits here: it is in the file."}
	}
	e.Description = text
	if e.Description == "" && len(e.Fields) == 0 && e.Footer == nil {
		return nil
	}
	return e
}

// some is as much of a body as could ever fit, escaped.
func (m *message) some(s string) string {
	if len(s) > 4*maxDesc {
		m.cut, s = true, strings.ToValidUTF8(s[:4*maxDesc], "")
	}
	return escape(s)
}

// fence is text in fixed width, whole lines of it.
func (m *message) fence(s string, room int) string {
	s = strings.NewReplacer("`", "ˋ", "@", "@\u200b", "<", "<\u200b").Replace(bot.Clean(s))
	var b strings.Builder
	n := 10
	for _, line := range strings.Split(s, "\n") {
		if n += utf8.RuneCountInString(line) + 1; n > room {
			m.cut = true
			break
		}
		b.WriteString(line + "\n")
	}
	if b.Len() == 0 {
		return ""
	}
	return "```\n" + b.String() + "```"
}

// pressID is a button's custom id: which button of which message it is. The
// label is told by its hash: an edit may put another button in its place.
func pressID(room, id string, n int, label string) string {
	return strings.Join([]string{"p", room, id, strconv.Itoa(n), labelHash(label)}, "|")
}

func labelHash(label string) string {
	h := sha256.Sum256([]byte(label))
	return hex.EncodeToString(h[:6])
}

// pressed is what a custom id says.
type pressed struct {
	Room, Message string
	Button        int
	Label         string // its hash
}

// readPress reads a custom id of pressID; false for all others.
func readPress(id string) (p pressed, ok bool) {
	parts := strings.Split(id, "|")
	if len(parts) != 5 || parts[0] != "p" || parts[1] == "" || parts[2] == "" || len(id) > maxID {
		return p, false
	}
	n, err := strconv.Atoi(parts[3])
	if err != nil || n < 0 || n > 1000 {
		return p, false
	}
	return pressed{parts[1], parts[2], n, parts[4]}, true
}

// buttons are the reply's: a row of five at most, else a menu.
func (m *message) buttons(y say) {
	type one struct {
		b  commands.Button
		id string
	}
	var all []one
	for i, b := range y.Reply.Buttons {
		if id := pressID(y.Room, y.ID, i, b.Label); strings.TrimSpace(b.Label) != "" && !slices.Contains(y.Gone, i) && utf8.RuneCountInString(id) <= maxID && len(all) < maxMenu {
			all = append(all, one{b, id})
		}
	}
	if len(all) == 0 {
		return
	}
	if len(all) <= maxRow {
		var row []discordgo.MessageComponent
		for _, o := range all {
			style := discordgo.SecondaryButton
			switch o.b.Style {
			case "primary":
				style = discordgo.PrimaryButton
			case "danger":
				style = discordgo.DangerButton
			}
			row = append(row, discordgo.Button{Label: clip(bot.Clean(o.b.Label), maxLabel), Style: style, CustomID: o.id})
		}
		m.Components = append(m.Components, discordgo.ActionsRow{Components: row})
		return
	}
	menu := discordgo.SelectMenu{MenuType: discordgo.StringSelectMenu, CustomID: "menu|" + y.Room + "|" + y.ID, Placeholder: "What next?"}
	for _, o := range all {
		menu.Options = append(menu.Options, discordgo.SelectMenuOption{Label: clip(bot.Clean(o.b.Label), 95), Value: o.id})
	}
	m.Components = append(m.Components, discordgo.ActionsRow{Components: []discordgo.MessageComponent{menu}})
}

// links adds a row of links to pages of the site.
func (m *message) links(site string, links []commands.Link) {
	if site == "" {
		return
	}
	var row []discordgo.MessageComponent
	for _, l := range links {
		u := strings.TrimSuffix(site, "/") + l.Path
		if len(row) < maxRow && strings.HasPrefix(l.Path, "/") && !strings.HasPrefix(l.Path, "//") && !strings.ContainsAny(l.Path, "<>|\\ \n") && len(u) < 500 && strings.TrimSpace(l.Label) != "" {
			row = append(row, discordgo.Button{Label: clip(bot.Clean(l.Label), maxLabel), Style: discordgo.LinkButton, URL: u})
		}
	}
	if len(row) > 0 {
		m.Components = append(m.Components, discordgo.ActionsRow{Components: row})
	}
}

// form adds a button that opens a form, to the last row that has room.
func (m *message) form(f form) {
	b := discordgo.Button{Label: f.Label, Style: discordgo.SecondaryButton, CustomID: formID(f.Verb, f.Incident, f.Again)}
	if n := len(m.Components); n > 0 {
		if row, ok := m.Components[n-1].(discordgo.ActionsRow); ok && len(row.Components) < maxRow {
			if _, menu := row.Components[0].(discordgo.SelectMenu); !menu {
				row.Components = append(row.Components, b)
				m.Components[n-1] = row
				return
			}
		}
	}
	if len(m.Components) < maxRow {
		m.Components = append(m.Components, discordgo.ActionsRow{Components: []discordgo.MessageComponent{b}})
	}
}

// all is the whole of a reply as a file, when it did not fit.
func (m message) all(y say) []commands.File {
	if !m.cut {
		return nil
	}
	return []commands.File{{Name: "answer-" + or(y.ID, "all") + ".txt", Type: "text/plain; charset=utf-8", Data: []byte(bot.Text(y.Reply))}}
}

var stampRE = regexp.MustCompile(`\b(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) UTC\b`)

// relative finds words of how long ago, or until when.
var relative = regexp.MustCompile(`\b\d+ [a-z]+ ago\b|\bin \d`)

// stamps puts Discord's own clock beside the first moments of a text said at a
// time: each reader sees how long ago that is, or, where the text says that
// itself, the time in the reader's own zone, with the date when it is another
// day's. The text keeps UTC.
func stamps(s string, said time.Time) string {
	n, own := 0, relative.MatchString(s)
	return stampRE.ReplaceAllStringFunc(s, func(m string) string {
		at := strings.TrimSuffix(m, " UTC")
		form := "2006-01-02 15:04:05"
		t, err := time.Parse(form[:len(at)], at)
		if n++; err != nil || n > 4 || t.Unix() < 0 {
			return m
		}
		style := "R"
		if own {
			style = "f"
			if t.Format(time.DateOnly) == said.UTC().Format(time.DateOnly) {
				style = "t"
			}
		}
		return fmt.Sprintf("%s (<t:%d:%s>)", m, t.Unix(), style)
	})
}
