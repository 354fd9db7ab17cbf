package incident

// In this file: what is kept of every incident for the numbers over many of
// them. One small row each, computed from the record and kept beside it, so
// that ten thousand are read in milliseconds. How rows become medians is in
// tally.go.
//
// Keys, apart from the incidents' own so that nobody who watches those wakes:
//
//	number/row/00000007   of INC-7, see Number.encode
//	number/due/00000007   "1" while the row is older than the record
//
// A row can always be computed anew: another first byte than rowVersion is one
// that is not there.

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/certmedic/certmedic/store"
)

const (
	keyNumberRow = "number/row/"
	keyNumberDue = "number/due/"
	rowVersion   = 1
)

// Measures are the times that the numbers are about, in the order of an
// incident. All but the last are spans of MetricsOf; "approval" is how long
// renewals waited for approval, of incidents where one was asked.
var Measures = []string{"detect", "declare", "acknowledge", "mitigate", "resolve", "approval"}

// Number is what one incident adds to the numbers. It does not say which one.
type Number struct {
	Declared time.Time
	Severity Severity
	Owner    string           // team; "": none
	Cause    string           // id of a finding; "": none on the record
	Open     bool             // investigating, identified or monitoring
	Private  bool             // of a private incident
	Took     [6]time.Duration // by Measures, in milliseconds; -1: not known
	out      bool             // a drill, cancelled or a duplicate: left out
}

