package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// This file holds the outbox: what is to be said in a service's channels, in
// order, paced, kept until it is said. How a parcel is sent is outbox_send.go.

// Note is one key and value of an adapter's own part of the record.
type Note struct {
	Key   string
	Value []byte
}

// Notes is an adapter's own part of the record. cmd implements it on the store.
type Notes interface {
	// Add writes a note unless its key is there already; false says that it was.
	Add(ctx context.Context, n Note) (bool, error)
	// Put writes at most 50 notes at once, durably. An empty Value removes.
	Put(ctx context.Context, ns ...Note) error
	// List returns the notes whose key starts so, in the keys' order.
	List(ctx context.Context, prefix string) ([]Note, error)
}

// Parcel is one thing to be done in a channel. On disk it is JSON with V 1; a
// reader refuses a higher one, new fields may join, none changes its meaning.
type Parcel struct {
	V    int             `json:"v"`
	N    int64           `json:"n"`             // the order, and what tells it from all others
	Lane string          `json:"lane"`          // the channel: a lane is sent in order
	Key  string          `json:"key,omitempty"` // parcels of one key are one message, edited
	Body json.RawMessage `json:"body"`          // the service's
	At   time.Time       `json:"at"`
	Sent bool            `json:"sent,omitempty"` // it was handed over, and it is not known what became of it

	flying bool
}

// NewParcel makes a parcel of a body that can be written as JSON.
func NewParcel(lane, key string, body any) (Parcel, error) {
	b, err := json.Marshal(body)
	return Parcel{Lane: lane, Key: key, Body: b}, err
}

// Mark tells a parcel in the service's own record, so that it is found again.
func (p Parcel) Mark() string { return fmt.Sprintf("cm-%d", p.N) }

func (p Parcel) key() string { return fmt.Sprintf("out/%020d", p.N) }

func (p Parcel) note() (Note, error) {
	b, err := json.Marshal(p)
	return Note{p.key(), b}, err
}

// Sender does what parcels say. An error is a *Later, ErrRefused or ErrGone
// (wrapped), or anything else: then it is not known whether it was done.
type Sender interface {
	// Post says it, and returns where it stands ("" for what has no place).
	Post(ctx context.Context, p Parcel) (place string, err error)
	// Edit says it in the place of what was said before.
	Edit(ctx context.Context, p Parcel, place string) error
	// Find looks for a parcel that may have been posted; "" when it was not.
	Find(ctx context.Context, p Parcel) (place string, err error)
}

// Later says that nothing was done, and when to try again.
type Later struct {
	After time.Duration
	All   bool // no lane may be sent until then
	Quiet bool // it only waits for its turn: nothing failed
	Err   error
}

func (l *Later) Error() string { return fmt.Sprintf("%v (again in %s)", l.Err, l.After) }

func (l *Later) Unwrap() error { return l.Err }

var (
	// ErrRefused marks what the service will never take: the parcel is dropped.
	ErrRefused = errors.New("refused for good")
	// ErrGone, of an edit, marks a message that is not there any more: it is posted anew.
	ErrGone = errors.New("the message is gone")
)

// OutboxOptions are what an Outbox is made of.
type OutboxOptions struct {
	Notes  Notes
	Sender Sender
	Now    func() time.Time
	Log    *slog.Logger
	Every  time.Duration // between two parcels of a lane; default 1 s
	Burst  int           // so many may go at once; default 3
	Edits  time.Duration // between two revisions of one message; default 2 s
	Retry  time.Duration // the first pause after a failure, doubled up to 30 times that; default 1 s
	Limit  time.Duration // of one parcel's sending, also after Run was told to end; default 20 s
}

// Outbox sends parcels: in order per lane, none twice, none lost.
type Outbox struct {
	o    OutboxOptions
	wake chan struct{}

	mu     sync.Mutex
	lanes  map[string]*outLane
	last   int64
	pause  time.Time // of all lanes
	loaded bool
	err    error // of the last send; nil when it went well
}

// outLane is a channel's queue.
type outLane struct {
	q      []Parcel
	busy   bool
	tokens float64
	filled time.Time
	hold   time.Time
	fails  int
	said   map[string]time.Time // by key: when its last revision was sent
}

// NewOutbox makes an Outbox.
func NewOutbox(o OutboxOptions) *Outbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Burst <= 0 {
		o.Burst = 3
	}
	if o.Edits <= 0 {
		o.Edits = 2 * time.Second
	}
	if o.Retry <= 0 {
		o.Retry = time.Second
	}
	if o.Limit <= 0 {
		o.Limit = 20 * time.Second
	}
	return &Outbox{o: o, wake: make(chan struct{}, 1), lanes: map[string]*outLane{}}
}

// Put takes parcels (Lane, Key and Body are read) and returns when they are
// written down; also are further notes of the same transaction. A parcel whose
// key waits already replaces what waits.
func (b *Outbox) Put(ctx context.Context, ps []Parcel, also ...Note) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return err
	}
	notes := slices.Clone(also)
	for i := range ps {
		ps[i].V, ps[i].At, ps[i].Sent = 1, b.o.Now().UTC(), false
		if w := b.waiting(ps[i]); w != nil {
			ps[i].N, ps[i].At = w.N, w.At
		} else {
			b.last = max(b.last+1, b.o.Now().UnixNano())
			ps[i].N = b.last
		}
		n, err := ps[i].note()
		if err != nil {
			return fmt.Errorf("encode a parcel: %w", err)
		}
		notes = append(notes, n)
	}
	if err := b.o.Notes.Put(ctx, notes...); err != nil {
		return fmt.Errorf("write to the outbox: %w", err)
	}
	for _, p := range ps {
		if w := b.waiting(p); w != nil && w.N == p.N {
			w.Body = p.Body
		} else {
			l := b.lane(p.Lane)
			l.q = append(l.q, p)
		}
	}
	b.poke()
	return nil
}

// Waiting is how many parcels are not sent yet, and what the last send failed of.
func (b *Outbox) Waiting() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, l := range b.lanes {
		n += len(l.q)
	}
	return n, b.err
}

// waiting returns the parcel that a new one replaces, or nil. b.mu is held.
func (b *Outbox) waiting(p Parcel) *Parcel {
	l := b.lanes[p.Lane]
	if p.Key == "" || l == nil {
		return nil
	}
	for i := len(l.q) - 1; i >= 0; i-- {
		if w := &l.q[i]; w.Key == p.Key && !w.flying && !w.Sent {
			return w
		}
	}
	return nil
}

// lane returns a lane. b.mu is held.
func (b *Outbox) lane(name string) *outLane {
	l := b.lanes[name]
	if l == nil {
		l = &outLane{tokens: float64(b.o.Burst), filled: b.o.Now(), said: map[string]time.Time{}}
		b.lanes[name] = l
	}
	return l
}

// load reads what an earlier process left. b.mu is held.
func (b *Outbox) load(ctx context.Context) error {
	if b.loaded {
		return nil
	}
	ns, err := b.o.Notes.List(ctx, "out/")
	if err != nil {
		return fmt.Errorf("read the outbox: %w", err)
	}
	for _, n := range ns {
		var p Parcel
		if err := json.Unmarshal(n.Value, &p); err != nil || p.V > 1 {
			return fmt.Errorf("parcel %s of the outbox cannot be read (version %d): %w", n.Key, p.V, errors.Join(err))
		}
		l := b.lane(p.Lane)
		l.q = append(l.q, p)
		b.last = max(b.last, p.N)
	}
	b.loaded = true
	return nil
}

func (b *Outbox) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}
