package incident

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/certmedic/certmedic/store"
)

// In this file: searching everything that the records say: what an incident
// says of itself (list.go), and the words of its timeline (words.go), in which
// notes, pins, temporary changes, action items, updates and the sections of
// the draft all have their lines. A search reads these words from one end to
// the other: that keeps any part of a word findable, in any language, and
// costs a line nothing but the writing of its words.

// MaxWords is how many words a search may have.
const MaxWords = 32

// maxPlaceText is how many runes of a place are shown.
const maxPlaceText = 120

// Found is what a search found.
type Found struct {
	Hits   []Hit // newest incident first
	Total  int   // how many incidents there are without the limit
	Unread int   // incidents whose timelines are not searched yet, see NoteWords
}

// Hit is an incident on whose record all words occur, and where they do.
type Hit struct {
	Incident Incident `json:"incident"`
	Places   []Place  `json:"places"`
}

// Place is where words occur. Entry has its id, time, kind, link and who; its
// ID is "" when the incident says it of itself.
type Place struct {
	Entry Entry  `json:"entry"`
	What  string `json:"what"` // the entry's kind, or "title", "certificate", "impact", "owner", "commander", ...
	Text  string `json:"text"` // the line around the words
}

// Search returns the newest f.Limit incidents (0: all) that f selects and that
// see, asked about private ones alone, lets through, each with at most so many
// places of f.Words: first those with most of the words, then the newest.
// Upper and lower case are the same, parts of words count. More words than
// MaxWords are refused with ErrState.
func (b *Book) Search(ctx context.Context, f Filter, places int, see func(Incident) bool) (Found, error) {
	q := query{f: f, places: places, see: see, words: wordsIn(f.Words)}
	if len(q.words) > MaxWords {
		return Found{}, fmt.Errorf("%d words to search for, at most %d: %w", len(q.words), MaxWords, ErrState)
	}
	for _, w := range q.words {
		q.sieves = append(q.sieves, grams(w))
	}
	var found Found
	err := b.s.View(ctx, func(tx store.Tx) error {
		q.tx, q.cands, found = tx, nil, Found{Hits: []Hit{}}
		if err := q.indexes(); err != nil {
			return err
		}
		if len(q.words) > 0 {
			if err := q.timelines(ctx); err != nil {
				return err
			}
		}
		return q.collect(ctx, &found)
	})
	if err != nil {
		return Found{}, fmt.Errorf("search incidents: %w", err)
	}
	return found, nil
}

// wordsIn are the words of a search, each once.
func wordsIn(s string) (words [][]byte) {
	for _, w := range strings.Fields(strings.ToLower(s)) {
		if !slices.ContainsFunc(words, func(o []byte) bool { return string(o) == w }) {
			words = append(words, []byte(w))
		}
	}
	return words
}

// query is a search under way.
type query struct {
	tx     store.Tx
	f      Filter
	words  [][]byte
	sieves [][]uint32 // of the words, see grams
	places int
	see    func(Incident) bool
	cands  []candidate // newest first
}

// candidate is an incident that may be found. Bit k of has: it has word k.
type candidate struct {
	num    int
	has    uint32
	public bool
	read   bool
}

func (q *query) all() uint32 { return 1<<len(q.words) - 1 }

// in returns which words a text has, of those that it is asked for.
func (q *query) in(text []byte, ask uint32) (has uint32) {
	for rest := ask; rest != 0; rest &= rest - 1 {
		k := bits.TrailingZeros32(rest)
		if bytes.Contains(text, q.words[k]) {
			has |= 1 << k
		}
	}
	return has
}

// indexes finds the candidates.
func (q *query) indexes() error {
	return q.tx.Scan(store.Range{Prefix: keyIndex, Reverse: true, Lend: true}, func(key string, v []byte) error {
		x := parseIndex(v)
		if !x.has(q.f.Certificate) || q.f.Open && x.over {
			return nil
		}
		n, err := strconv.Atoi(key[len(keyIndex):])
		if err != nil {
			return fmt.Errorf("decode %s: %w", key, err)
		}
		q.cands = append(q.cands, candidate{num: n, has: q.in(x.text, q.all()), public: x.public, read: x.read})
		return nil
	})
}

