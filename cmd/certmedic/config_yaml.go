package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// This file walks a YAML document and collects every problem with its line.
// What the keys mean stands in config.go and config_certificates.go.

type node = ast.Node

// fields maps a key to what reads its value.
type fields map[string]func(node)

// configProblem is one thing wrong with the file.
type configProblem struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// configError is everything wrong with the file, in the file's order.
type configError struct {
	File     string          `json:"file"`
	Problems []configProblem `json:"problems"`
}

func (e *configError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d: %s", filepath.Base(e.File), p.Line, p.Message)
		if p.Hint != "" {
			fmt.Fprintf(&b, " (%s)", p.Hint)
		}
	}
	return b.String()
}

// reference is a name that must exist elsewhere in the file.
type reference struct {
	at                node
	kind, name, owner string
}

type yamlReader struct {
	file, dir string
	problems  []configProblem
	refs      []reference
	teamNode  node
	variables []string // that {env: NAME} named
}

// add records a problem at a node. args fill message.
func (r *yamlReader) add(at node, message, hint string, args ...any) {
	line := 1
	if at != nil && at.GetToken() != nil {
		line = at.GetToken().Position.Line
	}
	r.problems = append(r.problems, configProblem{Line: line, Message: fmt.Sprintf(message, args...), Hint: hint})
}

func (r *yamlReader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	sort.SliceStable(r.problems, func(i, j int) bool { return r.problems[i].Line < r.problems[j].Line })
	return &configError{File: r.file, Problems: slices.Compact(r.problems)}
}

// document parses the text and returns its body, or nil.
func (r *yamlReader) document(text []byte) node {
	if i := strings.IndexByte(string(text), 0); i >= 0 {
		r.problems = append(r.problems, configProblem{Line: 1 + strings.Count(string(text[:i]), "\n"), Message: "the file holds a NUL byte", Hint: "save it as plain UTF-8 text"})
		return nil
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if n := tooDeep(string(text)); n > 0 {
		r.problems = append(r.problems, configProblem{Line: n, Message: fmt.Sprintf("the file nests deeper than %d", maxDepth), Hint: "look for a bracket that is not closed"})
		return nil
	}
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		r.problems = append(r.problems, syntaxProblem(err))
		return nil
	}
	if len(f.Docs) > 1 {
		r.add(f.Docs[1], "the file holds a second YAML document", "keep everything in one, without ---")
	}
	if len(f.Docs) == 0 || f.Docs[0].Body == nil {
		r.add(nil, "the file is empty", "`certmedic init` writes one to start from")
		return nil
	}
	var a aliases
	if ast.Walk(&a, f.Docs[0].Body); a.found != nil {
		r.add(a.found, "the file has an anchor, an alias or a merge (&, * or <<)", "write it out where it is meant; a value that begins with & or * stands in quotes")
		return nil
	}
	return f.Docs[0].Body
}

// syntaxProblem turns the parser's error into a line and a sentence.
func syntaxProblem(err error) configProblem {
	p := configProblem{Line: 1, Message: "not YAML: " + err.Error(), Hint: "look at the indentation and the brackets there"}
	if y, ok := err.(yaml.Error); ok {
		p.Message = "not YAML: " + y.GetMessage()
		if t := y.GetToken(); t != nil {
			p.Line = t.Position.Line
		}
	}
	return p
}

// pairs returns the keys and values of a mapping.
func (r *yamlReader) pairs(n node, what string) []*ast.MappingValueNode {
	switch n := unwrap(n).(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return nil
	}
	r.add(n, "%s must be a mapping of keys to values", "write `key: value` lines under it", what)
	return nil
}

// mapping reads the known keys of a mapping and refuses the others.
func (r *yamlReader) mapping(n node, what string, f fields) {
	seen := map[string]bool{}
	for _, p := range r.pairs(n, what) {
		key := r.scalar(p.Key)
		read, ok := f[key]
		switch {
		case !ok:
			hint := "known here: " + strings.Join(keysOf(f), ", ")
			if near := nearest(key, keysOf(f)); near != "" {
				hint = "did you mean " + near + "?"
			}
			r.add(p.Key, "%s has no key %q", hint, what, key)
		case seen[key]:
			r.add(p.Key, "%s has the key %q twice", "keep one of them", what, key)
		default:
			seen[key] = true
			if what == "the file" && key == "teams" {
				r.teamNode = p.Key
			}
			read(p.Value)
		}
	}
}

