package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds what we read of an interaction, and how its options become
// the line that somebody could have typed. Fields that we do not know are no
// reason to refuse one.

// Kinds of interactions and of first responses (docs:
// interactions/receiving-and-responding).
const (
	askPing, askCommand, askComponent, askComplete, askForm = 1, 2, 3, 4, 5

	sayPong, sayMessage, sayDefer, sayDeferUpdate, sayUpdate, sayChoices, sayForm = 1, 4, 5, 6, 7, 8, 9
)

const flagEphemeral = 1 << 6

// interaction is what we read of one.
type interaction struct {
	ID      string `json:"id"`
	Type    int    `json:"type"`
	Token   string `json:"token"`
	App     string `json:"application_id"`
	Guild   string `json:"guild_id"`
	Channel string `json:"channel_id"`
	Member  *struct {
		User    user     `json:"user"`
		Roles   []string `json:"roles"`
		Pending bool     `json:"pending"`
	} `json:"member"`
	User    *user `json:"user"`
	Message *struct {
		ID    string `json:"id"`
		Flags int    `json:"flags"`
	} `json:"message"`
	Data struct {
		Name       string      `json:"name"`
		Type       int         `json:"type"`
		Target     string      `json:"target_id"`
		Options    []option    `json:"options"`
		CustomID   string      `json:"custom_id"`
		Values     []string    `json:"values"`
		Components []component `json:"components"`
		Resolved   struct {
			Messages map[string]chatMessage `json:"messages"`
			Users    map[string]user        `json:"users"`
		} `json:"resolved"`
	} `json:"data"`
}

type user struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Bot      bool   `json:"bot"`
}

type option struct {
	Name    string          `json:"name"`
	Type    int             `json:"type"`
	Value   json.RawMessage `json:"value"`
	Focused bool            `json:"focused"`
	Options []option        `json:"options"`
}

// component is a form's filled field, in a row or a label.
type component struct {
	CustomID   string      `json:"custom_id"`
	Value      string      `json:"value"`
	Values     []string    `json:"values"`
	Components []component `json:"components"`
	Component  *component  `json:"component"`
}

var snowflake = regexp.MustCompile(`^[0-9]{1,20}$`)

// readInteraction reads one; an error says that it is none of Discord's.
func readInteraction(raw []byte) (i interaction, err error) {
	if err := json.Unmarshal(raw, &i); err != nil {
		// One field of an unexpected shape is left out; without the rest it is none.
		var wrong *json.UnmarshalTypeError
		if !errors.As(err, &wrong) {
			return i, errors.New("it is not JSON")
		}
	}
	if i.Type == askPing {
		return i, nil
	}
	if !snowflake.MatchString(i.ID) || i.Token == "" || len(i.Token) > 500 || strings.ContainsAny(i.Token, "/?# \n") || i.Type < askPing || i.Type > askForm {
		return i, errors.New("it has no id, token or kind")
	}
	if i.Channel != "" && !snowflake.MatchString(i.Channel) {
		return i, errors.New("its channel has no id")
	}
	return i, nil
}

// said is what a command, a form or a completion holds.
type said struct {
	path   string // "incident more edit"
	leaf   leaf
	known  bool
	values map[string]string
	focus  string // the option being typed
	loose  []string
}

// mostDeep is how deep options are nested: group, subcommand, option.
const mostDeep = 3

// read reads a command's options.
func (set *commandSet) read(i interaction) said {
	s := said{path: i.Data.Name, values: map[string]string{}}
	os := i.Data.Options
	for range mostDeep {
		if len(os) != 1 || os[0].Type != 1 && os[0].Type != 2 {
			break
		}
		s.path += " " + os[0].Name
		os = os[0].Options
	}
	s.leaf, s.known = set.leaves[s.path]
	for _, o := range os {
		v := optionValue(o.Value)
		s.values[o.Name] = v
		if v != "" {
			s.loose = append(s.loose, v)
		}
		if o.Focused {
			s.focus = o.Name
		}
	}
	return s
}

