package bottest

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// This file checks every call against Slack's documentation: the methods'
// arguments, and Block Kit's schema. Where the documents are not beside the
// repository (../shared/specs) it says so loudly.

type contract struct {
	t       testing.TB
	methods map[string]struct {
		Args struct {
			Properties map[string]any `json:"properties"`
			Required   []string       `json:"required"`
		} `json:"args"`
		Scope json.RawMessage `json:"scope"`
		Rate  string          `json:"rate_limits"`
	}
	schema *jsonschema.Schema
	modal  *jsonschema.Schema
}

// SlackScopes are the scopes of the manifest; a test of the adapter sets them.
var SlackScopes []string

func (c *contract) scopes() []string { return SlackScopes }

var loaded struct {
	sync.Mutex
	blocks *jsonschema.Schema
	modal  *jsonschema.Schema
}

// SlackSpec returns a document of ../shared/specs, or nil when it is not there.
func SlackSpec(t testing.TB, name string) []byte {
	t.Helper()
	dir, _ := os.Getwd()
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "..", "shared", "specs", name))
	if err != nil {
		t.Logf("NO SPECIFICATION: what is sent is not checked against %s (%v)", name, err)
		return nil
	}
	return b
}

// SlackSchema compiles a schema of ../shared/specs, or returns nil. Patterns
// with look-aheads, which Go's regexp has not, are left out.
func SlackSchema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	b := SlackSpec(t, name)
	if b == nil {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	dropLookaheads(doc)
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dropLookaheads(v any) {
	switch v := v.(type) {
	case map[string]any:
		if p, ok := v["pattern"].(string); ok && strings.Contains(p, "(?!") {
			delete(v, "pattern")
		}
		for _, e := range v {
			dropLookaheads(e)
		}
	case []any:
		for _, e := range v {
			dropLookaheads(e)
		}
	}
}

func loadContract(t testing.TB) *contract {
	t.Helper()
	c := &contract{t: t}
	if b := SlackSpec(t, "slack-methods.json"); b != nil {
		if err := json.Unmarshal(b, &c.methods); err != nil {
			t.Fatal(err)
		}
	}
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.blocks == nil {
		loaded.blocks = SlackSchema(t, "slack-message-blocks.schema.json")
	}
	if loaded.modal == nil {
		loaded.modal = SlackSchema(t, "slack-modal.schema.json")
	}
	c.schema, c.modal = loaded.blocks, loaded.modal
	return c
}

// call checks one call.
func (c *contract) call(method string, form url.Values) {
	if c.methods != nil {
		m, ok := c.methods[method]
		if !ok {
			c.t.Errorf("Slack has no method %s", method)
			return
		}
		for _, need := range m.Args.Required {
			if form.Get(need) == "" {
				c.t.Errorf("%s lacks %s", method, need)
			}
		}
		for k := range form {
			if _, ok := m.Args.Properties[k]; !ok {
				c.t.Errorf("%s has no argument %s", method, k)
			}
		}
		var scope struct {
			Bot []string `json:"bot"`
		}
		_ = json.Unmarshal(m.Scope, &scope) // some methods have none, as a word
		if len(scope.Bot) > 0 && SlackScopes != nil && !slices.ContainsFunc(scope.Bot, func(s string) bool { return slices.Contains(SlackScopes, s) }) {
			c.t.Errorf("%s needs one of %v, the manifest has %v", method, scope.Bot, SlackScopes)
		}
	}
	if strings.HasPrefix(method, "views.") {
		c.view(method, form.Get("view"))
	}
	if strings.HasPrefix(method, "chat.") && method != "chat.getPermalink" {
		if form.Get("text") == "" {
			c.t.Errorf("%s has no text beside its blocks", method)
		}
		if b := form.Get("blocks"); b != "" {
			c.blocks(method, b)
		}
	}
}

// blocks checks blocks: the schema, and what it cannot say.
func (c *contract) blocks(where, text string) {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		c.t.Errorf("%s: blocks are not JSON: %v", where, err)
		return
	}
	list, _ := v.([]any)
	if len(list) == 0 || len(list) > 50 {
		c.t.Errorf("%s: %d blocks", where, len(list))
	}
	var b strings.Builder
	ids := map[string]bool{}
	for _, one := range list {
		texts(one, &b)
		if id, _ := one.(map[string]any)["block_id"].(string); id != "" {
			if ids[id] {
				c.t.Errorf("%s: the block id %s stands twice", where, id)
			}
			ids[id] = true
		}
	}
	if n := len([]rune(b.String())); n > 12_500 {
		c.t.Errorf("%s: %d characters in one message", where, n)
	}
	if c.schema != nil {
		if err := c.schema.Validate(map[string]any{"blocks": v}); err != nil {
			c.t.Errorf("%s: the blocks are not Block Kit: %v\n%s", where, err, text)
		}
	}
}
