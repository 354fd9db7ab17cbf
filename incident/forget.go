package incident

// In this file: taking a person's name out of the record on demand. The chain
// of hashes stands on salted digests of who, text and evidence (disk.go), so a
// part can be replaced: its digest is kept, its salt destroyed, and nobody can
// try names against it. What stands there instead is bound too: a line of kind
// "forgotten" at the end of the chain has the sum of every line as it was
// rewritten, and Verify compares them. A line rewritten by somebody else, or
// rewritten again, does not fit.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certmedic/certmedic/store"
)

// ForgottenKind is the kind of the line that says that a name was taken out.
const ForgottenKind = "forgotten"

// forgetBatch is how many lines one transaction rewrites: each is two keys, and
// a title that is another one now up to fifty more (putIncident).
const forgetBatch = 20

// ForgottenEvidence binds lines as they were rewritten.
type ForgottenEvidence struct {
	As    string          `json:"as"` // what stands in the name's place
	Lines []ForgottenLine `json:"lines"`
}

// ForgottenLine is one line as it was rewritten.
type ForgottenLine struct {
	Line   int    `json:"line"`   // number of the line, in the order of writing
	SHA256 string `json:"sha256"` // of the line as it stands in the record, hexadecimal
}

// Forgetting is whom to forget.
type Forgetting struct {
	Names []string // as they stand in texts, upper and lower case aside
	IDs   []string // "slack:U0ANA", "web:ana"
	As    string   // what to write instead
}

// Forgotten is what was done.
type Forgotten struct {
	Incidents int
	Lines     int
	IDs       []string // of these incidents
	Also      []string // other names that somebody with one of the IDs went by; they stand in texts still
}

// Words replaces the names in a text, where they are whole words.
func (f Forgetting) Words(text string) string {
	for _, name := range f.Names {
		text = replaceWord(text, name, f.As)
	}
	return text
}

// replaceWord replaces a name that has no letter, digit or _ beside it.
func replaceWord(text, name, as string) string {
	if name == "" {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); {
		end, ok := hasFold(text[i:], name)
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+end:])
		if ok && !wordRune(before) && !wordRune(after) {
			out.WriteString(as)
			i += end
			continue
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		out.WriteString(text[i : i+n])
		i += n
	}
	return out.String()
}

// hasFold reports that text begins with name, and how many bytes of it that is.
func hasFold(text, name string) (end int, ok bool) {
	for range utf8.RuneCountInString(name) {
		if end >= len(text) {
			return 0, false
		}
		_, n := utf8.DecodeRuneInString(text[end:])
		end += n
	}
	return end, strings.EqualFold(text[:end], name)
}

