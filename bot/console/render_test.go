package console_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/commands"
	"github.com/google/go-cmp/cmp"
)

// sgr are the colours.
var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

var update = flag.Bool("update", false, "write the golden files anew")

var replies = map[string]commands.Reply{
	"diagnosis": {
		State:    commands.StateCritical,
		Headline: "media.example.com serves an expired certificate on 3 of 4 hosts since 2026-11-21 01:52:00 UTC.",
		Body:     "The renewal of 2026-11-19 04:00 UTC failed: the CA could not fetch the challenge from cdn-2.\n  http://media.example.com/.well-known/acme-challenge/… answered 404 from 127.0.0.12.",
		Facts:    []commands.Fact{{Name: "Issuer", Value: "Pebble Intermediate CA 4a2f"}, {Name: "Owner", Value: "web"}, {Name: "Runbook", Value: "https://runbooks.example.com/tls/media.example.com/expired-certificate-on-the-content-delivery-hosts"}},
		Table: commands.Table{Columns: []string{"Host", "Address", "Serves until", "Issuer", "What is wrong"}, Rows: []commands.Row{
			{State: commands.StateCritical, Cells: []string{"cdn-1", "127.0.0.11:8443", "2026-11-21 01:52 UTC", "Pebble Intermediate CA 4a2f", "expired 19 minutes ago"}},
			{State: commands.StateGood, Cells: []string{"cdn-2", "127.0.0.12:8443", "2027-02-19 01:52 UTC", "Pebble Intermediate CA 4a2f", ""}},
			{State: commands.StateUnknown, Cells: []string{"cdn-3", "127.0.0.13:8443", "", "", "not reached: the connection was refused after 3 ms"}},
		}},
		Buttons: []commands.Button{{Label: "Renew", Command: "/renew media --yes", Style: "primary"}, {Label: "Declare", Command: "/incident declare sev2 media.example.com expired --cert media"}},
		Links:   []commands.Link{{Label: "media", Path: "/certificates/media"}, {Label: "elsewhere", Path: "https://evil.example/"}},
	},
	"progress": {
		State: commands.StateRunning, Headline: "R-12: renewing media, deploy on cdn-2; 1 of 4 hosts verified.",
		Steps: []commands.Line{{State: commands.StateGood, Text: "order at the CA: done (0.4 s)"}, {State: commands.StateRunning, Text: "rollout, canary first: running"}, {State: commands.StateInfo, Text: "every host verified: waiting"}, {State: commands.StateWarning, Text: "a step"}, {State: commands.StateCritical, Text: "another step: failed"}},
		Done:  1, Of: 4,
		Buttons: []commands.Button{{Label: "Stop", Command: "/renew stop R-12", Style: "danger", Confirm: "Stop R-12?"}},
	},
	"problem": {
		State: commands.StateWarning, Headline: "There is no certificate mdia.",
		Problem: commands.Problem{Code: "unknown_certificate", Message: "There is no certificate mdia.", Hint: "The nearest is media, for example: /renew media"},
	},
	"hinted": { // the hint stands in the body already
		State: commands.StateWarning, Headline: "There is no certificate mdia.", Body: "Did you mean media? For example: /renew media",
		Problem: commands.Problem{Code: "unknown_certificate", Message: "There is no certificate mdia.", Hint: "Did you mean media? For example: /renew media"},
	},
	"hosts": { // much is the same on every row
		State: commands.StateCritical, Headline: "media expired 4 s ago on 4 of 4 hosts.",
		Table: commands.Table{Columns: []string{"host", "address", "serves", "until", "issued by", "state"}, Rows: []commands.Row{
			{State: commands.StateCritical, Cells: []string{"cdn-frankfurt-1", "127.0.0.11:13789", "6ba606d04f187220", "2026-11-22 02:40:35 UTC", "Pebble Intermediate CA 521915", "expired"}},
			{State: commands.StateCritical, Cells: []string{"sally", "127.0.0.13:13789", "6ba606d04f187220", "2026-11-22 02:40:35 UTC", "Pebble Intermediate CA 521915", "expired"}},
			{State: commands.StateGood, Cells: []string{"esme", "127.0.0.14:13789", "6ba606d04f187220", "2026-11-22 02:40:35 UTC", "Pebble Intermediate CA 521915", "good"}},
		}},
	},
	"file": {
		State: commands.StateGood, Headline: "INC-7 is closed; the draft is here.",
		Files: []commands.File{{Name: "INC-7-postmortem.md", Type: "text/markdown", Data: make([]byte, 12345)}, {Name: "x.txt", Data: []byte("x")}},
		Links: []commands.Link{{Label: "INC-7", Path: "/incidents/INC-7"}},
	},
	"info":        {State: commands.StateInfo, Headline: "Nothing is due.", Table: commands.Table{Columns: []string{"Certificate", "Until"}}},
	"wide":        {State: commands.StateInfo, Headline: "証明書の有効期限が切れています", Table: commands.Table{Columns: []string{"名前", "b"}, Rows: []commands.Row{{Cells: []string{"証明書の有効期限が切れています。証明書の有効期限が切れています。", "x"}}, {Cells: []string{"é", "e\u0301", "too many"}}}}},
	"manycolumns": many(),
	"hostile":     {State: "evil", Headline: bottest.Hostile, Body: bottest.Hostile, Facts: []commands.Fact{{Name: bottest.Hostile, Value: bottest.Hostile}}, Table: commands.Table{Columns: []string{bottest.Hostile}, Rows: []commands.Row{{State: "x", Cells: []string{bottest.Hostile + "\nforged row"}}}}, Steps: []commands.Line{{Text: bottest.Hostile}}, Buttons: []commands.Button{{Label: bottest.Hostile, Command: "/echo\r\n\x1b[2Jforged"}}, Files: []commands.File{{Name: "\x1b[2J../../etc/passwd"}}},
}

