package postmortem

import (
	"strings"
	"testing"
)

// A template ends, and neither writes nor keeps more than it may; what is no
// attack is written as text/template does.
func TestBounds(t *testing.T) {
	t.Parallel()
	twice := strings.Repeat(`{{$x = print $x $x}}`, 60)
	for name, x := range map[string]struct{ text, want, wrong string }{
		"doubled":    {`{{$x := "abcdefgh"}}` + twice, "", "its functions make more than 64 MiB"},
		"println":    {`{{$x := "abcdefgh"}}` + strings.ReplaceAll(twice, "print ", "println "), "", "its functions make more than 64 MiB"},
		"html":       {`{{$x := "<<<<<<<<"}}` + strings.Repeat(`{{$x = html $x $x}}`, 60), "", "its functions make more than 64 MiB"},
		"js":         {`{{$x := "<<<<<<<<"}}` + strings.Repeat(`{{$x = js $x $x}}`, 60), "", "its functions make more than 64 MiB"},
		"urlquery":   {`{{$x := "<<<<<<<<"}}` + strings.Repeat(`{{$x = urlquery $x $x}}`, 60), "", "its functions make more than 64 MiB"},
		"printf":     {`{{$x := "abcdefgh"}}` + strings.Repeat(`{{$x = printf "%s%s" $x $x}}`, 60), "", "its functions make more than 64 MiB"},
		"repeated":   {`{{$x := printf "%999d" 1}}{{$x = printf "` + strings.Repeat("%[1]s", 5000) + `" $x}}{{$x = printf "` + strings.Repeat("%[1]s", 5000) + `" $x}}`, "", "its functions make more than 64 MiB"},
		"of all":     {`{{$x := printf "` + strings.Repeat("%[1]v", 50_000) + `" .}}`, "", "its functions make more than 64 MiB"},
		"width":      {`{{printf "%1000000d" 1}}`, "", "printf takes no * and no width above 999"},
		"precision":  {`{{printf "%.9999f" 1.0}}`, "", "printf takes no * and no width above 999"},
		"star":       {`{{printf "%*d" 99999999 1}}`, "", "printf takes no * and no width above 999"},
		"numbers":    {`{{range 99999999999}}{{end}}`, "", "its loops go round more than 2000000 times"},
		"endless":    {`{{define "a"}}{{template "a" .}}{{template "a" .}}{{end}}{{template "a" .}}`, "", "exceeded maximum template depth"},
		"output":     {`{{range 100000}}0123456789{{end}}`, "", "it writes more than 4 KiB"},
		"method":     {`{{.Missing}}`, "", "can't evaluate field Missing"},
		"good":       {`{{printf "in 2026: %-6s|%3d %%" "ab" 7}} {{join .L ", "}} {{html "<b>"}} {{print 1 2}} {{urlquery "a b"}} {{range 3}}x{{end}}`, "in 2026: ab    |  7 % a, b &lt;b&gt; 1 2 a+b xxx", ""},
		"goods html": {`{{html .L}}`, "[a b]", ""},
	} {
		b, err := Bound("x", x.text, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := b.Execute(map[string]any{"L": []string{"a", "b"}, "Big": strings.Repeat("y", 4000)}, 4<<10)
		if name == "method" {
			got, err = b.Execute(struct{ L []string }{}, 4<<10)
		}
		if x.wrong == "" && (err != nil || got != x.want) || x.wrong != "" && (err == nil || !strings.Contains(err.Error(), x.wrong)) {
			t.Errorf("%s: %.80q %.200v", name, got, err)
		}
	}
}
