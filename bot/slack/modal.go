package slack

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file draws forms as modals and reads what was filled in. When one opens
// is in modal_open.go, what a submission does in modal_submit.go.

// Limits of modals, in characters.
const (
	maxTitle  = 24
	maxInput  = 3000
	maxOption = 75
	maxRadios = 10
	maxSelect = 100
	maxMeta   = 3000
)

// formCallback is the callback id of our forms; formAction names every input.
const (
	formCallback = "form"
	formAction   = "v"
)

// formMeta is what a form's view carries along (private_metadata): which form
// it is, where it was asked for, and which button it stands for.
type formMeta struct {
	Verb    string `json:"v"`
	Subject string `json:"s,omitempty"`
	Room    string `json:"r"`
	Channel string `json:"c,omitempty"`
	Thread  string `json:"t,omitempty"`
	Message string `json:"m,omitempty"` // of the room, whose button it was
	Label   string `json:"l,omitempty"`
}

// modal draws a form.
func modal(f commands.Form, meta formMeta) (slack.ModalViewRequest, bool) {
	meta.Verb, meta.Subject = f.Verb, f.Subject
	m, err := json.Marshal(meta)
	if err != nil || len(m) > maxMeta {
		return slack.ModalViewRequest{}, false
	}
	v := slack.ModalViewRequest{Type: slack.VTModal, Title: text(fit(or(f.Title, "certmedic"), maxTitle)), Submit: text(fit(or(f.Submit, "Send"), maxTitle)),
		Close: text("Cancel"), CallbackID: formCallback, PrivateMetadata: string(m)}
	if intro := strings.TrimSpace(bot.Clean(f.Intro)); intro != "" {
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, slack.NewSectionBlock(timed(fit(intro, maxText)), nil, nil))
	}
	for _, field := range f.Fields {
		b := slack.NewInputBlock(field.Name, text(fit(or(field.Label, field.Name), maxOption)), nil, input(field))
		if field.Summary != "" {
			b.Hint = text(fit(field.Summary, maxField))
		}
		b.Optional = !field.Required
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, b)
	}
	return v, true
}

// input is a field's element.
func input(f commands.FormField) slack.BlockElement {
	var options []*slack.OptionBlockObject
	var chosen []*slack.OptionBlockObject
	for _, o := range f.Options {
		if o.Value == "" || len(o.Value) > maxOption || len(options) == maxSelect {
			continue
		}
		var note *slack.TextBlockObject
		if o.Note != "" {
			note = text(fit(o.Note, maxOption))
		}
		one := slack.NewOptionBlockObject(o.Value, text(fit(or(o.Label, o.Value), maxOption)), note)
		options = append(options, one)
		if slices.Contains(strings.Split(f.Value, ","), o.Value) {
			chosen = append(chosen, one)
		}
	}
	switch {
	case f.Kind == commands.ParamSeveral && len(options) > 0:
		e := slack.NewCheckboxGroupsBlockElement(formAction, options[:min(len(options), maxRadios)]...)
		e.InitialOptions = chosen
		return e
	case f.Kind == commands.ParamChoice && len(options) > 0 && len(options) <= 5:
		e := slack.NewRadioButtonsBlockElement(formAction, options...)
		if len(chosen) > 0 {
			e.InitialOption = chosen[0]
		}
		return e
	case f.Kind == commands.ParamChoice && len(options) > 0:
		e := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, text("Choose"), formAction, options...)
		if len(chosen) > 0 {
			e.InitialOption = chosen[0]
		}
		return e
	}
	e := slack.NewPlainTextInputBlockElement(nil, formAction)
	e.Multiline, e.MaxLength = f.Long, maxInput
	if f.Max > 0 {
		e.MaxLength = min(f.Max, maxInput)
	}
	e.InitialValue = strings.TrimSpace(clip(bot.Clean(f.Value), e.MaxLength))
	return e
}

// submission is what we read of a view_submission payload.
type submission struct {
	Type string `json:"type"`
	User struct {
		ID       string `json:"id"`
		Username string `json:"username"`
	} `json:"user"`
	View struct {
		ID         string `json:"id"`
		Hash       string `json:"hash"`
		CallbackID string `json:"callback_id"`
		Meta       string `json:"private_metadata"`
		State      struct {
			Values map[string]map[string]stateValue `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

type stateValue struct {
	Value    string        `json:"value"`
	Selected *optionValue  `json:"selected_option"`
	Several  []optionValue `json:"selected_options"`
}

type optionValue struct {
	Value string `json:"value"`
}

// values are what was filled in, by field.
func (s submission) values() map[string]string {
	all := map[string]string{}
	for block, actions := range s.View.State.Values {
		for _, v := range actions {
			switch {
			case v.Selected != nil:
				all[block] = v.Selected.Value
			case len(v.Several) > 0:
				var vs []string
				for _, o := range v.Several {
					vs = append(vs, o.Value)
				}
				all[block] = strings.Join(vs, ",")
			default:
				all[block] = v.Value
			}
		}
	}
	return all
}

// meta is what the view carries along; ok is false for a view that is not ours.
func (s submission) meta() (m formMeta, ok bool) {
	err := json.Unmarshal([]byte(s.View.Meta), &m)
	return m, err == nil && s.View.CallbackID == formCallback && m.Verb != ""
}

// ask is which form was submitted.
func (m formMeta) ask(by commands.Person) commands.FormAsk {
	return commands.FormAsk{Verb: m.Verb, Subject: m.Subject, Room: m.Room, By: by}
}