func many() commands.Reply {
	r := commands.Reply{State: commands.StateUnknown, Headline: "Many columns."}
	row := commands.Row{State: commands.StateWarning}
	for i := range 12 {
		r.Table.Columns = append(r.Table.Columns, fmt.Sprintf("column %d", i))
		row.Cells = append(row.Cells, strings.Repeat(fmt.Sprint(i%10), 12))
	}
	r.Table.Rows = append(r.Table.Rows, row)
	return r
}

func TestRenderGolden(t *testing.T) {
	t.Parallel()
	for name, r := range replies {
		for _, v := range []struct {
			name   string
			width  int
			colour bool
		}{{"80", 0, false}, {"40", 40, false}, {"132-colour", 132, true}} {
			t.Run(name+"/"+v.name, func(t *testing.T) {
				t.Parallel()
				got := console.Render(r, v.width, v.colour)
				path := filepath.Join("testdata", name+"-"+v.name+".golden")
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatalf("%v; go test -run Golden ./bot/console -update writes it", err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
			})
		}
	}
}

// TestRenderFits: whatever can be broken stays within the width.
func TestRenderFits(t *testing.T) {
	t.Parallel()
	for name, r := range replies {
		r.Facts, r.Buttons, r.Links = nil, nil, nil // may hold what is not to be broken
		for _, w := range []int{32, 40, 79, 80, 81, 200} {
			for l := range strings.SplitSeq(console.Render(r, w, false), "\n") {
				if n := console.Length(l); n > w && longest(l)+4 < w {
					t.Errorf("%s at %d: %d columns: %q", name, w, n, l)
				}
			}
		}
	}
}

// longest is the width of the longest word.
func longest(l string) int {
	n := 0
	for _, w := range strings.Fields(l) {
		n = max(n, console.Length(w))
	}
	return n
}

func TestRenderColour(t *testing.T) {
	t.Parallel()
	for name, r := range replies {
		plain, colour := console.Render(r, 100, false), console.Render(r, 100, true)
		if strings.Contains(plain, "\x1b") {
			t.Errorf("%s: sequences without colour", name)
		}
		if name != "info" && plain == colour {
			t.Errorf("%s: no colour though asked for", name)
		}
		if bare := sgr.ReplaceAllString(colour, ""); bare != plain {
			t.Errorf("%s: colour changes the text:\n%s", name, cmp.Diff(plain, bare))
		}
	}
}

func ExampleRender() {
	fmt.Print(console.Render(commands.Reply{
		State:    commands.StateCritical,
		Headline: "media.example.com serves an expired certificate on 3 of 4 hosts.",
		Facts:    []commands.Fact{{Name: "Expired", Value: "2026-11-21 01:52 UTC"}},
		Buttons:  []commands.Button{{Label: "Renew", Command: "/renew media --yes"}},
	}, 80, false))
	// Output:
	// ✕ critical  media.example.com serves an expired certificate on 3 of 4 hosts.
	//   Expired: 2026-11-21 01:52 UTC
	// next: /renew media --yes  (Renew)
}

func FuzzRender(f *testing.F) {
	f.Add(bottest.Hostile, 80)
	f.Add("\x1b[31", 0)
	f.Add("\x1b]0;never ended", 24)
	f.Add("\u009b31mred\u009d0;title\u009c \xff\xfe", 40)
	f.Fuzz(func(t *testing.T, s string, width int) {
		r := commands.Reply{
			State: commands.StateGood, Headline: s, Body: s, Facts: []commands.Fact{{Name: s, Value: s}}, Done: width, Of: len(s),
			Table: commands.Table{Columns: []string{s, "b"}, Rows: []commands.Row{{State: commands.StateGood, Cells: []string{s, s, s}}, {}}},
			Steps: []commands.Line{{Text: s}}, Buttons: []commands.Button{{Label: s, Command: s}}, Links: []commands.Link{{Path: s}}, Files: []commands.File{{Name: s}},
			Problem: commands.Problem{Code: "x", Message: s, Hint: s},
		}
		got := console.Render(r, width%300, false)
		for _, c := range got {
			if c != '\n' && (c < 0x20 || c >= 0x7f && c <= 0x9f || c == 0x202e || c == 0xfffd) {
				t.Fatalf("%U goes through: %q", c, got)
			}
		}
		if !strings.HasSuffix(got, "\n") {
			t.Errorf("no newline at the end: %q", got)
		}
	})
}
