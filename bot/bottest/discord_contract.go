package bottest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// This file checks every request against Discord's OpenAPI document, in a
// strict form: members that a request's schema does not name are refused. The
// rules that a schema cannot say are in discord_rules.go. Where the document is
// not beside the repository (../shared/specs) it says so loudly.

// discordSpec is the document, read once for all tests.
var discordSpec struct {
	sync.Mutex
	read    bool
	paths   map[string]any
	c       *jsonschema.Compiler
	schemas map[string]*jsonschema.Schema
}

const discordSpecName = "discord-openapi.json"

type discordContract struct {
	with bool // the document is there
}

func loadDiscordContract(t testing.TB) *discordContract {
	t.Helper()
	discordSpec.Lock()
	defer discordSpec.Unlock()
	if discordSpec.read {
		return &discordContract{true}
	}
	b := SlackSpec(t, discordSpecName)
	if b == nil {
		return &discordContract{}
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	strict(doc)
	discordSpec.paths = doc.(map[string]any)["paths"].(map[string]any)
	discordSpec.c = jsonschema.NewCompiler()
	discordSpec.c.DefaultDraft(jsonschema.Draft2020)
	if err := discordSpec.c.AddResource(discordSpecName, doc); err != nil {
		t.Fatal(err)
	}
	discordSpec.schemas, discordSpec.read = map[string]*jsonschema.Schema{}, true
	return &discordContract{true}
}

// strict closes every object schema that names its members.
func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, e := range v {
			strict(e)
		}
	case []any:
		for _, e := range v {
			strict(e)
		}
	}
}

// schemaFor is the JSON pointer of the schema of a request's body: where the
// document has several, the one that is meant.
func schemaFor(c *discordAsked, template string, kind int) (string, error) {
	named := func(name string) (string, error) { return "/components/schemas/" + name, nil }
	switch c.Op {
	case "create_interaction_response":
		switch n, _ := c.Body["type"].(float64); int(n) {
		case sayPong:
			return named("PongInteractionCallbackRequest")
		case sayMessage, sayDefer:
			return named("CreateMessageInteractionCallbackRequest")
		case sayDeferUpdate, sayUpdate:
			return named("UpdateMessageInteractionCallbackRequest")
		case sayChoices:
			return named("ApplicationCommandAutocompleteCallbackRequest")
		case sayModal:
			return named("ModalInteractionCallbackRequest")
		}
		return "", fmt.Errorf("there is no response type %v", c.Body["type"])
	case "update_channel":
		if kind >= 10 && kind <= 12 {
			return named("UpdateThreadRequestPartial")
		}
		return named("UpdateGuildChannelRequestPartial")
	case "create_thread":
		return named("CreateTextThreadWithoutMessageRequest")
	case "execute_webhook":
		return named("IncomingWebhookRequestPartial")
	}
	esc := strings.NewReplacer("~", "~0", "/", "~1")
	return "/paths/" + esc.Replace(template) + "/" + strings.ToLower(c.Method) + "/requestBody/content/application~1json/schema", nil
}

// operation is the document's entry of a request.
func operation(c *discordAsked, template string) (map[string]any, error) {
	item, _ := discordSpec.paths[template].(map[string]any)
	op, _ := item[strings.ToLower(c.Method)].(map[string]any)
	if op == nil || op["operationId"] != c.Op {
		return nil, fmt.Errorf("the document has no %s %s", c.Method, template)
	}
	return op, nil
}

// check checks one request: its operation, its query, its body, and the rules.
// kind is the type of the channel that it is about, or -1.
func (k *discordContract) check(c *discordAsked, kind int) error {
	var body any
	if len(bytes.TrimSpace(c.body)) > 0 {
		var err error
		if body, err = jsonschema.UnmarshalJSON(bytes.NewReader(c.body)); err != nil {
			return err
		}
	}
	for name, id := range c.Vars {
		if strings.HasSuffix(name, "_id") && strings.Trim(id, "0123456789") != "" {
			return fmt.Errorf("%s is %q, not a snowflake", name, id)
		}
	}
	if k.with {
		if err := k.schema(c, body, kind); err != nil {
			return err
		}
	}
	return discordRules(c)
}

func (k *discordContract) schema(c *discordAsked, body any, kind int) error {
	template := ""
	for i := range discordRoutes {
		if discordRoutes[i].op == c.Op {
			template = discordRoutes[i].path
		}
	}
	discordSpec.Lock()
	defer discordSpec.Unlock()
	op, err := operation(c, template)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		if p, _ := p.(map[string]any); p["in"] == "query" {
			known[fmt.Sprint(p["name"])] = true
		}
	}
	for _, q := range slices.Sorted(maps.Keys(c.query)) {
		if !known[q] {
			return fmt.Errorf("the query has no %q", q)
		}
	}
	rb, _ := op["requestBody"].(map[string]any)
	if body == nil {
		if rb["required"] == true && len(c.Files) == 0 {
			return fmt.Errorf("the body is missing")
		}
		return nil
	}
	if rb == nil {
		if empty(body) {
			return nil // a client may send {} to what takes nothing
		}
		return fmt.Errorf("a body, although the operation takes none")
	}
	ptr, err := schemaFor(c, template, kind)
	if err != nil {
		return err
	}
	s := discordSpec.schemas[ptr]
	if s == nil {
		if s, err = discordSpec.c.Compile(discordSpecName + "#" + ptr); err != nil {
			return fmt.Errorf("the schema %s: %w", ptr, err)
		}
		discordSpec.schemas[ptr] = s
	}
	if err := s.Validate(prune(body)); err != nil {
		return fmt.Errorf("not as the document has it: %w", err)
	}
	return nil
}

func empty(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// prune takes out what libraries write although it says nothing: nulls, an
// empty content, tts and enforce_nonce false, options and choices that are none; and makes
// numbers of permissions that are written as strings, as the API takes them.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		_, option := v["description"]
		for k, e := range v {
			switch {
			case e == nil, k == "content" && e == "", (k == "tts" || k == "enforce_nonce") && e == false:
				continue
			case option && (k == "autocomplete" || k == "required") && e == false:
				continue
			}
			if s, ok := e.(string); ok && (k == "default_member_permissions" || k == "allow" || k == "deny") && s != "" && strings.Trim(s, "0123456789") == "" {
				e = json.Number(s)
			}
			out[k] = prune(e)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, prune(e))
		}
		return out
	}
	return v
}
