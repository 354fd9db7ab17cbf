package incident

// In this file: the words of timelines, kept beside the record so that a
// search reads them and nothing else: of each entry that is not dropped, what
// its current version says, in lower case. They are written together with the
// line, so that what is on the record can be found, and what was dropped,
// corrected or forgotten cannot. How they are searched is in search.go, how a
// record from before there were words gets them in words_old.go.
//
// Keys, apart from the incidents' own so that nobody who watches those wakes:
//
//	words/00000007/00000042   a block: the entries of INC-7 from E-42 to the next block
//
// A block is a sieve (below), then its entries one after the other, each three
// numbers (of the entry, of its first line, of its current line), the length of
// its words, and these. It can always be made anew from the lines, so it has no version of its own:
// another layout gets another prefix, and diskIncident.Words starts at 0 again.

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/store"
)

const (
	keyWords = "words/"

	// blockFull is the size in bytes from which on a block takes no further
	// entry. A line costs the writing of its block, a search the reading of all.
	blockFull = sieveSize + 1200

	// sieveSize is the size in bytes of a block's sieve: a bit for each two and
	// each three bytes that stand beside each other in its words, at a place
	// that their hash says. What has not all bits of a word does not have the
	// word, so that a search reads the words of few blocks.
	sieveSize = 384

	// maxProof is how many bytes of the evidence of one entry can be found.
	maxProof = 1000
)

func wordsPrefix(num int) string { return keyWords + padded(num) + "/" }

// wordsItem is one entry in a block. Of a dropped entry the words are empty.
type wordsItem struct {
	entry, first, line int
	words              string
}

var errBlock = errors.New("a block of words is damaged")

// item is a wordsItem as it stands in a block.
type item struct {
	entry, first, line int
	words              []byte
}

// nextItem takes the first entry off the entries of a block. words shares its bytes.
func nextItem(block []byte) (it item, rest []byte, err error) {
	var n [4]uint64
	for k := range n {
		v, size := binary.Uvarint(block)
		if size <= 0 {
			return it, nil, errBlock
		}
		n[k], block = v, block[size:]
	}
	if n[3] > uint64(len(block)) {
		return it, nil, errBlock
	}
	it.entry, it.first, it.line, it.words = int(n[0]), int(n[1]), int(n[2]), block[:n[3]]
	return it, block[n[3]:], nil
}

// appendTo adds an entry to a block; nil is a new one.
func (it wordsItem) appendTo(block []byte) []byte {
	if block == nil {
		block = make([]byte, sieveSize, sieveSize+len(it.words)+16)
	}
	for k := 1; k < len(it.words); k++ {
		at := gram(it.words[k-1], it.words[k], 0)
		block[at/8] |= 1 << (at % 8)
		if k > 1 {
			at = gram(it.words[k-2], it.words[k-1], it.words[k])
			block[at/8] |= 1 << (at % 8)
		}
	}
	for _, n := range []int{it.entry, it.first, it.line, len(it.words)} {
		block = binary.AppendUvarint(block, uint64(n))
	}
	return append(block, it.words...)
}