// Numbers returns a row for each incident declared since then that counts:
// drills, cancelled ones and duplicates do not. The order is that of declaring.
func (b *Book) Numbers(ctx context.Context, since time.Time) ([]Number, error) {
	if err := b.refreshNumbers(ctx); err != nil {
		return nil, fmt.Errorf("numbers: %w", err)
	}
	var rows []Number
	err := b.s.View(ctx, func(tx store.Tx) error {
		rows = rows[:0]
		return tx.Scan(store.Range{Prefix: keyNumberRow}, func(_ string, v []byte) error {
			if n, ok := decodeNumber(v); ok && !n.out && !n.Declared.Before(since) {
				rows = append(rows, n)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("numbers: %w", err)
	}
	return rows, nil
}

// refreshNumbers computes the rows that are due, and those that a record from
// before there were rows lacks.
func (b *Book) refreshNumbers(ctx context.Context) error {
	due, err := b.numbersDue(ctx)
	if err != nil {
		return err
	}
	const each = 40 // two keys for each
	for n := 0; n < len(due); n += each {
		err := b.s.Update(ctx, func(tx store.Tx) error {
			for _, num := range due[n:min(n+each, len(due))] {
				row, err := numberOf(tx, num)
				if errors.Is(err, ErrNotFound) { // removed, or taken away, before it was counted
					row, err = Number{out: true}, nil
				}
				if err != nil {
					return err
				}
				if err := tx.Put(keyNumberRow+padded(num), row.encode()); err != nil {
					return err
				}
				if err := tx.Delete(keyNumberDue + padded(num)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// numbersDue returns the incidents whose row is not there or not new.
func (b *Book) numbersDue(ctx context.Context) (due []int, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		due = nil
		last, err := getCounter(tx)
		if err != nil || last == 0 {
			return err
		}
		err = tx.Scan(store.Range{Prefix: keyNumberDue}, func(key string, _ []byte) error {
			n, err := strconv.Atoi(key[len(keyNumberDue):])
			due = append(due, n)
			return err
		})
		if err != nil {
			return err
		}
		next := 1
		lacks := func(to int) {
			for ; next < to; next++ {
				if !slices.Contains(due, next) {
					due = append(due, next)
				}
			}
		}
		err = tx.Scan(store.Range{Prefix: keyNumberRow}, func(key string, v []byte) error {
			n, err := strconv.Atoi(key[len(keyNumberRow):])
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			if len(v) == 0 || v[0] != rowVersion {
				return nil // lacks sees it
			}
			lacks(n)
			next = n + 1
			return nil
		})
		lacks(last + 1)
		return err
	})
	return due, err
}

// numberDue marks a row as older than its record.
func numberDue(tx store.Tx, num int) error {
	key := keyNumberDue + padded(num)
	if v, err := tx.Get(key); err != nil || v != nil {
		return err
	}
	return tx.Put(key, []byte{'1'})
}

// numberOf computes a row from the record. Of the timeline only approvals and
// what was measured are decoded, for it may be long.
func numberOf(tx store.Tx, num int) (Number, error) {
	r, err := getIncident(tx, num)
	if err != nil {
		return Number{}, err
	}
	i := r.incident()
	n := Number{Declared: i.Declared, Severity: i.Severity, Owner: i.Owner, Open: i.Status.Open(), Private: i.Private, out: i.Drill || i.Status == Cancelled || i.Status == Duplicate}
	if n.out {
		return n, nil
	}
	timeline, err := measuredLines(tx, num)
	if err != nil {
		return n, err
	}
	m := MetricsOf(i, timeline, time.Time{}) // at no moment: what lasts is left out
	for k, name := range Measures {
		n.Took[k] = -1
		for _, s := range m.Spans {
			if s.Name == name && !s.Open {
				n.Took[k] = s.Took
			}
		}
	}
	if m.ApprovalWait > 0 {
		n.Took[len(Measures)-1] = m.ApprovalWait
	}
	n.Cause = causeOf(timeline)
	return n, nil
}

// measuredLines is the part of a timeline that numbers are made of.
func measuredLines(tx store.Tx, num int) ([]Entry, error) {
	last := map[string]int{}
	var list []Entry
	kinds := [][]byte{[]byte(`"kind":"` + Approval + `"`), []byte(`"kind":"` + Check + `"`), []byte(`"kind":"` + Rehearsal + `"`)}
	err := tx.Scan(store.Range{Prefix: linePrefix(num)}, func(key string, v []byte) error {
		if !slices.ContainsFunc(kinds, func(k []byte) bool { return bytes.Contains(v, k) }) {
			return nil
		}
		var l diskLine
		if err := json.Unmarshal(v, &l); err != nil {
			return fmt.Errorf("decode %s: %w", key, err)
		}
		e, err := l.entry(num)
		if err != nil {
			return err
		}
		if at, seen := last[e.ID]; seen {
			list[at] = e
			return nil
		}
		last[e.ID] = len(list)
		list = append(list, e)
		return nil
	})
	list = slices.DeleteFunc(list, func(e Entry) bool { return e.Dropped })
	slices.SortStableFunc(list, func(a, b Entry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return a.Recorded.Compare(b.Recorded)
	})
	return list, err
}

// causeOf is the finding that the record names first: of the first check that
// failed, else of the first rehearsal that did, else that the renewal was
// overdue.
func causeOf(timeline []Entry) string {
	late, rehearsed := "", ""
	for _, e := range timeline {
		c := e.Evidence.Check
		if c.Verdict == "critical" {
			if cause := findingOf(c); cause != "" {
				return cause
			}
		}
		if f := e.Evidence.Rehearsal.Faults; rehearsed == "" && len(f) > 0 {
			rehearsed = f[0].Finding
		}
		if !c.Overdue.IsZero() {
			late = "renewal_overdue"
		}
	}
	if rehearsed != "" {
		return rehearsed
	}
	return late
}

// besides are findings that break no client and may stand beside the one that
// does.
var besides = []string{"renewal_overdue", "expiring", "node_divergence", "nondeterministic", "interrupted", "sni_required", "must_staple_no_staple",
	"validity_too_long", "sct_missing", "revocation_unknown", "wrong_order", "duplicate", "chain_horizon", "dns_elsewhere", "addresses_capped",
	"client_cert_required", "root_included", "expired_extra_cert", "extra_cert"}

// findingOf is the finding that most failing hosts of a check have; an expiry
// explains the others.
func findingOf(c CheckEvidence) string {
	count, best := map[string]int{}, ""
	for _, h := range c.Hosts {
		if h.State != "critical" {
			continue
		}
		if slices.Contains(h.Findings, "expired") {
			return "expired"
		}
		for _, f := range h.Findings {
			if slices.Contains(besides, f) {
				continue
			}
			if count[f]++; best == "" || count[f] > count[best] {
				best = f
			}
		}
	}
	return best
}

// encode writes a row: version, flags, severity, when declared (Unix
// seconds), each time in milliseconds plus one (0: not known), owner, cause.
func (n Number) encode() []byte {
	flags := byte(0)
	for bit, set := range []bool{n.out, n.Open, n.Private} {
		if set {
			flags |= 1 << bit
		}
	}
	b := append(make([]byte, 0, 64), rowVersion, flags, byte(n.Severity))
	b = binary.AppendVarint(b, n.Declared.Unix())
	for _, t := range n.Took {
		if t < 0 {
			b = binary.AppendUvarint(b, 0)
		} else {
			b = binary.AppendUvarint(b, uint64(t/time.Millisecond)+1)
		}
	}
	for _, s := range []string{n.Owner, n.Cause} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// decodeNumber reads a row; ok is false when it is none.
func decodeNumber(b []byte) (n Number, ok bool) {
	if len(b) < 4 || b[0] != rowVersion {
		return n, false
	}
	n.out, n.Open, n.Private, n.Severity = b[1]&1 != 0, b[1]&2 != 0, b[1]&4 != 0, Severity(b[2])
	b = b[3:]
	at, used := binary.Varint(b)
	if used <= 0 {
		return n, false
	}
	n.Declared, b = time.Unix(at, 0).UTC(), b[used:]
	unsigned := func() uint64 {
		v, used := binary.Uvarint(b)
		if used <= 0 {
			b = nil
			return 0
		}
		b = b[used:]
		return v
	}
	for k := range n.Took {
		n.Took[k] = -1
		if v := unsigned(); v > 0 && v < 1<<43 {
			n.Took[k] = time.Duration(v-1) * time.Millisecond
		}
	}
	for _, s := range []*string{&n.Owner, &n.Cause} {
		l := unsigned()
		if l > uint64(len(b)) {
			return n, false
		}
		*s, b = string(b[:l]), b[l:]
	}
	return n, b != nil
}
