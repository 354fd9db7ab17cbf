package console

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretive(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"/renew media --yes": false,
		"/incident note first report of failing players @ 01:52Z":                                 false,
		"/certcheck very-long-host-name-1.media.internal.example.com:8443 --starttls smtp":        false,
		"/incident declare sev2 media.example.com expired --cert media":                           false,
		"/incident note password is hunter2":                                                      true,
		"/incident note Authorization: Basic YWJj":                                                true,
		"/incident note -----BEGIN PRIVATE KEY-----":                                              true,
		"/incident note AKIAabcdef0123456789ABCD":                                                 true,
		"/incident note 5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99":         true,
		"/incident note the api-key was in the log":                                               true,
		"/renew media --reason a-reason-that-is-long-with-many-words-2026-11-21-and-nothing-else": false,
	} {
		if got := secretive(line); got != want {
			t.Errorf("secretive(%q) = %t", line, got)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte("/certcheck\n\n\x1b[2Jold\nbad \xff utf\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	h.Add("/renew media")
	h.Add("/renew media") // once
	h.Add("  ")
	h.Add("/incident note the password is hunter2")
	h.Add(strings.Repeat("x", historyLine+1))
	want := []string{"/incident note the password is hunter2", "/renew media", "old", "/certcheck"}
	for i, w := range want {
		if got := h.At(i); got != w {
			t.Errorf("At(%d) = %q, want %q", i, got, w)
		}
	}
	if h.Len() != len(want) || h.At(-1) != "" || h.At(99) != "" {
		t.Errorf("%d lines, want %d", h.Len(), len(want))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(data), "/renew media\n") || strings.Contains(string(data), "hunter2") {
		t.Errorf("file: %q", data)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestHistoryIsCapped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	h, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3*historyLines + 10 {
		h.Add(fmt.Sprintf("/echo %d", i))
	}
	data, err := os.ReadFile(path)
	if err != nil || h.err != nil {
		t.Fatal(err, h.err)
	}
	if n := strings.Count(string(data), "\n"); n > historySlack*historyLines {
		t.Errorf("%d lines in the file", n)
	}
	again, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	if again.Len() != historyLines || again.At(0) != "/echo 1509" || again.At(historyLines-1) != "/echo 1010" {
		t.Errorf("read again: %d lines, %q to %q", again.Len(), again.At(0), again.At(historyLines-1))
	}
	if _, err := openHistory(t.TempDir()); err == nil {
		t.Error("a directory is a history")
	}
}

func FuzzHistory(f *testing.F) {
	f.Add([]byte("/certcheck\n\x00\xff\x1b]0;x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "history")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := openHistory(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range h.Len() {
			if l := h.At(i); l == "" || l != line(l) {
				t.Errorf("line %q", l)
			}
		}
	})
}