// each calls fn for each named entry of a mapping.
func (r *yamlReader) each(n node, what string, fn func(name string, key, n node)) {
	seen := map[string]bool{}
	for _, p := range r.pairs(n, what) {
		name := r.scalar(p.Key)
		if !r.validName(p.Key, name, what) {
			continue
		}
		if seen[name] {
			r.add(p.Key, "%s has %q twice", "give each its own name", what, name)
			continue
		}
		seen[name] = true
		fn(name, p.Key, p.Value)
	}
}

// has reports whether a mapping has a key.
func (r *yamlReader) has(n node, key string) bool {
	if m, ok := unwrap(n).(ast.MapNode); ok {
		for it := m.MapRange(); it.Next(); {
			if r.scalar(it.Key()) == key {
				return true
			}
		}
	}
	return false
}

// list returns the items of a sequence; a scalar stands for a list of itself.
func (r *yamlReader) list(n node, what string) []node {
	switch n := unwrap(n).(type) {
	case *ast.SequenceNode:
		items := make([]node, len(n.Values))
		for i, v := range n.Values {
			items[i] = rejoin(v)
		}
		return items
	case *ast.NullNode:
		return nil
	case *ast.MappingNode, *ast.MappingValueNode:
		r.add(n, "%s must be a list", "write `[a, b]`, or lines that start with -", what)
		return nil
	}
	return []node{n}
}

// rejoin mends what the parser makes of `{verify: [127.0.0.1:8443]}`: inside a
// flow mapping it takes the plain scalar 127.0.0.1:8443 for a key and a value,
// although YAML 1.2 (section 7.3.3) wants a space after the colon for that.
func rejoin(n node) node {
	v, ok := n.(*ast.MappingValueNode)
	if m, one := n.(*ast.MappingNode); one && len(m.Values) == 1 && (m.Start == nil || m.Start.Value != "{") {
		v, ok = m.Values[0], true
	}
	if !ok || v.Value == nil || v.Value.GetToken() == nil {
		return n
	}
	key, val := v.Key.GetToken(), v.Value.GetToken()
	if key.Position.Line != val.Position.Line || key.Position.Column+len([]rune(key.Value))+1 != val.Position.Column {
		return n
	}
	joined := *key
	joined.Value = key.Value + ":" + val.Value
	return &ast.StringNode{BaseNode: &ast.BaseNode{}, Token: &joined, Value: joined.Value}
}

// scalar returns a value's text, or "" for what has none.
func (r *yamlReader) scalar(n node) string {
	switch n := unwrap(n).(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	}
	return ""
}

// text returns a value that must have text.
func (r *yamlReader) text(n node, what string) string {
	s := r.scalar(n)
	if s == "" {
		r.add(n, "%s is empty or no text", "write one value after the colon", what)
	}
	return s
}

// boolean reads true or false.
func (r *yamlReader) boolean(n node, what string) bool {
	b, ok := unwrap(n).(*ast.BoolNode)
	if !ok {
		r.add(n, "%s must be true or false", "", what)
		return false
	}
	return b.Value
}

// integer reads a whole number within bounds.
func (r *yamlReader) integer(n node, what string, low, high int) int {
	i, err := strconv.Atoi(r.scalar(n))
	if err != nil || i < low || i > high {
		r.add(n, "%s must be a number from %d to %d, not %q", "", what, low, high, r.scalar(n))
		return 0
	}
	return i
}

// unwrap follows anchors, tags and documents down to the value.
func unwrap(n node) node {
	for {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		case *ast.DocumentNode:
			n = v.Body
		default:
			return n
		}
	}
}

// nearest returns the candidate that is one or two slips away from s, or "".
func nearest(s string, candidates []string) string {
	best, at := "", 3
	for _, c := range candidates {
		if d := slips(strings.ToLower(s), c); d < at && d < max(len(c), len(s)) {
			best, at = c, d
		}
	}
	return best
}

// slips counts the letters to insert, delete, change or swap to make a into b.
func slips(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last = last, next
	}
	return last[len(b)]
}

func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