// gram is the bit of a sieve that stands for two or three bytes; c is 0 for two.
func gram(a, b, c byte) uint32 {
	h := (uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9e3779b1 // Fibonacci hashing
	return uint32(uint64(h) * (8 * sieveSize) >> 32)
}

// grams are the bits that a block with a word has; none of a single byte.
func grams(word []byte) (bits []uint32) {
	if len(word) == 2 {
		return []uint32{gram(word[0], word[1], 0)}
	}
	for k := 2; k < len(word); k++ {
		bits = append(bits, gram(word[k-2], word[k-1], word[k]))
	}
	return bits
}

// may reports whether a block may have the word of these bits.
func may(block []byte, bits []uint32) bool {
	for _, at := range bits {
		if block[at/8]&(1<<(at%8)) == 0 {
			return false
		}
	}
	return true
}

// items returns the entries of a block, for nextItem.
func items(block []byte) ([]byte, error) {
	if len(block) < sieveSize {
		return nil, errBlock
	}
	return block[sieveSize:], nil
}

// wordsOf is what an entry can be found by: its text, who said it (first: of
// its first version, "": the same), and what was measured, each on lines of
// its own.
func wordsOf(e Entry, first string) string {
	names := []string{e.By.Name}
	for _, name := range []string{first, e.Evidence.Pin.By.Name} {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	s := e.Text + "\n" + strings.Join(names, ", ")
	if proof := proofOf(e.Evidence); proof != "" {
		s += "\n" + proof
	}
	return s
}

// proofOf is what was measured, in words that somebody may have in hand:
// certificates, hosts, serials, orders, ids of alerts.
func proofOf(ev Evidence) string {
	var all []string
	add := func(ss ...string) {
		for _, s := range ss {
			if s != "" && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	add(ev.Check.Certificate, ev.Check.Cause)
	for _, h := range ev.Check.Hosts {
		if len(all) > 64 {
			break
		}
		add(h.Host, h.Address, h.Serial)
	}
	s := ev.Step
	add(s.Renewal, s.Certificate, s.Host, s.Order, s.BeforeSerial, s.AfterSerial, s.Issuer)
	add(ev.Approval.Renewal, ev.Rehearsal.Certificate)
	for _, f := range ev.Rehearsal.Faults {
		add(f.Subject, f.Cause)
	}
	add(ev.Alert.Certificate, ev.Alert.Source, ev.Alert.ID)
	for _, i := range ev.Pin.Images {
		add(i.Name)
	}
	proof := strings.Join(all, ", ")
	if len(proof) > maxProof {
		proof = strings.ToValidUTF8(proof[:maxProof], "")
	}
	return proof
}

// keepWords notes the words of a line that was just written. In a record whose
// earlier lines are not noted yet, the one who notes those comes to it.
func (p *page) keepWords(l diskLine, e Entry) error {
	if p.r.Words != l.Line-1 {
		return nil
	}
	if err := noteWords(p.tx, p.r.Num, l, e); err != nil {
		return err
	}
	p.r.Words = l.Line
	return nil
}

// noteWords notes the words of a line, which is the current one of its entry.
// One key is put.
func noteWords(tx store.Tx, num int, l diskLine, e Entry) error {
	key, block, err := blockOf(tx, num, l.Entry)
	if err != nil {
		return err
	}
	it := wordsItem{entry: l.Entry, first: l.Line, line: l.Line}
	if l.Version == 1 { // nothing of it is noted
		if key == "" || len(block) >= blockFull {
			key, block = wordsPrefix(num)+padded(l.Entry), nil
		}
		if !l.Dropped {
			it.words = strings.ToLower(wordsOf(e, ""))
		}
		return tx.Put(key, it.appendTo(block))
	}
	return rewriteBlock(tx, key, block, l.Entry, func(old wordsItem) (wordsItem, error) {
		if it.first = old.first; l.Dropped {
			return it, nil
		}
		first, err := firstName(tx, num, old.first)
		it.words = strings.ToLower(wordsOf(e, first))
		return it, err
	})
}

// renoteWords notes anew the words of an entry of which some version was
// rewritten. At most one key is put.
func renoteWords(tx store.Tx, num, entry int) error {
	key, block, err := blockOf(tx, num, entry)
	if err != nil || key == "" {
		return err
	}
	return rewriteBlock(tx, key, block, entry, func(old wordsItem) (wordsItem, error) {
		if old.words == "" {
			return old, nil
		}
		l, err := getLine(tx, num, old.line)
		if err != nil {
			return old, err
		}
		e, err := l.entry(num)
		if err != nil {
			return old, err
		}
		first, err := firstName(tx, num, old.first)
		old.words = strings.ToLower(wordsOf(e, first))
		return old, err
	})
}

// rewriteBlock has fn replace one entry of a block; one that is not in it stays out.
func rewriteBlock(tx store.Tx, key string, block []byte, entry int, fn func(wordsItem) (wordsItem, error)) error {
	if key == "" {
		return nil
	}
	rest, err := items(block)
	now := make([]byte, sieveSize, len(block)+64)
	for err == nil && len(rest) > 0 {
		var read item
		if read, rest, err = nextItem(rest); err != nil {
			break
		}
		one := wordsItem{read.entry, read.first, read.line, string(read.words)}
		if one.entry == entry {
			if one, err = fn(one); err != nil {
				return err
			}
		}
		now = one.appendTo(now)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return tx.Put(key, now)
}

// blockOf returns the block that an entry is in, or would be added to; "" when
// there is none.
func blockOf(tx store.Tx, num, entry int) (key string, block []byte, err error) {
	prefix := wordsPrefix(num)
	err = tx.Scan(store.Range{Prefix: prefix, From: prefix + padded(entry), Reverse: true, Limit: 1}, func(k string, v []byte) error {
		key, block = k, v
		return nil
	})
	return key, block, err
}

// firstName is who wrote a line.
func firstName(tx store.Tx, num, line int) (string, error) {
	l, err := getLine(tx, num, line)
	return l.By.Name, err
}

// getLine reads one line of a timeline.
func getLine(tx store.Tx, num, line int) (l diskLine, err error) {
	v, err := tx.Get(lineKey(num, line))
	if err != nil {
		return l, err
	}
	if v == nil {
		return l, fmt.Errorf("line %d of %s: %w", line, idOf(num), ErrNotFound)
	}
	if err := json.Unmarshal(v, &l); err != nil {
		return l, fmt.Errorf("decode line %d of %s: %w", line, idOf(num), err)
	}
	return l, nil
}

// incidentOfWords reads the number in a key of a block.
func incidentOfWords(key string) (int, error) {
	digits, _, _ := strings.Cut(key[len(keyWords):], "/")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("decode %s: %w", key, err)
	}
	return n, nil
}