// timelines looks for the words that the candidates lack. Both are in the same
// order, so that one walk does.
func (q *query) timelines(ctx context.Context) error {
	at, last, num := 0, "", 0
	return q.tx.Scan(store.Range{Prefix: keyWords, Reverse: true, Lend: true}, func(key string, block []byte) error {
		if p := key[:strings.LastIndexByte(key, '/')]; p != last {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if num, err = incidentOfWords(key); err != nil {
				return err
			}
			for last = p; at < len(q.cands) && q.cands[at].num > num; {
				at++
			}
			if at == len(q.cands) {
				return store.ErrStop
			}
		}
		c := &q.cands[at] // of another number: it was not selected
		if lacks := q.all() &^ c.has; lacks != 0 && c.read && c.num == num {
			has, err := q.inBlock(block, lacks)
			c.has |= has
			return err
		}
		return nil
	})
}

// inBlock returns which words the entries of a block have, of those that it is
// asked for.
func (q *query) inBlock(block []byte, ask uint32) (has uint32, err error) {
	all, err := items(block)
	if err != nil {
		return 0, err
	}
	for rest := ask; rest != 0; rest &= rest - 1 {
		k := bits.TrailingZeros32(rest)
		if !may(block, q.sieves[k]) {
			continue
		}
		ok, err := inItems(all, q.words[k])
		if err != nil {
			return has, err
		}
		if ok {
			has |= 1 << k
		}
	}
	return has, nil
}

// inItems reports whether the words of some entry have word. What looks like
// it in the numbers between does not count.
func inItems(all, word []byte) (bool, error) {
	for from, at := 0, -1; from < len(all); {
		if at < from {
			next := bytes.Index(all[from:], word)
			if next < 0 {
				return false, nil
			}
			at = from + next
		}
		it, rest, err := nextItem(all[from:])
		if err != nil {
			return false, err
		}
		// An entry that ends before the place where the word seems to be has it not.
		if from = len(all) - len(rest); at < from && bytes.Contains(it.words, word) {
			return true, nil
		}
	}
	return false, nil
}

// collect reads what is shown.
func (q *query) collect(ctx context.Context, found *Found) error {
	for _, c := range q.cands {
		if !c.read && len(q.words) > 0 && c.public {
			found.Unread++ // of private ones not even that there are any
		}
		if c.has != q.all() {
			continue
		}
		full := q.f.Limit > 0 && len(found.Hits) >= q.f.Limit
		if full && c.public {
			found.Total++
			continue
		}
		r, err := getIncident(q.tx, c.num)
		if err != nil {
			return err
		}
		i := r.incident()
		if q.f.Open && i.Status.over() || i.Private && !q.see(i) {
			continue
		}
		if found.Total++; full {
			continue
		}
		h := Hit{Incident: i, Places: []Place{}}
		if q.places > 0 && len(q.words) > 0 {
			if h.Places, err = q.where(ctx, i, c.read); err != nil {
				return err
			}
		}
		found.Hits = append(found.Hits, h)
	}
	return nil
}

// spot is an entry in which words are.
type spot struct {
	line int
	has  uint32
}

