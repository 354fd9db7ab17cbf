package incident

// In this file: alerts that other systems sent, from the moment they were
// acknowledged until they are filed. What they are filed as, groups, is in
// heard_group.go and heard_entry.go, which of them wait in heard_due.go; what
// is done about one, commands decides.
//
// Keys, apart from the incidents' own so that nobody who watches those wakes:
//
//	heard/in/<time>-<random>/<part>     diskParcel, acknowledged and not filed yet
//	heard/id/<sum>                      diskKnown, of each alert by its source and id
//	heard/group/<sum>/<time>            diskGroup, of a certificate, or of what fits none
//	heard/due/<sum>/<time>              "1" while something is to be said or done about a group
//
// The rule for changing a type is that of disk.go.

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/store"
)

const (
	keyHeardIn    = "heard/in/"
	keyHeardID    = "heard/id/"
	keyHeardGroup = "heard/group/"
	keyHeardDue   = "heard/due/"
)

// States of a HeardAlert.
const (
	Firing       = "firing"
	Over         = "resolved"
	AlertHandled = "acknowledged" // somebody took it on over there
)

// HeardAlert is one message about one alert of another system. Its texts are
// strangers' words.
type HeardAlert struct {
	Source      string    // "alertmanager", "pagerduty", or what the sender calls itself
	ID          string    // theirs: the same source and id is the same alert
	Event       string    // tells one message about it from the next: the same one again changes nothing. "": its State tells
	State       string    // Firing, Over, AlertHandled
	Policy      string    // what is to be done when no incident is open: "entry", "suggest" or "declare"
	Title       string    // one line; alerts with the same are of one kind
	Text        string    // one line
	Link        string    // http or https; "": none
	Severity    string    // their word
	By          string    // who resolved or acknowledged it; "": not said
	Certificate string    // name in the inventory, where they say it outright
	Hosts       []string  // hosts that they name, with or without port, the most telling first
	Names       []string  // words that may be the name of a certificate or of a host
	Started     time.Time // by their account; zero: not said
	Happened    time.Time // what this message tells of, by their account; zero: not said
	At          time.Time // when it was received
}

// Longest parts of a HeardAlert that are kept, in characters, and how many.
const (
	maxHeardText = 600
	maxHeardWord = 200
	maxHeardList = 12
)

// diskParcel is some alerts of one delivery, version 1.
type diskParcel struct {
	V      int         `json:"v"`
	Alerts []diskHeard `json:"alerts"`
}

type diskHeard struct {
	Source      string    `json:"source"`
	ID          string    `json:"id"`
	Event       string    `json:"event,omitempty"`
	State       string    `json:"state"`
	Policy      string    `json:"policy,omitempty"`
	Title       string    `json:"title"`
	Text        string    `json:"text,omitempty"`
	Link        string    `json:"link,omitempty"`
	Severity    string    `json:"severity,omitempty"`
	By          string    `json:"by,omitempty"`
	Certificate string    `json:"certificate,omitempty"`
	Hosts       []string  `json:"hosts,omitempty"`
	Names       []string  `json:"names,omitempty"`
	Started     time.Time `json:"started,omitzero"`
	Happened    time.Time `json:"happened,omitzero"`
	At          time.Time `json:"at"`
}

