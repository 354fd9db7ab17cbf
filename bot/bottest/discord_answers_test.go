package bottest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// This file holds the fake's own answers against Discord's document: whatever
// a test is answered must be what the operation's response says.

var answers struct {
	sync.Mutex
	paths   map[string]any
	c       *jsonschema.Compiler
	schemas map[string]*jsonschema.Schema
}

// answerSchema is the schema of an operation's answer with a status; nil: it
// has none.
func answerSchema(t testing.TB, method, template string, status int) (*jsonschema.Schema, error) {
	answers.Lock()
	defer answers.Unlock()
	if answers.c == nil {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(SlackSpec(t, discordSpecName)))
		if err != nil {
			return nil, err
		}
		answers.paths = doc.(object)["paths"].(object)
		answers.c, answers.schemas = jsonschema.NewCompiler(), map[string]*jsonschema.Schema{}
		answers.c.DefaultDraft(jsonschema.Draft2020)
		if err := answers.c.AddResource(discordSpecName, doc); err != nil {
			return nil, err
		}
	}
	item, _ := answers.paths[template].(object)
	op, _ := item[strings.ToLower(method)].(object)
	all, _ := op["responses"].(object)
	one, ok := all[fmt.Sprint(status)].(object)
	if !ok {
		return nil, fmt.Errorf("%s %s is never answered %d", method, template, status)
	}
	content, _ := one["content"].(object)
	if content == nil {
		return nil, nil
	}
	esc := strings.NewReplacer("~", "~0", "/", "~1")
	ptr := "#/paths/" + esc.Replace(template) + "/" + strings.ToLower(method) + "/responses/" + fmt.Sprint(status) + "/content/application~1json/schema"
	s := answers.schemas[ptr]
	if s == nil {
		var err error
		if s, err = answers.c.Compile(discordSpecName + ptr); err != nil {
			return nil, err
		}
		answers.schemas[ptr] = s
	}
	return s, nil
}

// conforms checks an answer of the fake with 2xx.
func (st *stand) conforms(method, path string, a response) {
	st.t.Helper()
	path, _, _ = strings.Cut(path, "?")
	route, _ := routeOf(method, path)
	if route == nil || !st.contract.with || a.status/100 != 2 {
		return
	}
	s, err := answerSchema(st.t, method, route.path, a.status)
	if err == nil && s == nil && a.text != "" {
		err = fmt.Errorf("a body, although there is none: %s", a.text)
	}
	if err == nil && s != nil {
		var v any
		if v, err = jsonschema.UnmarshalJSON(strings.NewReader(a.text)); err == nil {
			err = s.Validate(v)
		}
	}
	if err != nil {
		st.t.Errorf("the fake's answer to %s: %v\n%s", route.op, err, clip(a.text, 1500))
	}
}
