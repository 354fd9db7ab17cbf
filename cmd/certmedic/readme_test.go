package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	transcriptStart = "<!-- transcript: written by TestReadmeTranscript in cmd/certmedic -->\n```\n"
	transcriptEnd   = "```\n<!-- end of transcript -->"
)

// TestReadmeTranscript plays `certmedic demo --script` and compares what is
// said with README.md, times and numbers aside. -update writes it anew.
func TestReadmeTranscript(t *testing.T) {
	var out, errOut bytes.Buffer
	dir := filepath.Join(t.TempDir(), "estate")
	if code := run(t.Context(), []string{"demo", "--script", "--dir", dir}, strings.NewReader(""), &out, &errOut); code != exitDone {
		t.Fatalf("exit %d\n%s%s", code, &out, &errOut)
	}
	for _, form := range []string{"md", "html", "json"} {
		if f, err := os.Stat(filepath.Join(dir, "INC-1-postmortem."+form)); err != nil || f.Size() == 0 {
			t.Errorf("no draft in %s: %v", form, err)
		}
	}
	played := abridge(strings.ReplaceAll(out.String(), dir, "."))
	file := "../../README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), transcriptStart)
	told, after, ok2 := strings.Cut(rest, transcriptEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the transcript", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+transcriptStart+played+transcriptEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(timeless(told), timeless(played)); d != "" {
		t.Errorf("README.md tells another outage than the program (-update writes it anew):\n%s", d)
	}
}

// shown is how many lines of an answer the README shows; others get two.
var shown = map[string]int{"/certcheck": 30, "/renew media": 3, "/incident close": 6}

// abridge shortens a transcript for reading: the whole diagnosis, of the other
// answers the first lines.
func abridge(transcript string) string {
	var b strings.Builder
	left, cut := 100, false
	for line := range strings.Lines(transcript) {
		line = strings.TrimRight(line, " \n")
		if typed, ok := strings.CutPrefix(line, "> "); ok {
			line, left, cut = "ana> "+typed, 3, false
			for start, n := range shown {
				if strings.HasPrefix(typed, start) && !strings.Contains(typed, "--yes") {
					left = n + 1
				}
			}
		}
		if line == "" {
			left, cut = 100, false
		}
		switch {
		case left > 0:
			b.WriteString(line + "\n")
			left--
		case !cut:
			b.WriteString("  ...\n")
			cut = true
		}
	}
	return b.String()
}

var measured = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?( UTC)?`), "DATE"},
	{regexp.MustCompile(`\d\d:\d\d:\d\d( UTC)?`), "TIME"},
	{regexp.MustCompile(`127\.0\.0\.1\d?:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\b[0-9a-f]{6,}…?`), "HEX"},
	{regexp.MustCompile(`\d+(\.\d+)? (ms|s|min|kB)\b`), "N"},
	{regexp.MustCompile(`\d+ of \d+ that nobody typed`), "N of N that nobody typed"},
	{regexp.MustCompile(`facts that nobody typed +\d+ of \d+`), "facts that nobody typed N"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// timeless takes out what differs from run to run.
func timeless(transcript string) []string {
	for _, m := range measured {
		transcript = m.find.ReplaceAllString(transcript, m.put)
	}
	lines := strings.Split(strings.TrimSpace(transcript), "\n")
	// A moment so short may pass between two looks.
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasSuffix(l, "deploying, DATE") })
	// Hosts of one wave come in any order.
	for i := 0; i < len(lines); i++ {
		j := i
		for j < len(lines) && strings.HasPrefix(lines[j], "R-1: ") {
			j++
		}
		slices.Sort(lines[i:j])
		i = max(i, j)
	}
	return lines
}

// TestDrillCard plays the drill as a process of its own and reads its card.
func TestDrillCard(t *testing.T) {
	var out, errOut bytes.Buffer
	dir := filepath.Join(t.TempDir(), "estate")
	if code := run(t.Context(), []string{"drill", "hachyderm", "--json", "--dir", dir}, strings.NewReader(""), &out, &errOut); code != exitDone {
		t.Fatalf("exit %d\n%s%s", code, &out, &errOut)
	}
	card := strictCard(t, out.Bytes())
	if !card.OK || card.Drill != "hachyderm" || card.Hosts.Total != 4 || card.Hosts.Verified != 4 || card.Incident != "INC-1" {
		t.Errorf("card: %s", out.String())
	}
	if card.Facts.Unaided*2 < card.Facts.Total || card.TypedCommands == 0 || len(card.LeftBehind) != 0 {
		t.Errorf("card: %s", out.String())
	}
	for _, f := range []string{card.Postmortem.Markdown, card.Postmortem.HTML, card.Postmortem.JSON} {
		text, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(text), "INC-1") {
			t.Errorf("draft %s: %v", f, err)
		}
		if strings.Contains(string(text), "PRIVATE KEY") {
			t.Errorf("%s holds a private key", f)
		}
	}
}

// card is the shape that `certmedic drill --json` promises, and no more.
type card struct {
	Drill     string `json:"drill"`
	OK        bool   `json:"ok"`
	Durations struct {
		Detection float64 `json:"failure_to_detection_s"`
		Diagnosis float64 `json:"detection_to_diagnosis_s"`
		Verified  float64 `json:"approval_to_verified_s"`
	} `json:"durations"`
	TypedCommands int `json:"typed_commands"`
	Hosts         struct {
		Total    int `json:"total"`
		Verified int `json:"verified"`
	} `json:"hosts"`
	Facts struct {
		Total   int `json:"total"`
		Unaided int `json:"unaided"`
	} `json:"facts"`
	LeftBehind []string `json:"left_behind"`
	Incident   string   `json:"incident"`
	Postmortem struct {
		Markdown string `json:"markdown"`
		HTML     string `json:"html"`
		JSON     string `json:"json"`
	} `json:"postmortem"`
}

func strictCard(t *testing.T, text []byte) card {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var c card
	if err := d.Decode(&c); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return c
}
