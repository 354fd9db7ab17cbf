package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/certmedic/certmedic/store"
)

// In this file: the alerts that were posted while no incident was open yet.
// Only the last one of each certificate is kept, for the timeline of the
// incident that somebody declares because of it.

// PostedAlert is an alert that went out.
type PostedAlert struct {
	Certificate string
	Room        string    // "main"
	Key         string    // the same key is the same alert
	At          time.Time // when it was posted
	Text        string    // what it said, one line
}

// Entry is the alert as a line of a timeline.
func (a PostedAlert) Entry() Entry {
	return Entry{At: a.At, By: Bot, Kind: Alert, Key: a.Key, Text: "Alert in " + a.Room + ": " + a.Text,
		Evidence: Evidence{Alert: AlertEvidence{Certificate: a.Certificate, Room: a.Room, Key: a.Key}}}
}

// diskAlert is a PostedAlert on disk, version 1.
type diskAlert struct {
	V    int       `json:"v"`
	Room string    `json:"room"`
	Key  string    `json:"key"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

func alertKey(certificate string) string { return keyAlert + url.PathEscape(certificate) }

// KeepAlert remembers the last alert about a certificate. With the same Key
// the first one stays, with its time.
func (b *Book) KeepAlert(ctx context.Context, a PostedAlert) (PostedAlert, error) {
	a.Certificate, a.Room, a.Text = oneLine(a.Certificate, maxTitle), oneLine(a.Room, maxTitle), oneLine(a.Text, maxText)
	if a.Certificate == "" || a.Key == "" {
		return a, fmt.Errorf("alert without certificate or key: %w", ErrState)
	}
	if a.At.IsZero() {
		a.At = b.clock()
	}
	a.At = a.At.UTC().Round(0)
	v, err := json.Marshal(diskAlert{V: diskVersion, Room: a.Room, Key: a.Key, At: a.At, Text: a.Text})
	if err != nil {
		return a, fmt.Errorf("encode alert of %s: %w", a.Certificate, err)
	}
	kept := a
	err = b.s.Update(ctx, func(tx store.Tx) error {
		old, found, err := getAlert(tx, a.Certificate)
		if err != nil {
			return err
		}
		if kept = a; found && old.Key == a.Key {
			kept = old
			return nil
		}
		return tx.Put(alertKey(a.Certificate), v)
	})
	return kept, err
}

// LastAlert returns the last alert kept about a certificate; found is false
// when there was none.
func (b *Book) LastAlert(ctx context.Context, certificate string) (a PostedAlert, found bool, err error) {
	err = b.s.View(ctx, func(tx store.Tx) error {
		a, found, err = getAlert(tx, oneLine(certificate, maxTitle))
		return err
	})
	return a, found, err
}

func getAlert(tx store.Tx, certificate string) (PostedAlert, bool, error) {
	v, err := tx.Get(alertKey(certificate))
	if err != nil || v == nil {
		return PostedAlert{}, false, err
	}
	var d diskAlert
	if err := json.Unmarshal(v, &d); err != nil {
		return PostedAlert{}, false, fmt.Errorf("decode %s: %w", alertKey(certificate), err)
	}
	if d.V != diskVersion {
		return PostedAlert{}, false, fmt.Errorf("decode %s: version %d is not known here", alertKey(certificate), d.V)
	}
	return PostedAlert{Certificate: certificate, Room: d.Room, Key: d.Key, At: d.At, Text: d.Text}, true, nil
}
