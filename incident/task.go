package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: action items, numbered across incidents. They stand in the
// record of their incident and outlive its close.

// Kinds of action item.
const (
	Prevent  = "prevent"
	Detect   = "detect"
	Mitigate = "mitigate"
)

// maxTasks is how many action items one incident may have.
const maxTasks = 100

// Task is an action item.
type Task struct {
	ID       string    `json:"id"` // "T-3", across incidents
	Incident string    `json:"incident"`
	Text     string    `json:"text"`
	Kind     string    `json:"kind"`           // prevent, detect, mitigate
	Owner    Person    `json:"owner,omitzero"` // a person, or a team (Platform "team"); zero: nobody yet
	Due      time.Time `json:"due,omitzero"`   // midnight UTC of the day; zero: not said
	By       Person    `json:"by"`
	At       time.Time `json:"at"`
	Entry    string    `json:"entry"`
	Done     time.Time `json:"done,omitzero"`
	DoneBy   Person    `json:"done_by,omitzero"`
	How      string    `json:"how,omitempty"`
	DoneIn   string    `json:"done_in,omitempty"`
	Export   Export    `json:"export,omitzero"` // where it stands in a tracker
}

// Open reports that it is not done.
func (t Task) Open() bool { return t.Done.IsZero() }

// diskTask is a Task in the record, version 1.
type diskTask struct {
	Num    int        `json:"num"`
	Text   string     `json:"text"`
	Kind   string     `json:"kind"`
	Owner  diskPerson `json:"owner,omitzero"`
	Due    time.Time  `json:"due,omitzero"`
	By     diskPerson `json:"by"`
	At     time.Time  `json:"at"`
	Entry  int        `json:"entry"`
	Done   time.Time  `json:"done,omitzero"`
	DoneBy diskPerson `json:"done_by,omitzero"`
	How    string     `json:"how,omitempty"`
	DoneIn int        `json:"done_in,omitempty"`
	Export diskExport `json:"export,omitzero"`
}

func (d diskTask) task(num int) Task {
	t := Task{ID: taskName(d.Num), Incident: idOf(num), Text: d.Text, Kind: d.Kind, Owner: d.Owner.person(), Due: d.Due, By: d.By.person(), At: d.At,
		Entry: entryName(d.Entry), Done: d.Done, DoneBy: d.DoneBy.person(), How: d.How, Export: d.Export.export()}
	if d.DoneIn > 0 {
		t.DoneIn = entryName(d.DoneIn)
	}
	return t
}

func taskName(n int) string { return "T-" + strconv.Itoa(n) }

// taskNumber returns 3 for "T-3", or ErrNotFound.
func taskNumber(id string) (int, error) {
	digits, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(id)), "T-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != digits {
		return 0, fmt.Errorf("task %.40q: %w", id, ErrNotFound)
	}
	return n, nil
}

