package commands

// This file takes alerts of other systems: what is acknowledged is on the
// record, and worked off by WorkAlerts, also after a kill. Which certificate an
// alert is about is in alerts_match.go, what is said and done in
// alerts_tell.go, the words for it in alerts_words.go.

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// Alert is one message about one alert of another system.
type Alert = incident.HeardAlert

// States of an Alert.
const (
	AlertFiring   = incident.Firing
	AlertResolved = incident.Over
	AlertTaken    = incident.AlertHandled
)

// Policies: what is done about an alert for a certificate that no incident is
// open for.
const (
	AlertEntry   = "entry"   // nothing: it stands on the timeline of the incident that somebody declares
	AlertSuggest = "suggest" // main is told, with a button that declares
	AlertDeclare = "declare" // an incident is declared
)

// ErrAlertsFull is returned when too many alerts wait to be worked off.
var ErrAlertsFull = errors.New("too many alerts wait")

// Bounds of a burst.
const (
	maxWaiting  = 50_000           // alerts acknowledged and not filed; more are refused
	maxSuggest  = 10               // messages in main for one round of work; the others share one
	maxChecks   = 5                // certificates checked anew in one round
	maxDeclare  = 5                // incidents declared unasked within declareIn
	declareIn   = 10 * time.Minute // the others are suggested
	maxRoundDue = 200
)

// alertWork is what a Desk holds of alerts in memory.
type alertWork struct {
	once     sync.Once
	wake     chan struct{}
	waiting  atomic.Int64
	declared []time.Time // by the worker alone
	match    *matcher    // by the worker alone
}

func (w *alertWork) init() { w.once.Do(func() { w.wake = make(chan struct{}, 1) }) }

// TakeAlerts puts alerts on the record before it returns nil; WorkAlerts sees
// to them. It returns ErrAlertsFull when too many wait.
func (d *Desk) TakeAlerts(ctx context.Context, alerts []Alert) error {
	d.alerts.init()
	if len(alerts) == 0 {
		return nil
	}
	n := int64(len(alerts))
	if d.alerts.waiting.Add(n) > maxWaiting {
		d.alerts.waiting.Add(-n)
		return ErrAlertsFull
	}
	if err := d.o.Book.TakeAlerts(ctx, alerts); err != nil {
		d.alerts.waiting.Add(-n)
		return err
	}
	d.alertsPoke()
	return nil
}

// AlertsWaiting is how many alerts are acknowledged and not worked off.
func (d *Desk) AlertsWaiting() int { return int(d.alerts.waiting.Load()) }

func (d *Desk) alertsPoke() {
	d.alerts.init()
	select {
	case d.alerts.wake <- struct{}{}:
	default:
	}
}

// WorkAlerts works off what TakeAlerts recorded, also by an earlier process,
// until ctx ends. One caller at a time.
func (d *Desk) WorkAlerts(ctx context.Context, post func(Post)) error {
	d.alerts.init()
	d.alerts.match = newMatcher(d.o.Renewer.Inventory())
	var swept time.Time
	pause := time.Second
	for first := true; ; first = false {
		err := d.alertRound(ctx, post, first)
		if ctx.Err() != nil {
			return nil
		}
		var again <-chan time.Time
		if err != nil {
			d.o.Log.ErrorContext(ctx, "alerts", "error", err)
			again, pause = time.After(pause), min(2*pause, time.Minute)
		} else {
			pause = time.Second
		}
		if now := d.o.Now(); now.Sub(swept) > 6*time.Hour {
			if err := d.o.Book.SweepAlerts(ctx); err != nil && ctx.Err() == nil {
				d.o.Log.ErrorContext(ctx, "alerts", "error", err)
			}
			swept = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.alerts.wake:
		case <-again:
		}
	}
}

// alertRound files everything that waits, then says and does what is due.
func (d *Desk) alertRound(ctx context.Context, post func(Post), first bool) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("panic: %v\n%s", e, debug.Stack())
		}
	}()
	if d.alerts.match == nil {
		d.alerts.match = newMatcher(d.o.Renewer.Inventory())
	}
	errs := []error{d.fileAlerts(ctx, first), d.tellAlerts(ctx, post)}
	return errors.Join(errs...)
}

// fileAlerts files the parcels. first: those of an earlier process were never
// counted as waiting.
func (d *Desk) fileAlerts(ctx context.Context, first bool) error {
	after := ""
	var errs []error
	for ctx.Err() == nil {
		parcels, err := d.o.Book.Parcels(ctx, after, 4)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("read alerts: %w", err))...)
		}
		for _, p := range parcels {
			after = p.Key
			if p.Err != nil {
				errs = append(errs, fmt.Errorf("alerts at %s cannot be read and stay: %w", p.Key, p.Err))
				continue
			}
			fresh, err := d.o.Book.FileAlerts(ctx, p, d.alerts.match.certificate)
			if err == nil {
				err = d.o.Book.ParcelDone(ctx, p.Key)
			}
			if err != nil {
				return errors.Join(append(errs, err)...)
			}
			if left := d.alerts.waiting.Add(-int64(len(p.Alerts))); left < 0 {
				d.alerts.waiting.CompareAndSwap(left, 0) // of before this process
			}
			d.o.Log.InfoContext(ctx, "alerts filed", "received", len(p.Alerts), "new", fresh, "at_start", first)
		}
		if len(parcels) == 0 {
			break
		}
	}
	return errors.Join(errs...)
}