// optionValue is a value as text.
func optionValue(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var b bool
	if json.Unmarshal(raw, &b) == nil {
		return strconv.FormatBool(b)
	}
	var f float64
	if json.Unmarshal(raw, &f) == nil {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return ""
}

// line is the line that was meant. A command that is registered no more is
// what was typed, for the desk to say what is known.
func (s said) line() string {
	if !s.known {
		return strings.TrimSpace("/" + s.path + " " + strings.Join(s.loose, " "))
	}
	return commands.Compose(s.leaf.verb.Name, s.leaf.params, s.values)
}

// fields are a form's filled fields.
func fields(cs []component, into map[string]string, depth int) {
	for _, c := range cs {
		if c.CustomID != "" {
			into[c.CustomID] = c.Value
			if c.Value == "" {
				into[c.CustomID] = strings.Join(c.Values, ",")
			}
		}
		if depth < mostDeep {
			fields(c.Components, into, depth+1)
			if c.Component != nil {
				fields([]component{*c.Component}, into, depth+1)
			}
		}
	}
}

// form opens a form of a verb.
type form struct {
	Label    string `json:"label"`
	Verb     string `json:"verb"`
	Incident string `json:"incident,omitempty"`
	Again    string `json:"again,omitempty"` // key of what was typed in it already (forms_again.go)
}

// formID is the custom id of a form, and of the button that opens it; again
// may be "". It may be too long for Discord, or hold what cannot be read back.
func formID(verb, incident, again string) string {
	id := "f|" + verb + "|" + incident
	if again != "" {
		id += "|" + again
	}
	return id
}

// readForm reads a custom id of formID; false for all others.
func readForm(id string) (verb, incident, again string, ok bool) {
	parts := strings.Split(id, "|")
	if len(parts) != 3 && len(parts) != 4 || parts[0] != "f" || parts[1] == "" || len(id) > maxID {
		return "", "", "", false
	}
	if again = readPart(parts, 3); len(parts) == 4 && !snowflake.MatchString(again) {
		return "", "", "", false
	}
	return parts[1], parts[2], again, true
}

// fits reports whether a form's custom id can be sent and read back.
func fits(id string) bool {
	_, _, _, ok := readForm(id)
	return ok
}

var (
	userTag    = regexp.MustCompile(`<@!?([0-9]{1,20})>`)
	roleTag    = regexp.MustCompile(`<@&([0-9]{1,20})>`)
	channelTag = regexp.MustCompile(`<#([0-9]{1,20})>`)
	emojiTag   = regexp.MustCompile(`<a?:([A-Za-z0-9_]{2,32}):[0-9]{1,20}>`)
	timeTag    = regexp.MustCompile(`<t:(-?[0-9]{1,12})(?::[tTdDfFsSR])?>`)
)

// undo takes back what Discord makes of a typed text; the functions return a
// name, or "".
func undo(text string, handle, role, channel func(id string) string) string {
	text = bot.Clean(text) // first: nothing is to become a tag by losing a character
	name := func(re *regexp.Regexp, mark string, find func(string) string) {
		text = re.ReplaceAllStringFunc(text, func(m string) string {
			id := re.FindStringSubmatch(m)[1]
			return mark + or(find(id), id)
		})
	}
	name(userTag, "@", handle)
	name(roleTag, "@", role)
	name(channelTag, "#", channel)
	text = emojiTag.ReplaceAllString(text, ":$1:")
	return timeTag.ReplaceAllStringFunc(text, func(m string) string {
		n, err := strconv.ParseInt(timeTag.FindStringSubmatch(m)[1], 10, 64)
		if err != nil || n < 0 || n > 1<<34 {
			return m
		}
		return stampOf(n)
	})
}

func readPart(parts []string, n int) string {
	if n < len(parts) {
		return parts[n]
	}
	return ""
}

func actionName(i interaction) string {
	switch i.Type {
	case askCommand:
		return "/" + i.Data.Name
	case askComponent, askForm:
		return readPart(strings.Split(i.Data.CustomID, "|"), 0)
	}
	return fmt.Sprint("kind ", i.Type)
}