// fixed returns the alert fit for the record: bounded, without secrets and
// without what misleads the eye.
func (a HeardAlert) fixed(now time.Time) HeardAlert {
	list := func(in []string) (out []string) {
		for _, s := range in[:min(len(in), maxHeardList)] {
			if s = oneLine(s, 260); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	a.Source, a.ID, a.Event = oneLine(a.Source, 60), oneLine(a.ID, maxHeardWord), oneLine(a.Event, maxHeardWord)
	a.Title, a.Text, a.Link = oneLine(a.Title, maxHeardWord), oneLine(a.Text, maxHeardText), webAddress(a.Link)
	a.Severity, a.By, a.Certificate = oneLine(a.Severity, 40), oneLine(a.By, 80), oneLine(a.Certificate, maxTitle)
	a.Hosts, a.Names = list(a.Hosts), list(a.Names)
	if a.Title == "" {
		a.Title = "an alert without a name"
	}
	if a.State != Over && a.State != AlertHandled {
		a.State = Firing
	}
	if a.At.IsZero() || a.At.After(now) {
		a.At = now
	}
	a.At = a.At.UTC().Round(0)
	for _, t := range []*time.Time{&a.Started, &a.Happened} {
		if *t = t.UTC().Round(0); t.Year() < 1970 || t.Year() > 9999 {
			*t = time.Time{}
		}
	}
	return a
}

// webAddress returns an address of the web as it is, and "" for anything else.
func webAddress(s string) string {
	clean, cut := Clean(s, 500)
	low := strings.ToLower(clean)
	if cut || strings.ContainsAny(clean, " \n\"'<>\\") || !strings.HasPrefix(low, "https://") && !strings.HasPrefix(low, "http://") || len(clean) < len(s) {
		return ""
	}
	return clean
}

// parcelAlerts and parcelBytes are how many alerts, and how many bytes of them,
// one key holds.
const (
	parcelAlerts = 200
	parcelBytes  = 128 << 10
)

// TakeAlerts puts alerts on the record, durably, before it returns nil: only
// then may their sender be told that they were received.
func (b *Book) TakeAlerts(ctx context.Context, alerts []HeardAlert) error {
	now := b.clock()
	var parts [][]byte
	var p struct { // a diskParcel
		V      int               `json:"v"`
		Alerts []json.RawMessage `json:"alerts"`
	}
	size := 0
	flush := func() error {
		if len(p.Alerts) == 0 {
			return nil
		}
		p.V = diskVersion
		v, err := json.Marshal(p)
		parts, p.Alerts, size = append(parts, v), nil, 0
		return err
	}
	for _, a := range alerts {
		v, err := json.Marshal(diskHeard(a.fixed(now)))
		if err == nil && (size+len(v) > parcelBytes || len(p.Alerts) == parcelAlerts) {
			err = flush()
		}
		if err != nil {
			return fmt.Errorf("encode alerts: %w", err)
		}
		p.Alerts = append(p.Alerts, v)
		size += len(v)
	}
	if err := flush(); err != nil {
		return fmt.Errorf("encode alerts: %w", err)
	}
	var r [6]byte
	rand.Read(r[:]) // never fails
	base := fmt.Sprintf("%s%020d-%s/", keyHeardIn, now.UnixNano(), hex.EncodeToString(r[:]))
	const each = 50
	for n := 0; n < len(parts); n += each {
		err := b.s.Update(ctx, func(tx store.Tx) error {
			for i, v := range parts[n:min(n+each, len(parts))] {
				if err := tx.Put(fmt.Sprintf("%s%05d", base, n+i), v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("record %d alerts: %w", len(alerts), err)
		}
	}
	return nil
}

// Parcel is some alerts that were acknowledged and are not filed yet.
type Parcel struct {
	Key    string
	Alerts []HeardAlert
	Err    error // it cannot be read; it stays
}

// Parcels returns the oldest parcels after a key ("": from the first).
func (b *Book) Parcels(ctx context.Context, after string, limit int) (list []Parcel, err error) {
	from := keyHeardIn
	if after != "" {
		from = after + "\x00"
	}
	err = b.s.View(ctx, func(tx store.Tx) error {
		list = nil
		return tx.Scan(store.Range{Prefix: keyHeardIn, From: from, Limit: limit}, func(key string, v []byte) error {
			p := Parcel{Key: key}
			var d diskParcel
			if p.Err = json.Unmarshal(v, &d); p.Err == nil && d.V != diskVersion {
				p.Err = fmt.Errorf("version %d is not known here", d.V)
			}
			for _, a := range d.Alerts {
				p.Alerts = append(p.Alerts, HeardAlert(a))
			}
			list = append(list, p)
			return nil
		})
	})
	return list, err
}

// ParcelDone takes a parcel away whose alerts are filed.
func (b *Book) ParcelDone(ctx context.Context, key string) error {
	return b.s.Update(ctx, func(tx store.Tx) error { return tx.Delete(key) })
}

// How long an alert is known after it was heard of last, so that a repetition
// does nothing, and how long a group is kept.
const (
	keepKnown = 45 * day
	keepGroup = 90 * day
)

// SweepAlerts forgets alerts and groups that nothing was heard of for long.
func (b *Book) SweepAlerts(ctx context.Context) error {
	now := b.clock()
	var old []string
	err := b.s.View(ctx, func(tx store.Tx) error {
		old = nil
		err := tx.Scan(store.Range{Prefix: keyHeardID}, func(key string, v []byte) error {
			var k diskKnown
			if json.Unmarshal(v, &k) == nil && now.Sub(k.Heard) > keepKnown {
				old = append(old, key)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Scan(store.Range{Prefix: keyHeardGroup}, func(key string, v []byte) error {
			var g diskGroup
			if json.Unmarshal(v, &g) == nil && now.Sub(g.Last) > keepGroup {
				old = append(old, key)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("look for old alerts: %w", err)
	}
	for n := 0; n < len(old); n += 80 {
		err := b.s.Update(ctx, func(tx store.Tx) error {
			for _, k := range old[n:min(n+80, len(old))] {
				if err := tx.Delete(k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("forget old alerts: %w", err)
		}
	}
	return nil
}
