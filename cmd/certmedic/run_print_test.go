package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/commands"
)

// TestPrintReply: what is printed cannot steer the terminal, also not by a
// file; as JSON nothing is lost.
func TestPrintReply(t *testing.T) {
	t.Parallel()
	hostile := "# Draft\n\x1b]0;owned\x07\x1b[2Jnginx: reload\u202e\ufeff\n"
	r := commands.Reply{Headline: "It is drafted.", Files: []commands.File{{Name: "INC-1.md", Type: "text/markdown; charset=utf-8", Data: []byte(hostile)}, {Name: "INC-1.html", Type: "text/html", Data: []byte("<p>")}}}
	var out bytes.Buffer
	if err := printReply(&out, r, false); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\x07\u202e") || !strings.Contains(text, "# Draft\n") || !strings.Contains(text, "nginx: reload") || strings.Contains(text, "<p>") {
		t.Errorf("%q", text)
	}
	out.Reset()
	if err := printReply(&out, r, true); err != nil {
		t.Fatal(err)
	}
	var back commands.Reply
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || string(back.Files[0].Data) != hostile {
		t.Errorf("%v %s", err, out.String())
	}
}
