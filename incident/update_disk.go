package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: status updates in the record, and reading them.

// diskUpdate is an Update in the record, version 1.
type diskUpdate struct {
	V        int            `json:"v"`
	N        int            `json:"n"`
	Title    string         `json:"title,omitempty"`
	Text     string         `json:"text"`
	Status   string         `json:"status"`
	Severity int            `json:"severity"`
	By       diskPerson     `json:"by"`
	At       time.Time      `json:"at"`
	State    string         `json:"state"`
	Out      time.Time      `json:"out,omitzero"`
	Decided  diskPerson     `json:"decided,omitzero"`
	Reason   string         `json:"reason,omitempty"`
	Entry    int            `json:"entry"`
	To       []diskDelivery `json:"to,omitempty"`
}

type diskDelivery struct {
	Target   string    `json:"target"`
	State    string    `json:"state"`
	At       time.Time `json:"at,omitzero"`
	Text     string    `json:"text,omitempty"`
	Ref      string    `json:"ref,omitempty"`
	Open     bool      `json:"open,omitempty"`
	Try      int       `json:"try,omitempty"`
	Kind     string    `json:"kind,omitempty"`
	Audience string    `json:"audience,omitempty"`
}

// diskAsking stands in the incident's record, version 1.
type diskAsking struct {
	N     int        `json:"n"`
	Since time.Time  `json:"since"`
	By    diskPerson `json:"by"`
}

// diskOut counts what is under way, so that the index is right. It stands in
// the incident's record, version 1.
type diskOut struct {
	Pending int      `json:"pending,omitempty"` // deliveries
	Open    []string `json:"open,omitempty"`    // targets that show an incident of it
}

func (d diskUpdate) update(num int) Update {
	u := Update{ID: updateName(d.N), Incident: idOf(num), Title: d.Title, Text: d.Text, Status: Status(d.Status), Severity: Severity(d.Severity), By: d.By.person(), At: d.At,
		State: d.State, Out: d.Out, Decided: d.Decided.person(), Reason: d.Reason, Entry: entryName(d.Entry), Deliveries: []Delivery{}}
	for _, t := range d.To {
		u.Deliveries = append(u.Deliveries, Delivery(t))
	}
	return u
}

func updateName(n int) string { return "U-" + strconv.Itoa(n) }

func updatePrefix(num int) string { return "incident/" + idOf(num) + "/update/" }

func updateKey(num, n int) string { return updatePrefix(num) + padded(n) }

// updateNumber returns 2 for "U-2", or ErrNotFound.
func updateNumber(id string) (int, error) {
	digits, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(id)), "U-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != digits {
		return 0, fmt.Errorf("update %.40q: %w", id, ErrNotFound)
	}
	return n, nil
}

func getUpdate(tx store.Tx, num, n int) (diskUpdate, error) {
	v, err := tx.Get(updateKey(num, n))
	if err != nil {
		return diskUpdate{}, err
	}
	if v == nil {
		return diskUpdate{}, fmt.Errorf("update %s of %s: %w", updateName(n), idOf(num), ErrNotFound)
	}
	return decodeUpdate(num, v)
}

func decodeUpdate(num int, v []byte) (d diskUpdate, err error) {
	if err := json.Unmarshal(v, &d); err != nil {
		return d, fmt.Errorf("decode an update of %s: %w", idOf(num), err)
	}
	if d.V != diskVersion {
		return d, fmt.Errorf("decode an update of %s: version %d is not known here", idOf(num), d.V)
	}
	return d, nil
}

func (p *page) putUpdate(d diskUpdate) error {
	v, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode %s of %s: %w", updateName(d.N), idOf(p.r.Num), err)
	}
	return p.tx.Put(updateKey(p.r.Num, d.N), v)
}

// underWay keeps the index of incidents with something under way right.
func (p *page) underWay() error {
	out := p.r.out()
	if out.Pending > 0 || len(out.Open) > 0 {
		return p.tx.Put(keyOut+padded(p.r.Num), []byte(strconv.Itoa(p.r.Num)))
	}
	p.r.Out = nil
	return p.tx.Delete(keyOut + padded(p.r.Num))
}

func (r diskIncident) out() diskOut {
	if r.Out == nil {
		return diskOut{}
	}
	return *r.Out
}

// Updates returns the updates of an incident, in the order of writing.
func (b *Book) Updates(ctx context.Context, id string) ([]Update, error) {
	num, err := number(id)
	if err != nil {
		return nil, err
	}
	var list []Update
	err = b.s.View(ctx, func(tx store.Tx) error {
		list = []Update{}
		return tx.Scan(store.Range{Prefix: updatePrefix(num)}, func(_ string, v []byte) error {
			d, err := decodeUpdate(num, v)
			list = append(list, d.update(num))
			return err
		})
	})
	return list, err
}

// UnderWay returns the incidents with a delivery that is pending, or with a
// target that shows an incident of theirs.
func (b *Book) UnderWay(ctx context.Context) ([]Incident, error) {
	var list []Incident
	err := b.s.View(ctx, func(tx store.Tx) error {
		list = nil
		return tx.Scan(store.Range{Prefix: keyOut}, func(key string, v []byte) error {
			num, err := strconv.Atoi(string(v))
			if err != nil {
				return fmt.Errorf("decode %s: %w", key, err)
			}
			r, err := getIncident(tx, num)
			if errors.Is(err, ErrNotFound) {
				return nil // removed: nobody can be told of it any more
			}
			if err == nil {
				list = append(list, r.incident())
			}
			return err
		})
	})
	return list, err
}
