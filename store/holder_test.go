package store

import (
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestParseHolder(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, in string
		want     Holder
		says     string // of the error
	}{
		{"good", `{"version":1,"program":"certmedic serve","pid":7,"address":"http://127.0.0.1:1","since":"2026-11-21T03:00:00+01:00"}`,
			Holder{"certmedic serve", 7, "http://127.0.0.1:1", at}, ""},
		{"escapes go", `{"version":1,"program":"\u001b[2Jevil\n","pid":7,"address":"a\u202eb","since":"2026-11-21T02:00:00Z"}`,
			Holder{"[2Jevil", 7, "ab", at}, ""},
		{"no name", `{"version":1,"pid":7,"since":"2026-11-21T02:00:00Z"}`, Holder{"a program", 7, "", at}, ""},
		{"newer", `{"version":2,"program":"x","pid":7}`, Holder{}, "version 2"},
		{"no process", `{"version":1,"program":"x","pid":0}`, Holder{}, "process id 0"},
		{"negative process", `{"version":1,"program":"x","pid":-1}`, Holder{}, "process id -1"},
		{"cut", `{"version":1,"pro`, Holder{}, "holder file"},
		{"empty", ``, Holder{}, "holder file"},
	} {
		got, err := parseHolder([]byte(c.in))
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.says)
		}
	}
}

func FuzzParseHolder(f *testing.F) {
	f.Add([]byte(`{"version":1,"program":"certmedic serve","pid":7,"address":"http://127.0.0.1:1","since":"2026-11-21T02:00:00Z"}`))
	f.Add([]byte(`{"version":1,"program":"\u001b[31m","pid":1e3}`))
	f.Add([]byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseHolder(data)
		if err != nil {
			if h != (Holder{}) {
				t.Errorf("error %v with a holder %+v", err, h)
			}
			return
		}
		if h.PID <= 0 || h.Program == "" {
			t.Errorf("holder %+v is taken", h)
		}
		for _, s := range []string{h.Program, h.Address} {
			if len([]rune(s)) > 200 || strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("%q is not safe to print", s)
			}
		}
	})
}
