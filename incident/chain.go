package incident

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/certmedic/certmedic/store"
)

// canonical is what a line's hash is taken over: its JSON, fields in this
// order, times in UTC as RFC 3339 with nanoseconds.
type canonical struct {
	V        int       `json:"v"`
	Incident string    `json:"incident"`
	Line     int       `json:"line"`
	Entry    int       `json:"entry"`
	Version  int       `json:"version"`
	At       string    `json:"at"`
	Recorded string    `json:"recorded"`
	Kind     string    `json:"kind"`
	Link     string    `json:"link"`
	Key      string    `json:"key"`
	Dropped  bool      `json:"dropped"`
	Digests  diskParts `json:"digests"`
	Prev     string    `json:"prev"`
}

// hashOf returns the SHA-256 of a line and the hash before it, in hexadecimal.
func hashOf(num int, l diskLine) (string, error) {
	by, err := json.Marshal(l.By)
	if err != nil {
		return "", err
	}
	c := canonical{
		V: l.V, Incident: idOf(num), Line: l.Line, Entry: l.Entry, Version: l.Version,
		At: l.At.UTC().Format(time.RFC3339Nano), Recorded: l.Recorded.UTC().Format(time.RFC3339Nano),
		Kind: l.Kind, Link: l.Link, Key: l.Key, Dropped: l.Dropped, Prev: l.Prev,
		Digests: diskParts{
			By:       digest(l.Salts.By, l.Digests.By, by),
			Text:     digest(l.Salts.Text, l.Digests.Text, []byte(l.Text)),
			Evidence: digest(l.Salts.Evidence, l.Digests.Evidence, l.Evidence),
		},
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return sum(string(b)), nil
}

// digest of a part with its salt; without a salt the part was taken out and
// what was kept stands for it.
func digest(salt, kept string, part []byte) string {
	if salt == "" {
		return kept
	}
	return sum(salt + "\n" + string(part))
}

// newSeed returns fresh bytes that the salts of one transaction come from. It
// is drawn outside the transaction, which may be run again, and not stored.
func newSeed() [32]byte {
	var s [32]byte
	rand.Read(s[:]) // never fails (crypto/rand)
	return s
}

// saltsFrom derives the salts of one line.
func saltsFrom(seed [32]byte, line int) diskParts {
	salt := func(part string) string {
		h := sha256.Sum256(fmt.Appendf(nil, "%x/%d/%s", seed, line, part))
		return hex.EncodeToString(h[:16])
	}
	return diskParts{By: salt("by"), Text: salt("text"), Evidence: salt("evidence")}
}

// Verify checks the hash chain of an incident's history and returns the id of
// the first line that does not fit, or "". A line that is missing or cannot be
// read is named by its number ("line 7").
func (b *Book) Verify(ctx context.Context, id string) (broken string, err error) {
	num, err := number(id)
	if err != nil {
		return "", err
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		broken = ""
		r, err := getIncident(tx, num)
		if err != nil {
			return err
		}
		prev, line := "", 0
		w := rewritten{found: map[int]string{}, bound: map[int]string{}, names: map[int]string{}}
		err = tx.Scan(store.Range{Prefix: linePrefix(num)}, func(key string, v []byte) error {
			line++
			var name string
			if name, prev = checkLine(num, line, key, v, prev); name != "" {
				broken = name
				return store.ErrStop
			}
			w.look(v)
			return nil
		})
		if err != nil || broken != "" {
			return err
		}
		switch {
		case line != r.Lines:
			broken = "line " + strconv.Itoa(min(line, r.Lines)+1)
		case prev != r.Head:
			broken = "line " + strconv.Itoa(line)
		default:
			broken = w.broken()
		}
		return nil
	})
	return broken, err
}

// checkLine checks one line of the chain: name says what is broken ("": it
// fits), hash is its hash.
func checkLine(num, line int, key string, v []byte, prev string) (name, hash string) {
	var l diskLine
	if key != lineKey(num, line) || json.Unmarshal(v, &l) != nil || l.V != diskVersion {
		return "line " + strconv.Itoa(line), ""
	}
	name = "E-" + strconv.Itoa(l.Entry)
	if s, d := l.Salts, l.Digests; s.By != "" && d.By != "" || s.Text != "" && d.Text != "" || s.Evidence != "" && d.Evidence != "" {
		return name, "" // a digest beside its salt binds nothing: somebody else wrote it
	}
	want, err := hashOf(num, l)
	if err != nil || want != l.Hash || l.Prev != prev || l.Line != line {
		return name, ""
	}
	if again, err := json.Marshal(l); err != nil || !bytes.Equal(again, v) {
		return name, "" // same meaning, other bytes: somebody else wrote it
	}
	return "", l.Hash
}
