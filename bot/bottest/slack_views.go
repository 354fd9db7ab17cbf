package bottest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// This file is the fake Slack's views: modals opened by a trigger that lives
// 3 s (Patience here) and works once, their submission, and App Home.

// SlackView is a modal, or somebody's App Home.
type SlackView struct {
	ID, Hash, User string
	Type           string // "modal" or "home"
	Callback, Meta string
	Title          string
	Blocks         []map[string]any
	Updates        int
	Closed         bool
}

type trigger struct {
	user string
	at   time.Time
	used bool
}

// trigger makes a trigger id. The fake is locked.
func (f *Slack) trigger(user string) string {
	id := f.id("trigger.")
	if f.triggers == nil {
		f.triggers = map[string]*trigger{}
	}
	f.triggers[id] = &trigger{user: user, at: time.Now()}
	return id
}

// ExpireTriggers makes every trigger made from now on one that is too old, or
// no more.
func (f *Slack) ExpireTriggers(expire bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire = expire
}

// Views are copies of a user's views of a type, the newest last.
func (f *Slack) Views(user, kind string) []SlackView {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []SlackView
	for _, v := range f.views {
		if v.User == SlackUser(user) && v.Type == kind {
			all = append(all, *v)
		}
	}
	return all
}

// Texts are everything that a view shows.
func (v SlackView) Texts() string {
	var b strings.Builder
	b.WriteString(v.Title + "\n")
	for _, k := range v.Blocks {
		texts(k, &b)
		for _, part := range []string{"label", "hint", "element"} {
			texts(k[part], &b)
			if e, ok := k[part].(map[string]any); ok && part == "element" {
				texts(e["options"], &b)
			}
		}
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(b.String())
}

// Initial is what stands in a field of a view before anybody fills it in.
func (v SlackView) Initial(block string) string {
	for _, b := range v.Blocks {
		if b["block_id"] != block {
			continue
		}
		e, _ := b["element"].(map[string]any)
		if o, ok := e["initial_option"].(map[string]any); ok {
			return fmt.Sprint(o["value"])
		}
		var all []string
		os, _ := e["initial_options"].([]any)
		for _, o := range os {
			all = append(all, fmt.Sprint(o.(map[string]any)["value"]))
		}
		if s, ok := e["initial_value"].(string); ok {
			return s
		}
		return strings.Join(all, ",")
	}
	return ""
}

// view does the views.* methods. The fake is locked.
func (f *Slack) view(method string, form url.Values) answerOf {
	var v struct {
		Type     string           `json:"type"`
		Callback string           `json:"callback_id"`
		Meta     string           `json:"private_metadata"`
		Title    map[string]any   `json:"title"`
		Blocks   []map[string]any `json:"blocks"`
	}
	if err := json.Unmarshal([]byte(form.Get("view")), &v); err != nil {
		return bad("invalid_arguments")
	}
	title, _ := v.Title["text"].(string)
	set := func(to *SlackView) answerOf {
		to.Hash, to.Callback, to.Meta, to.Title, to.Blocks, to.Type = f.id("hash."), v.Callback, v.Meta, title, v.Blocks, v.Type
		return answerOf{"ok": true, "view": map[string]any{"id": to.ID, "hash": to.Hash, "type": to.Type, "callback_id": to.Callback}}
	}
	switch method {
	case "views.open", "views.push":
		t := f.triggers[form.Get("trigger_id")]
		switch {
		case t == nil || f.expire || time.Since(t.at) > Patience:
			return bad("expired_trigger_id")
		case t.used:
			return bad("exchanged_trigger_id")
		case v.Type != "modal":
			return bad("invalid_arguments")
		}
		t.used = true
		n := &SlackView{ID: f.id("V"), User: t.user}
		f.views = append(f.views, n)
		return set(n)
	case "views.update":
		for _, o := range f.views {
			if o.ID == form.Get("view_id") {
				if h := form.Get("hash"); h != "" && h != o.Hash {
					return bad("hash_conflict")
				}
				o.Updates++
				return set(o)
			}
		}
		return bad("not_found")
	case "views.publish":
		if v.Type != "home" {
			return bad("invalid_arguments")
		}
		for _, o := range f.views {
			if o.Type == "home" && o.User == form.Get("user_id") {
				o.Updates++
				return set(o)
			}
		}
		n := &SlackView{ID: f.id("V"), User: form.Get("user_id")}
		f.views = append(f.views, n)
		return set(n)
	}
	return bad("unknown_method")
}

// Submission is the payload of a user's newest modal with these values; fields
// that are not named keep what stood in them. nil: the user has no modal open.
func (f *Slack) Submission(user string, values map[string]string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.views) - 1; i >= 0; i-- {
		v := f.views[i]
		if v.User != SlackUser(user) || v.Type != "modal" || v.Closed {
			continue
		}
		state := map[string]any{}
		for _, b := range v.Blocks {
			if b["type"] != "input" {
				continue
			}
			id := fmt.Sprint(b["block_id"])
			value, given := values[id]
			if !given {
				value = v.Initial(id)
			}
			e := b["element"].(map[string]any)
			state[id] = map[string]any{fmt.Sprint(e["action_id"]): stateOf(e, value)}
		}
		return map[string]any{"type": "view_submission", "user": map[string]any{"id": SlackUser(user), "username": user}, "team": map[string]any{"id": "T0TEAM"},
			"api_app_id": "A0APP", "trigger_id": f.trigger(SlackUser(user)), "view": map[string]any{"id": v.ID, "hash": v.Hash, "type": "modal",
				"callback_id": v.Callback, "private_metadata": v.Meta, "state": map[string]any{"values": state}}}
	}
	return nil
}

