package console

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	historyLines = 500     // kept
	historyBytes = 1 << 20 // read of a file, from its end
	historyLine  = 2 << 10 // longer lines are not kept
	historySlack = 2       // the file is written anew when it holds so many times historyLines
)

// secret matches lines that seem to carry a secret: a word that says so, a PEM
// block, or a long word of mixed characters, as tokens and keys are.
var (
	secretWord = regexp.MustCompile(`(?i)passw|passphrase|secret|token|api[_-]?key|bearer|credential|authorization|private key|-----begin|hmac|eab`)
	longWord   = regexp.MustCompile(`[A-Za-z0-9+/_=-]{20,}`)
	digit      = regexp.MustCompile(`[0-9]`)
	upper      = regexp.MustCompile(`[A-Z]`)
	lower      = regexp.MustCompile(`[a-z]`)
)

// secretive says whether a line had better not be written to a file.
func secretive(line string) bool {
	if secretWord.MatchString(line) {
		return true
	}
	for _, w := range longWord.FindAllString(line, -1) {
		if digit.MatchString(w) && lower.MatchString(w) && (upper.MatchString(w) || len(w) >= 32 && !strings.Contains(w, "-")) {
			return true
		}
	}
	return false
}

// history keeps the lines that were typed: those of this run in memory, and
// those that hold no secret in a file, too (one a line, the newest last). It
// is a term.History.
type history struct {
	path string

	mu    sync.Mutex
	lines []string // the newest last
	inAll int      // lines in the file
	err   error    // the first failure; nothing is written after it
}

// openHistory reads the file, which need not exist yet. The history works
// without it, so an error is not fatal.
func openHistory(path string) (*history, error) {
	h := &history{path: path}
	if path == "" {
		return h, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	if err == nil {
		defer func() { _ = f.Close() }()
		err = h.load(f)
	}
	if err != nil {
		h.err = err
	}
	return h, err
}

func (h *history) load(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("not a file")
	}
	if st.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return err
		}
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, st.Size()-historyBytes), historyBytes))
	if err != nil {
		return err
	}
	for raw := range bytes.SplitSeq(data, []byte("\n")) {
		l := string(raw)
		if h.inAll++; l != "" && utf8.ValidString(l) && len(l) <= historyLine && line(l) != "" {
			h.lines = append(h.lines, line(l))
		}
	}
	h.lines = h.lines[max(0, len(h.lines)-historyLines):]
	return nil
}

// Add appends a line.
func (h *history) Add(entry string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	entry = line(entry)
	if entry == "" || len(entry) > historyLine || len(h.lines) > 0 && h.lines[len(h.lines)-1] == entry {
		return
	}
	h.lines = append(h.lines, entry)
	h.lines = h.lines[max(0, len(h.lines)-historyLines):]
	if h.path == "" || h.err != nil || secretive(entry) {
		return
	}
	if h.inAll >= historySlack*historyLines {
		h.err = h.rewrite()
		return
	}
	h.inAll++
	h.err = appendLine(h.path, entry)
}

// Len is the number of lines.
func (h *history) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.lines)
}

// At returns the line typed idx lines before the newest.
func (h *history) At(idx int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if idx < 0 || idx >= len(h.lines) {
		return ""
	}
	return h.lines[len(h.lines)-1-idx]
}

func appendLine(path, entry string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(entry + "\n")
	return errors.Join(err, f.Close())
}

// rewrite replaces the file by the lines at hand.
func (h *history) rewrite() error {
	kept := slices.DeleteFunc(slices.Clone(h.lines), secretive)
	tmp := h.path + ".tmp"
	_ = os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(kept, "\n") + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, h.path)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	h.inAll = len(kept)
	return err
}
