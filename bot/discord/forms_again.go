package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds forms that were refused: Discord lets no form answer a form,
// so that its person is told what is wrong, with a button that opens it again
// with everything they typed. What they typed is kept in the notes, through a
// restart, until the form is taken or keepTyped is over.

// keepTyped is how long what was typed in a refused form is kept, mostTyped of
// how many forms.
const (
	keepTyped = 6 * time.Hour
	mostTyped = 200
)

// typed is what somebody typed in a form that was refused. On disk it is JSON
// with V 1, under form/<key>; new fields may join, none changes its meaning; a
// higher version is taken for none.
type typed struct {
	V      int               `json:"v"`
	By     string            `json:"by"` // "discord:<user>": nobody else sees it
	Values map[string]string `json:"values"`
	At     time.Time         `json:"at"`

	// App and Token are of the interaction whose first response, for its person
	// alone, says what is wrong: it goes when the form is sent again.
	App   string `json:"app,omitempty"`
	Token string `json:"token,omitempty"`
}

func typedKey(key string) string { return "form/" + key }

// keepForm keeps what was typed in the form that an interaction sent, and
// returns the button that opens it again; token: its answer is for its person
// alone, and says what is wrong. It must not run where the gateway is read.
func (d *Discord) keepForm(ctx context.Context, i interaction, by commands.Person, token bool) []form {
	verb, subject, key, ok := readForm(i.Data.CustomID)
	if !ok {
		return nil
	}
	t := typed{V: 1, By: by.ID, Values: map[string]string{}, At: d.o.Now().UTC(), App: i.App}
	fields(i.Data.Components, t.Values, 0)
	if token {
		t.Token = i.Token
	}
	if old, ok := d.typed(ctx, key, by); ok && i.again() {
		t.App, t.Token = old.App, old.Token // the answer that is there is edited
	} else {
		key = i.ID
	}
	if !fits(formID(verb, subject, key)) {
		return nil
	}
	v, err := json.Marshal(t)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, formTime/2)
		defer cancel()
		err = d.o.Notes.Put(ctx, note(typedKey(key), v))
	}
	if err != nil {
		d.o.Log.Error("discord: what was typed in a form cannot be kept", "error", err)
		return nil
	}
	d.sweepForms(ctx)
	return []form{{Label: "Open it again", Verb: verb, Incident: subject, Again: key}}
}

// typed is what somebody typed in a refused form; false: nothing, or it was
// somebody else.
func (d *Discord) typed(ctx context.Context, key string, by commands.Person) (t typed, ok bool) {
	if key == "" {
		return t, false
	}
	ns, err := d.o.Notes.List(ctx, typedKey(key))
	if err != nil {
		d.o.Log.Error("discord: what was typed in a form cannot be read", "error", err)
	}
	for _, n := range ns {
		if n.Key == typedKey(key) && json.Unmarshal(n.Value, &t) == nil && t.V == 1 && t.By == by.ID && d.o.Now().Sub(t.At) < keepTyped {
			return t, true
		}
	}
	return typed{}, false
}

// again reports that a form was opened by the button under a refusal of its
// own, and that the refusal can be edited.
func (i interaction) again() bool {
	_, _, key, ok := readForm(i.Data.CustomID)
	return ok && key != "" && i.Type == askForm && i.Message != nil && i.Message.Flags&flagEphemeral != 0
}

// wrong answers a form that is refused before anything was recorded.
func (d *Discord) wrong(ctx context.Context, i interaction, by commands.Person, r commands.Reply) (kind int, data any) {
	kind = sayMessage
	if i.again() {
		kind = sayUpdate
	}
	y := say{Reply: r, Forms: d.keepForm(ctx, i, by, true)}
	if len(y.Forms) > 0 {
		y.Reply = keptHint(r)
	} else if fits(i.Data.CustomID) {
		y.Reply.Body = strings.TrimSpace(y.Reply.Body + "\n\n" + whatWasTyped(i))
	}
	return kind, whisper(y, d.o.Site)
}

// keptHint says beside the button of a refused form what it does.
func keptHint(r commands.Reply) commands.Reply {
	was, kept := r.Problem.Hint, "Open it again shows the form with what you typed."
	if r.Problem.Code == "bad_form" || was == "" {
		r.Problem.Hint = kept
	} else {
		r.Problem.Hint += "\n" + kept
	}
	if r.Body == was { // the same words are said once
		r.Body = r.Problem.Hint
	}
	return r
}

// sentAgain ends what is kept of a form that is sent again: what was typed is
// on the record with it, and the words about what was wrong go.
func (d *Discord) sentAgain(ctx context.Context, i interaction, by commands.Person) {
	_, _, key, ok := readForm(i.Data.CustomID)
	t, kept := d.typed(ctx, key, by)
	if !ok || !kept {
		return
	}
	if t.Token != "" && d.o.Now().Sub(t.At) < d.o.TokenLife {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_ = d.api.call(ctx, http.MethodDelete, asker{app: t.App, token: t.Token}.original(), nil, nil) // when they stay, nobody is harmed
	}
	if err := d.o.Notes.Put(ctx, note(typedKey(key), nil)); err != nil {
		d.o.Log.Error("discord: what was typed in a form is not forgotten yet", "error", err)
	}
}

// sweepForms forgets what was typed long ago, and the oldest of what is too much.
func (d *Discord) sweepForms(ctx context.Context) {
	ns, err := d.o.Notes.List(ctx, "form/")
	if err != nil {
		d.o.Log.Error("discord: sweep forms", "error", err)
		return
	}
	slices.SortFunc(ns, func(a, b bot.Note) int { // by the ids, which grow with time
		return cmp.Or(cmp.Compare(len(a.Key), len(b.Key)), strings.Compare(a.Key, b.Key))
	})
	for n, old := range ns {
		var t typed
		if json.Unmarshal(old.Value, &t) == nil && d.o.Now().Sub(t.At) < keepTyped && n >= len(ns)-mostTyped {
			continue
		}
		if err := d.o.Notes.Put(ctx, note(old.Key, nil)); err != nil {
			return
		}
	}
}

// whatWasTyped is a form's words, to be copied when they cannot be kept.
func whatWasTyped(i interaction) string {
	values := map[string]string{}
	fields(i.Data.Components, values, 0)
	var lines []string
	for name, v := range values {
		if v = strings.TrimSpace(bot.Clean(v)); v != "" {
			lines = append(lines, name+": "+v)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return "What you typed:\n" + strings.Join(lines, "\n")
}
