package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
)

// maxHolder is the most bytes read of a holder file.
const maxHolder = 4096

// holderFile is a Holder on disk: JSON, one object. Version is raised when an
// older program would misread it; a reader takes a newer one as no word at all.
type holderFile struct {
	Version int       `json:"version"`
	Program string    `json:"program"`
	PID     int       `json:"pid"`
	Address string    `json:"address,omitempty"`
	Since   time.Time `json:"since"`
}

const holderVersion = 1

// holderPath is the file in which the holder of the record at path names itself.
func holderPath(path string) string { return path + ".holder" }

// writeHolder replaces the holder file of path. Only the process that has the
// record open may call it.
func writeHolder(path string, h Holder) error {
	data, err := json.Marshal(holderFile{
		Version: holderVersion, Program: h.Program, PID: h.PID, Address: h.Address, Since: h.Since.UTC(),
	})
	if err != nil {
		return err
	}
	tmp := holderPath(path) + ".tmp"
	_ = os.Remove(tmp) // a killed process's, perhaps with another mode
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, holderPath(path))
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// readHolder returns what the holder of path says of itself, or the zero
// Holder when there is no word or it cannot be read.
func readHolder(path string) Holder {
	f, err := os.Open(holderPath(path))
	if err != nil {
		return Holder{}
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return Holder{}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxHolder))
	if err != nil {
		return Holder{}
	}
	h, err := parseHolder(data)
	if err != nil {
		return Holder{}
	}
	return h
}

// parseHolder reads a holder file's bytes, which anybody may have written:
// its words are shown to people, so they are made safe to print.
func parseHolder(data []byte) (Holder, error) {
	var h holderFile
	if err := json.Unmarshal(data, &h); err != nil {
		return Holder{}, fmt.Errorf("holder file: %w", err)
	}
	if h.Version != holderVersion {
		return Holder{}, fmt.Errorf("holder file: version %d, want %d", h.Version, holderVersion)
	}
	if h.PID <= 0 {
		return Holder{}, fmt.Errorf("holder file: process id %d", h.PID)
	}
	out := Holder{Program: word(h.Program), PID: h.PID, Address: word(h.Address), Since: h.Since.UTC()}
	if out.Program == "" {
		out.Program = "a program"
	}
	return out, nil
}

// word returns s without what does not print, and not longer than 200 characters.
func word(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			continue
		}
		if n++; n > 200 {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