func wordRune(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// Is reports whether somebody is the one to forget.
func (f Forgetting) Is(id, name string) bool {
	fold := func(all []string, s string) bool {
		return s != "" && slices.ContainsFunc(all, func(o string) bool { return strings.EqualFold(o, s) })
	}
	return fold(f.IDs, id) || fold(f.Names, name)
}

// ID is what stands in the place of the person's ids.
func (f Forgetting) ID() string { return "forgotten:" + strings.ToLower(f.As) }

// forgetter rewrites, and collects other names of the same ids.
type forgetter struct {
	Forgetting
	also []string
}

func (f *forgetter) person(p *Person) {
	if p.Platform == Bot.Platform || p.ID == f.ID() || !f.Is(p.ID, p.Name) {
		return
	}
	if name := p.Name; !slices.ContainsFunc(f.Names, func(o string) bool { return strings.EqualFold(o, name) }) && !slices.Contains(f.also, name) {
		f.also = append(f.also, name)
	}
	p.ID, p.Name = f.ID(), f.As
}

func (f *forgetter) onDisk(p *diskPerson) {
	q := Person(*p)
	f.person(&q)
	*p = diskPerson(q)
}

func (f *forgetter) texts(all ...*string) {
	for _, s := range all {
		*s = f.Words(*s)
	}
}

// evidence rewrites what people said and who they are, never what was measured.
func (f *forgetter) evidence(e *Evidence) {
	f.texts(&e.Approval.AskedBy, &e.Approval.By, &e.Approval.Reason, &e.Pin.Said, &e.Pin.Why)
	f.person(&e.Pin.By)
	for n := range e.Pin.Images {
		f.texts(&e.Pin.Images[n].Name)
	}
	switch e.Change.What {
	case "commander", "impact", SectionChange, "title", "dropped", "invited", "update approved":
		f.texts(&e.Change.From, &e.Change.To)
	default:
		if slices.Contains(Roles, e.Change.What) {
			f.texts(&e.Change.From, &e.Change.To)
		}
	}
}

// record rewrites what stands in an incident's record.
func (f *forgetter) record(r *diskIncident) {
	f.onDisk(&r.Commander)
	f.onDisk(&r.DeclaredBy)
	f.texts(&r.Title, &r.Impact)
	for n := range r.Roles {
		f.onDisk(&r.Roles[n].Person)
	}
	for n := range r.Invited {
		f.onDisk(&r.Invited[n])
	}
	for _, claims := range [][]diskClaim{r.Claims, r.Disputes} {
		for n := range claims {
			f.onDisk(&claims[n].By)
			f.texts(&claims[n].Text)
		}
	}
	for n := range r.Temps {
		t := &r.Temps[n]
		f.onDisk(&t.By)
		f.onDisk(&t.UndoneBy)
		f.texts(&t.Text, &t.Undo, &t.How)
	}
	for n := range r.Tasks {
		t := &r.Tasks[n]
		f.onDisk(&t.By)
		f.onDisk(&t.Owner)
		f.onDisk(&t.DoneBy)
		f.onDisk(&t.Export.By)
		f.texts(&t.Text, &t.How, &t.Export.Text)
	}
	for n := range r.DraftStates {
		f.onDisk(&r.DraftStates[n].By)
		f.texts(&r.DraftStates[n].Reason)
	}
	for n := range r.Asking {
		f.onDisk(&r.Asking[n].By)
	}
}

// update rewrites a status update, and reports whether that changed it.
func (f *forgetter) update(d *diskUpdate) bool {
	was := *d
	f.onDisk(&d.By)
	f.onDisk(&d.Decided)
	f.texts(&d.Title, &d.Text, &d.Reason)
	changed := d.By != was.By || d.Decided != was.Decided || d.Title != was.Title || d.Text != was.Text || d.Reason != was.Reason
	for n := range d.To {
		text := d.To[n].Text
		f.texts(&d.To[n].Text)
		changed = changed || d.To[n].Text != text
	}
	return changed
}

// forgetUpdates rewrites the status updates of an incident.
func (b *Book) forgetUpdates(ctx context.Context, num int, w *forgetter) (n int, err error) {
	var keys []string
	look := func(v []byte) (diskUpdate, bool, error) {
		d, err := decodeUpdate(num, v)
		return d, err == nil && w.update(&d), err
	}
	if err := b.s.View(ctx, func(tx store.Tx) error {
		keys = nil
		return tx.Scan(store.Range{Prefix: updatePrefix(num)}, func(key string, v []byte) error {
			_, changed, err := look(v)
			if changed {
				keys = append(keys, key)
			}
			return err
		})
	}); err != nil {
		return 0, err
	}
	for batch := range slices.Chunk(keys, forgetBatch) {
		if err := b.s.Update(ctx, func(tx store.Tx) error {
			for _, key := range batch {
				v, err := tx.Get(key)
				if err != nil {
					return err
				}
				d, changed, err := look(v)
				if err != nil || !changed {
					return err
				}
				if v, err = json.Marshal(d); err != nil {
					return fmt.Errorf("encode %s: %w", key, err)
				}
				if err := tx.Put(key, v); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return n, err
		}
		n += len(batch)
	}
	return n, nil
}

// line rewrites one line: parts that change keep their digest and lose their salt.
func (f *forgetter) line(l *diskLine) (changed bool, err error) {
	was, err := json.Marshal(l.By)
	if err != nil {
		return false, err
	}
	by := l.By
	if f.onDisk(&l.By); l.By != by {
		l.Digests.By, l.Salts.By, changed = digest(l.Salts.By, l.Digests.By, was), "", true
	}
	if text := f.Words(l.Text); text != l.Text {
		l.Digests.Text, l.Salts.Text, changed = digest(l.Salts.Text, l.Digests.Text, []byte(l.Text)), "", true
		l.Text = text
	}
	if len(l.Evidence) == 0 {
		return changed, nil
	}
	var e Evidence
	if err := json.Unmarshal(l.Evidence, &e); err != nil {
		return false, fmt.Errorf("decode evidence of line %d: %w", l.Line, err)
	}
	before, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	f.evidence(&e)
	after, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	if string(before) != string(after) {
		l.Digests.Evidence, l.Salts.Evidence, changed = digest(l.Salts.Evidence, l.Digests.Evidence, l.Evidence), "", true
		l.Evidence = after
	}
	return changed, nil
}

// Forget replaces a person's name in every incident. Doing it again, after a
// kill in the middle too, does what is left. Links, and the ids of deliveries,
// stay as they are.
func (b *Book) Forget(ctx context.Context, f Forgetting) (Forgotten, error) {
	var out Forgotten
	if f.As = oneLine(f.As, maxTitle); f.As == "" || (Forgetting{Names: f.Names}).Words(f.As) != f.As {
		return out, fmt.Errorf("what stands in the name's place must be another word: %w", ErrState)
	}
	if len(f.Names)+len(f.IDs) == 0 {
		return out, fmt.Errorf("nobody is named: %w", ErrState)
	}
	w := &forgetter{Forgetting: f}
	last := 0
	if err := b.s.View(ctx, func(tx store.Tx) (err error) { last, err = getCounter(tx); return err }); err != nil {
		return out, err
	}
	for num := 1; num <= last; num++ {
		lines, record, err := b.toForget(ctx, num, w)
		if errors.Is(err, ErrNotFound) {
			continue // removed
		}
		if err != nil {
			return out, fmt.Errorf("forget in %s: %w", idOf(num), err)
		}
		updates, err := b.forgetUpdates(ctx, num, w)
		if err != nil {
			return out, fmt.Errorf("forget in the updates of %s: %w", idOf(num), err)
		}
		if len(lines) > 0 || record || updates > 0 {
			out.Incidents++
			out.IDs = append(out.IDs, idOf(num))
		}
		if len(lines) == 0 && record {
			lines = []int{0} // the record alone
		}
		for batch := range slices.Chunk(lines, forgetBatch) {
			n, err := b.forgetLines(ctx, num, batch, w)
			if err != nil {
				return out, fmt.Errorf("forget in %s: %w", idOf(num), err)
			}
			out.Lines += n
		}
	}
	out.Also = w.also
	return out, nil
}

// toForget finds the lines that have something to forget, and whether the
// record has.
func (b *Book) toForget(ctx context.Context, num int, w *forgetter) (lines []int, record bool, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		r, err := getIncident(tx, num)
		if err != nil {
			return err
		}
		before, err := json.Marshal(r)
		if err != nil {
			return err
		}
		w.record(&r)
		after, err := json.Marshal(r)
		if err != nil {
			return err
		}
		record = string(before) != string(after)
		return tx.Scan(store.Range{Prefix: linePrefix(num)}, func(key string, v []byte) error {
			var l diskLine
			if err := json.Unmarshal(v, &l); err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			changed, err := w.line(&l)
			if changed {
				lines = append(lines, l.Line)
			}
			return err
		})
	})
	return lines, record, err
}

// forgetLines rewrites lines and the record, and binds the lines as they are now.
func (b *Book) forgetLines(ctx context.Context, num int, lines []int, w *forgetter) (n int, err error) {
	seed := newSeed()
	err = b.s.Update(ctx, func(tx store.Tx) error {
		n = 0
		r, err := getIncident(tx, num)
		if err != nil {
			return err
		}
		w.record(&r)
		ev := ForgottenEvidence{As: w.As}
		for _, at := range lines {
			if at == 0 {
				continue
			}
			sum, err := rewriteLine(tx, num, at, w)
			if err != nil {
				return err
			}
			ev.Lines = append(ev.Lines, ForgottenLine{Line: at, SHA256: sum})
			n++
		}
		if err := w.publication(tx, r, b.clock()); err != nil {
			return err
		}
		if n == 0 {
			return putIncident(tx, r)
		}
		p := &page{tx: tx, r: r, now: b.clock(), seed: seed}
		p.at = p.now
		text := fmt.Sprintf("A name was taken out of %d lines on demand; %s stands there now.", n, w.As)
		if n == 1 {
			text = fmt.Sprintf("A name was taken out of a line on demand; %s stands there now.", w.As)
		}
		if _, err := p.write(Entry{By: Bot, Kind: ForgottenKind, Text: text, Evidence: Evidence{Forgotten: ev}}); err != nil {
			return err
		}
		return putIncident(tx, p.r)
	})
	return n, err
}

func rewriteLine(tx store.Tx, num, at int, w *forgetter) (hash string, err error) {
	v, err := tx.Get(lineKey(num, at))
	if err != nil {
		return "", err
	}
	var l diskLine
	if err := json.Unmarshal(v, &l); err != nil {
		return "", fmt.Errorf("decode line %d: %w", at, err)
	}
	if _, err := w.line(&l); err != nil {
		return "", err
	}
	if v, err = json.Marshal(l); err != nil {
		return "", fmt.Errorf("encode line %d: %w", at, err)
	}
	if err := tx.Put(lineKey(num, at), v); err != nil {
		return "", err
	}
	return sum(string(v)), renoteWords(tx, num, l.Entry)
}

// rewritten is what Verify collects of lines that were rewritten.
type rewritten struct {
	found map[int]string // sum of each line without one of its salts
	bound map[int]string // sum that the last "forgotten" line has of it
	names map[int]string // of the lines found
}

// look takes a line that fits the chain by itself.
func (w *rewritten) look(v []byte) {
	var l diskLine
	if json.Unmarshal(v, &l) != nil {
		return
	}
	if l.Salts.By == "" || l.Salts.Text == "" || l.Salts.Evidence == "" {
		w.found[l.Line], w.names[l.Line] = sum(string(v)), entryName(l.Entry)
	}
	if l.Kind != ForgottenKind || l.Salts.Evidence == "" {
		return
	}
	var e Evidence
	if json.Unmarshal(l.Evidence, &e) != nil {
		return
	}
	for _, one := range e.Forgotten.Lines {
		if one.Line < l.Line { // a line binds only what was written before it
			w.bound[one.Line] = one.SHA256
		}
	}
}

// broken names the first line that is not as it was rewritten, or "".
func (w *rewritten) broken() string {
	at, name := 0, ""
	for line, sum := range w.found {
		if w.bound[line] != sum && (at == 0 || line < at) {
			at, name = line, w.names[line]
		}
	}
	for line := range w.bound { // it was rewritten, and stands there whole
		if w.found[line] == "" && (at == 0 || line < at) {
			at, name = line, fmt.Sprint("line ", line)
		}
	}
	return name
}
