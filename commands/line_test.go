package commands

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestUndo(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/incident note a &lt;b&gt; &amp; c":                       "/incident note a <b> & c",
		"/incident lead <@U123|ben>":                               "/incident lead @ben",
		"/incident lead <@!4711>":                                  "/incident lead @4711",
		"see <#C1|general>":                                        "see #general",
		"/certcheck <http://media.example.com|media.example.com>":  "/certcheck media.example.com",
		"/incident note see <https://wiki.example.com/a|the wiki>": "/incident note see https://wiki.example.com/a",
		"/incident note see <https://wiki.example.com/a>":          "/incident note see https://wiki.example.com/a",
		"/renew media --reason “it’s late”":                        `/renew media --reason "it's late"`,
		"a\u0000b\u001b[31mc\u202ed":                               "ab[31mcd",
		"&amp;lt;":                                                 "&lt;", // undone once
		"  \t x ":                                                  "x",
		"one\r\ntwo":                                               "one\ntwo",
		"/incident note \xff\xfe":                                  "/incident note \uFFFD",
	} {
		if got := undo(in); got != want {
			t.Errorf("undo(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	cases := []struct {
		verb, line string
		words      []string
		rest       string
		flags      map[string][]string
	}{
		{"incident note", `don't panic`, []string{"don't", "panic"}, "don't panic", nil},
		{"incident note", `"one line"`, []string{"one line"}, "one line", nil},
		{"incident note", `he said "run it now" twice`, []string{"he", "said", "run it now", "twice"}, `he said "run it now" twice`, nil},
		{"incident note", "one\n  two", []string{"one", "two"}, "one\n  two", nil},
		{"incident note", `"not closed`, []string{`"not`, "closed"}, `"not closed`, nil},
		{"incident note", `certbot renew --force-renewal ran`, nil, "certbot renew --force-renewal ran", nil},
		{"incident note", `we say -- --plan is text`, nil, "we say --plan is text", nil},
		{"incident note", `outage — media is down`, nil, "outage — media is down", nil},
		{"incident declare", `sev2 media down --cert media --start yesterday 14:05 now`, nil, "sev2 media down now", map[string][]string{"cert": {"media"}, "start": {"yesterday 14:05"}}},
		{"incident declare", `--start 2026-11-21 14:05 CET media down`, nil, "media down", map[string][]string{"start": {"2026-11-21 14:05 CET"}}},
		{"incident declare", `--start 14:05 MEDIA down`, nil, "MEDIA down", map[string][]string{"start": {"14:05"}}},
		{"incident declare", `—cert media –drill media down`, nil, "media down", map[string][]string{"cert": {"media"}, "drill": {"true"}}},
		{"incident declare", `down --cert=media --cert api`, nil, "down", map[string][]string{"cert": {"media", "api"}}},
		{"incident declare", `a --DRILL b`, nil, "a b", map[string][]string{"drill": {"true"}}},
		{"renew", `media --reason it has expired --yes`, []string{"media"}, "media", map[string][]string{"reason": {"it has expired"}, "yes": {"true"}}},
		{"renew", `--reason "it has expired" media --yes`, []string{"media"}, "media", map[string][]string{"reason": {"it has expired"}, "yes": {"true"}}},
		{"renew", `--reason="it has expired" media`, []string{"media"}, "media", map[string][]string{"reason": {"it has expired"}}},
		{"renew", `media --reason=expired`, []string{"media"}, "media", map[string][]string{"reason": {"expired"}}},
		{"incident resolve", `all well --anyway esme is off`, nil, "all well", map[string][]string{"anyway": {"esme is off"}}},
	}
	for _, c := range cases {
		a, err := parse(lookup(c.verb), c.line, split(c.line))
		if err != nil {
			t.Errorf("%s %s: %v", c.verb, c.line, err)
			continue
		}
		var words []string
		for _, w := range a.words {
			words = append(words, w.text)
		}
		if c.words != nil && !reflect.DeepEqual(words, c.words) {
			t.Errorf("%s %s: words %q, want %q", c.verb, c.line, words, c.words)
		}
		if c.flags == nil {
			c.flags = map[string][]string{}
		}
		if !reflect.DeepEqual(a.flags, c.flags) {
			t.Errorf("%s %s: flags %q, want %q", c.verb, c.line, a.flags, c.flags)
		}
		if got := a.rest(); got != c.rest {
			t.Errorf("%s %s: rest %q, want %q", c.verb, c.line, got, c.rest)
		}
	}
}

// TestLongLines: the longest line that is taken is cut into words at once,
// whatever is in it.
func TestLongLines(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{`"a `, `'a "b `, "@ ", "@1:0 ", "--x ", "--reason ", "—", "<@U1|", "&amp;", "-1d", "\u202e"} {
		start := time.Now()
		ws := split(undo(strings.Repeat(unit, maxLine/len(unit))))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q: %d words in %v", unit, len(ws), took)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	all := []string{"approve", "deny", "stop", "status", "media", "api"}
	for in, want := range map[string]string{"aprove": "approve", "appove": "approve", "medai": "media", "mdia": "media", "stpo": "stop", "apj": "api", "banana": "", "x": "", strings.Repeat("a", 1000): ""} {
		if got := nearest(in, all); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzLine: no line panics, and what is kept of it is valid text of its own.
func FuzzLine(f *testing.F) {
	for _, v := range Verbs() {
		f.Add(v.Example)
	}
	for _, s := range []string{`/incident note "a 'b" c' @ 14:05`, "—cert", "--", "--=", `--reason="`, "/renew media --reason=\"x", "<@U1|>", "<http://|>", "/ /", "\xff--\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		src := undo(s)
		if !utf8.ValidString(src) || strings.ContainsAny(src, "\x00\x1b\r") {
			t.Fatalf("undo(%q) = %q", s, src)
		}
		ws := split(src)
		last := 0
		for _, w := range ws {
			if w.from < last || w.to <= w.from || w.to > len(src) {
				t.Fatalf("%q: word %+v after %d", src, w, last)
			}
			last = w.to
		}
		v, rest, err := route(src)
		if err != nil {
			return
		}
		a, err := parse(v, src, rest)
		if err != nil {
			return
		}
		for name := range a.flags {
			if !v.knows(name) {
				t.Fatalf("%q: unknown flag %s", src, name)
			}
		}
		if got := a.rest(); !utf8.ValidString(got) || len(got) > len(src) {
			t.Fatalf("%q: rest %q", src, got)
		}
	})
}