// stateOf is an input's part of the state of a view.
func stateOf(e map[string]any, value string) map[string]any {
	one := map[string]any{"type": e["type"]}
	options, _ := e["options"].([]any)
	var chosen []any
	for _, o := range options {
		o := o.(map[string]any)
		if slices.Contains(strings.Split(value, ","), fmt.Sprint(o["value"])) {
			chosen = append(chosen, o)
		}
	}
	switch e["type"] {
	case "checkboxes":
		one["selected_options"] = append([]any{}, chosen...)
	case "plain_text_input":
		one["value"] = nil
		if value != "" {
			one["value"] = value
		}
	default:
		one["selected_option"] = nil
		if len(chosen) > 0 {
			one["selected_option"] = chosen[0]
		}
	}
	return one
}

// Submit submits a user's newest modal. The modal closes unless the
// acknowledgement says what is wrong, by field. ok is false when it was not
// acknowledged in Patience, or there is no modal.
func (f *Slack) Submit(user string, values map[string]string) (wrong map[string]string, ok bool) {
	p := f.Submission(user, values)
	if p == nil {
		return nil, false
	}
	id, ok := f.Deliver("interactive", p)
	if !ok {
		return nil, false
	}
	return f.Submitted(id, p), true
}

// Submitted reads the acknowledgement of a submission, and closes the modal
// unless it says what is wrong.
func (f *Slack) Submitted(envelope string, payload map[string]any) (wrong map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	view := payload["view"].(map[string]any)
	if raw := f.answers[envelope]; len(raw) > 0 {
		var a struct {
			Action string            `json:"response_action"`
			Errors map[string]string `json:"errors"`
		}
		if err := json.Unmarshal(raw, &a); err != nil || a.Action != "errors" || len(a.Errors) == 0 {
			f.t.Errorf("the acknowledgement of a submission is %s", raw)
		}
		values := view["state"].(map[string]any)["values"].(map[string]any)
		for field := range a.Errors {
			if _, ok := values[field]; !ok {
				f.t.Errorf("an error is told of the field %q, which is not in the view", field)
			}
		}
		return a.Errors
	}
	for _, v := range f.views {
		if v.ID == view["id"] {
			v.Closed = true
		}
	}
	return nil
}

// CloseView closes a user's newest modal.
func (f *Slack) CloseView(user string) bool {
	p := f.Submission(user, nil)
	if p == nil {
		return false
	}
	p["type"] = "view_closed"
	delete(p, "trigger_id")
	_, ok := f.Deliver("interactive", p)
	f.Submitted("", p)
	return ok
}

// view checks a view: the schema, and what it cannot say.
func (c *contract) view(method, text string) {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		c.t.Errorf("%s: the view is not JSON: %v", method, err)
		return
	}
	m, _ := v.(map[string]any)
	blocks, _ := m["blocks"].([]any)
	if len(blocks) == 0 || len(blocks) > 100 || len(text) > 250_000 {
		c.t.Errorf("%s: %d blocks, %d bytes", method, len(blocks), len(text))
	}
	ids := map[string]bool{}
	inputs := 0
	for _, b := range blocks {
		b, _ := b.(map[string]any)
		if id, _ := b["block_id"].(string); id != "" {
			if ids[id] {
				c.t.Errorf("%s: the block id %s stands twice", method, id)
			}
			ids[id] = true
		}
		if b["type"] == "input" {
			inputs++
			c.initial(method, b["element"])
		}
	}
	if meta, _ := m["private_metadata"].(string); len(meta) > 3000 {
		c.t.Errorf("%s: private_metadata has %d characters", method, len(meta))
	}
	if m["type"] == "home" {
		if c.schema != nil {
			for from := 0; from < len(blocks); from += 50 { // the schema of messages allows 50
				if err := c.schema.Validate(map[string]any{"blocks": blocks[from:min(from+50, len(blocks))]}); err != nil {
					c.t.Errorf("%s: the blocks are not Block Kit: %v\n%s", method, err, text)
				}
			}
		}
		return
	}
	if m["submit"] == nil && inputs > 0 {
		c.t.Errorf("%s: a modal with inputs cannot be submitted", method)
	}
	if c.modal != nil {
		if err := c.modal.Validate(v); err != nil {
			c.t.Errorf("%s: the view is not a modal: %v\n%s", method, err, text)
		}
	}
}

// initial: what is chosen beforehand is one of the options, word for word.
func (c *contract) initial(method string, element any) {
	e, _ := element.(map[string]any)
	options, _ := e["options"].([]any)
	chosen, _ := e["initial_options"].([]any)
	if o := e["initial_option"]; o != nil {
		chosen = append(chosen, o)
	}
	for _, o := range chosen {
		b, _ := json.Marshal(o)
		if !slices.ContainsFunc(options, func(p any) bool { q, _ := json.Marshal(p); return string(q) == string(b) }) {
			c.t.Errorf("%s: the initial option %s is none of the options", method, b)
		}
	}
}
