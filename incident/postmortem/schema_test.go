package postmortem

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/certmedic/certmedic/incident"
)

// In this file: docs/draft.schema.json, the JSON Schema of a draft's JSON form.
// It is made from the types, and every draft of the seeds is valid by it.

const schemaFile = "../../docs/draft.schema.json"

type object = map[string]any

// said are what the types do not say, by the field.
var said = map[string]object{
	"incident.Incident.status":           {"type": "string", "enum": []any{"investigating", "identified", "monitoring", "resolved", "closed", "cancelled", "duplicate"}},
	"incident.Incident.severity":         {"type": "integer", "minimum": 1, "maximum": 4},
	"incident.Incident.id":               {"type": "string", "pattern": "^INC-[1-9][0-9]*$"},
	"incident.Entry.id":                  {"type": "string", "pattern": "^E-[1-9][0-9]*$"},
	"incident.Entry.version":             {"type": "integer", "minimum": 1},
	"incident.Update.state":              {"type": "string", "enum": []any{incident.UpdateWaiting, incident.UpdateOut, incident.UpdateDenied}},
	"incident.Delivery.state":            {"type": "string", "enum": []any{incident.DeliveryPending, incident.DeliveryDone, incident.DeliveryFailed}},
	"incident.ApprovalEvidence.decision": {"type": "string", "enum": []any{"asked", "approved", "denied", "not needed"}},
}

// schemaOf is the schema of a type; structs go to defs.
func schemaOf(t *testing.T, r reflect.Type, defs object) object {
	t.Helper()
	switch {
	case r == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case r.Implements(reflect.TypeFor[json.Marshaler]()):
		t.Fatalf("%s is written in its own way: say how, in said", r)
	}
	switch r.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": []any{"array", "null"}, "items": schemaOf(t, r.Elem(), defs)}
	case reflect.Struct:
	default:
		t.Fatalf("%s has no schema", r)
	}
	name := path.Base(r.PkgPath()) + "." + r.Name()
	ref := object{"$ref": "#/$defs/" + name}
	if defs[name] != nil {
		return ref
	}
	all, required := object{}, []any{}
	defs[name] = object{"type": "object", "properties": all}
	for f := range r.Fields() {
		tag, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" {
			continue
		}
		if tag == "" {
			t.Fatalf("%s.%s has no name in JSON", name, f.Name)
		}
		s := said[name+"."+tag]
		if s == nil {
			s = schemaOf(t, f.Type, defs)
		}
		if all[tag] = s; rest == "" {
			required = append(required, tag)
		}
	}
	if len(required) > 0 {
		defs[name].(object)["required"] = required
	}
	return ref
}

// compile reads a schema; with strict, what it does not name is refused.
func compile(t *testing.T, b []byte, strict bool) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if strict {
		for _, d := range doc.(object)["$defs"].(object) {
			d.(object)["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("draft.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("draft.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchema: the schema in docs is that of the types, the drafts of the seeds
// and of random records are valid by it, and such as are none are not.
func TestSchema(t *testing.T) {
	t.Parallel()
	defs := object{}
	doc := object{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A postmortem draft of certmedic", "$defs": defs}
	doc["$ref"] = schemaOf(t, reflect.TypeFor[Draft](), defs)["$ref"]
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(got, b) {
		t.Errorf("%s is not that of the types, -update writes it anew (%v)", schemaFile, err)
	}
	s, open := compile(t, b, true), compile(t, b, false)
	own, err := LoadTemplates("testdata/templates")
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]Record{"empty": {Incident: incident.Incident{ID: "INC-1", Severity: 1, Status: incident.Investigating}}, "told": reported(t).record(nil)}
	for name, tape := range map[string]func(testing.TB) *tape{"hachyderm": seedHachyderm, "mender": seedMender, "threescale": seedThreescale, "edgi": seedEDGI, "gitter": seedGitter} {
		records[name] = tape(t).record(zone(t, "America/New_York"))
	}
	for name, r := range records {
		for _, form := range append(slices.Clone(BuiltIn), "rollout") {
			r.Template = form
			d, err := own.Draft(r)
			if err != nil {
				t.Fatal(err)
			}
			one, err := d.JSON()
			if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(one))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); err != nil {
				t.Errorf("%s as %s: %v", name, form, err)
			}
			i := v.(object)["incident"].(object)
			i["status"] = "asleep"
			if open.Validate(v) == nil {
				t.Errorf("%s as %s: any status is valid", name, form)
			}
			i["status"], i["more"] = "closed", true
			if err := open.Validate(v); err != nil {
				t.Errorf("%s as %s: a field that was added breaks readers: %v", name, form, err)
			}
			delete(v.(object), "sections")
			if open.Validate(v) == nil {
				t.Errorf("%s as %s: a draft without sections is valid", name, form)
			}
		}
	}
}