// where finds the places in one incident.
func (q *query) where(ctx context.Context, i Incident, read bool) ([]Place, error) {
	var own []Place
	for _, p := range i.own() {
		if q.in([]byte(strings.ToLower(p.Text)), q.all()) != 0 {
			p.Text = q.around(p.Text)
			own = append(own, p)
		}
	}
	var spots []spot
	num, err := number(i.ID)
	if err == nil && read {
		spots, err = q.spots(ctx, num)
	}
	if err != nil {
		return nil, err
	}
	// What the incident says of itself comes first, unless a line says more of
	// it. Of lines only those are read that are shown.
	most := 0
	for _, p := range own {
		most = max(most, bits.OnesCount32(q.in([]byte(strings.ToLower(p.Text)), q.all())))
	}
	linesFirst := len(spots) > 0 && bits.OnesCount32(spots[0].has) > most
	if !linesFirst {
		spots = spots[:min(len(spots), max(0, q.places-len(own)))]
	}
	var places []Place
	for _, s := range spots {
		l, err := getLine(q.tx, num, s.line)
		if err != nil {
			return nil, err
		}
		e, err := l.entry(num)
		if err != nil {
			return nil, err
		}
		places = append(places, Place{Entry: e, What: e.Kind, Text: q.around(wordsOf(e, ""))})
	}
	if linesFirst {
		places = append(places, own...)
	} else {
		places = append(own, places...)
	}
	return places[:min(len(places), q.places)], nil
}

// spots are the best entries of an incident, at most as many as are shown.
func (q *query) spots(ctx context.Context, num int) (best []spot, err error) {
	err = q.tx.Scan(store.Range{Prefix: wordsPrefix(num), Lend: true}, func(_ string, block []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		some, err := q.inBlock(block, q.all())
		if some == 0 || err != nil {
			return err
		}
		rest, err := items(block)
		for err == nil && len(rest) > 0 {
			var it item
			if it, rest, err = nextItem(rest); err != nil {
				break
			}
			if has := q.in(it.words, some); has != 0 {
				best = q.better(best, spot{it.line, has})
			}
		}
		return err
	})
	return best, err
}

// better puts a spot where it belongs among the best.
func (q *query) better(best []spot, s spot) []spot {
	n := bits.OnesCount32(s.has)
	at := slices.IndexFunc(best, func(o spot) bool {
		m := bits.OnesCount32(o.has)
		return n > m || n == m && s.line > o.line
	})
	if at < 0 {
		at = len(best)
	}
	if at >= q.places {
		return best
	}
	best = slices.Insert(best, at, s)
	return best[:min(len(best), q.places)]
}

// around returns the line of a text that has most of the words, clipped to the
// neighbourhood of the first of them.
func (q *query) around(text string) string {
	line, most := "", 0
	for _, l := range strings.Split(text, "\n") {
		if n := bits.OnesCount32(q.in([]byte(strings.ToLower(l)), q.all())); n > most {
			line, most = l, n
		}
	}
	runes := []rune(line)
	if len(runes) <= maxPlaceText {
		return line
	}
	lower, first := strings.ToLower(line), len(line)
	for _, w := range q.words {
		if at := strings.Index(lower, string(w)); at >= 0 {
			first = min(first, at)
		}
	}
	// Lower case may be longer or shorter in bytes, so that the place is near.
	from := max(0, min(utf8.RuneCountInString(lower[:min(first, len(lower))])-maxPlaceText/3, len(runes)-maxPlaceText))
	short := strings.TrimSpace(string(runes[from:min(len(runes), from+maxPlaceText)]))
	if from > 0 {
		short = "... " + short
	}
	if from+maxPlaceText < len(runes) {
		short += " ..."
	}
	return short
}

// own is what an incident says of itself: each a place without an entry.
func (i Incident) own() []Place {
	places := []Place{{What: "id", Text: i.ID}, {What: "title", Text: i.Title}}
	add := func(what string, texts ...string) {
		for _, t := range texts {
			if t != "" {
				places = append(places, Place{What: what, Text: t})
			}
		}
	}
	add("certificate", i.Certificates...)
	add("impact", i.Impact)
	add("owner", i.Owner)
	add("commander", i.Commander.Name)
	for _, r := range i.Roles {
		add(r.Name, r.Person.Name)
	}
	add("declared by", i.DeclaredBy.Name)
	for _, p := range i.Invited {
		add("invited", p.Name)
	}
	for _, t := range i.Tasks {
		add("owner of "+t.ID, t.Owner.Name)
	}
	return places
}