// AddTask records an action item: t.Text, t.Kind ("": prevent), t.Owner and
// t.Due are taken. It is possible in every state of the incident. A change of
// the same Key makes it once.
func (b *Book) AddTask(ctx context.Context, id string, t Task, c Change) (Incident, Task, error) {
	text := oneLine(t.Text, maxText)
	if text == "" {
		return Incident{}, Task{}, fmt.Errorf("the action item has no text: %w", ErrState)
	}
	if t.Kind == "" {
		t.Kind = Prevent
	}
	if !slices.Contains([]string{Prevent, Detect, Mitigate}, t.Kind) {
		return Incident{}, Task{}, fmt.Errorf("kind %.40q is not prevent, detect or mitigate: %w", t.Kind, ErrState)
	}
	if t.Owner != (Person{}) {
		t.Owner = cleanPerson(t.Owner)
	}
	i, err := b.change(ctx, id, c, func(p *page, c Change) error {
		if len(p.r.Tasks) >= maxTasks {
			return fmt.Errorf("%d action items, at most that many in one incident: %w", maxTasks, ErrState)
		}
		n, err := nextTask(p.tx, p.r.Num)
		if err != nil {
			return err
		}
		d := diskTask{Num: n, Text: text, Kind: t.Kind, Owner: toDisk(t.Owner), By: toDisk(c.By), At: p.at, Entry: p.r.Entries + 1}
		said := fmt.Sprintf("Action item %s (%s): %s", taskName(n), t.Kind, text)
		if t.Owner.Name != "" {
			said += " Owner: " + t.Owner.Name + "."
		}
		if !t.Due.IsZero() {
			d.Due = t.Due.UTC().Truncate(24 * time.Hour)
			said += " Due: " + d.Due.Format(time.DateOnly) + "."
		}
		c.Text = ""
		p.r.Tasks = append(slices.Clone(p.r.Tasks), d)
		return p.note(c, TaskKind, said, ChangeEvidence{What: "task", To: taskName(n)})
	})
	if err != nil {
		return i, Task{}, err
	}
	entry, err := b.entryOfKey(ctx, id, c.Key)
	if err != nil || len(i.Tasks) == 0 {
		return i, Task{}, errors.Join(err)
	}
	for _, o := range i.Tasks {
		if entry != "" && o.Entry == entry {
			return i, o, nil
		}
	}
	return i, i.Tasks[len(i.Tasks)-1], nil
}

// nextTask takes the next number and notes whose it is.
func nextTask(tx store.Tx, incident int) (int, error) {
	v, err := tx.Get(keyTasks)
	if err != nil {
		return 0, err
	}
	n := 0
	if v != nil {
		if n, err = strconv.Atoi(string(v)); err != nil {
			return 0, fmt.Errorf("decode %s: %w", keyTasks, err)
		}
	}
	n++
	whose := []byte(strconv.Itoa(incident))
	return n, errors.Join(tx.Put(keyTasks, []byte(strconv.Itoa(n))), tx.Put(keyTask+padded(n), whose), tx.Put(keyTaskOpen+padded(n), whose))
}

// DoTask records that an action item is done, at c.At, and how (c.Text, "":
// not said). One that is done already stays as it is.
func (b *Book) DoTask(ctx context.Context, id string, c Change) (Incident, Task, error) {
	how := oneLine(c.Text, maxText)
	return b.changeTask(ctx, id, c, func(p *page, d *diskTask, c Change) error {
		if !d.Done.IsZero() {
			return nil
		}
		if p.at.Before(d.At) {
			return fmt.Errorf("%s was written at %s, after %s: %w", taskName(d.Num), When(d.At), When(p.at), ErrOrder)
		}
		said := fmt.Sprintf("Action item %s is done: %s", taskName(d.Num), d.Text)
		if how != "" {
			said += " How: " + how
		}
		c.Text = ""
		if err := p.note(c, TaskKind, said, ChangeEvidence{What: "task done", To: taskName(d.Num)}); err != nil {
			return err
		}
		d.Done, d.DoneBy, d.How, d.DoneIn = p.at, toDisk(c.By), how, p.r.Entries
		return p.tx.Delete(keyTaskOpen + padded(d.Num))
	})
}

// Tasks returns the action items of every incident, by number: the ones not
// done, or all. Those of private incidents are among them.
func (b *Book) Tasks(ctx context.Context, all bool) ([]Task, error) {
	prefix := keyTaskOpen
	if all {
		prefix = keyTask
	}
	var list []Task
	err := b.s.View(ctx, func(tx store.Tx) error {
		list = []Task{}
		of := map[int][]Task{}
		return tx.Scan(store.Range{Prefix: prefix}, func(key string, v []byte) error {
			num, err := strconv.Atoi(string(v))
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			if of[num] == nil {
				r, err := getIncident(tx, num)
				if err != nil {
					return err
				}
				of[num] = r.incident().Tasks
			}
			n, err := strconv.Atoi(key[len(prefix):])
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			for _, t := range of[num] {
				if t.ID == taskName(n) {
					list = append(list, t)
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list action items: %w", err)
	}
	return list, nil
}
