package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// Room is where the responder types.
type Room interface {
	// Say says one line and returns the answer to it.
	Say(ctx context.Context, line string) (commands.Reply, error)
}

// People is a Room in which others can speak too; it is needed where a
// renewal wants an approval.
type People interface {
	As(name string) Room
}

// Outside reads what the bot has on record, by a way that is not the room, so
// that the drill can tell when the bot noticed something by itself. Nothing
// here makes the bot look.
type Outside interface {
	// Standing is how the certificate stands by the engine's own checks.
	Standing(ctx context.Context, certificate string) (renew.Standing, error)
	// Renewals of the certificate, newest first.
	Renewals(ctx context.Context, certificate string) ([]renew.Renewal, error)
	// Incident returns one incident.
	Incident(ctx context.Context, id string) (incident.Incident, error)
}

// play is one run of a script.
type play struct {
	e    *Estate
	room Room
	out  Outside
	tell func(line string)
	card Card

	names    string // what the domain resolved to at the start
	detected time.Time
	renewal  renew.Renewal
}

func newPlay(name string, e *Estate, room Room, out Outside, tell func(string)) *play {
	if tell == nil {
		tell = func(string) {}
	}
	return &play{e: e, room: room, out: out, tell: tell,
		card: Card{Drill: name, LeftBehind: []string{}, Hosts: Hosts{Total: len(e.hosts)}}}
}

// say types a line; an answer that refuses it is an error.
func (p *play) say(ctx context.Context, line string) (commands.Reply, error) {
	return p.sayAs(ctx, p.room, line)
}

func (p *play) sayAs(ctx context.Context, room Room, line string) (commands.Reply, error) {
	p.card.TypedCommands++
	p.tell("")
	p.tell("> " + line)
	r, err := room.Say(ctx, line)
	if err != nil {
		return r, fmt.Errorf("%s: %w", line, err)
	}
	for l := range strings.Lines(console.Render(r, 100, false)) {
		p.tell(strings.TrimRight(l, " \n"))
	}
	if !r.Problem.IsZero() {
		return r, fmt.Errorf("%s: %s %s", line, r.Problem.Message, r.Problem.Hint)
	}
	return r, nil
}

// until asks again and again, until done, an error or the end of ctx.
func until(ctx context.Context, what string, done func() (bool, error)) error {
	for {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// outage plays everything from the expiry to the draft. plan asks for the
// renewal's plan and returns the line that starts it.
func (p *play) outage(ctx context.Context, title string, plan func(context.Context) (string, error)) error {
	for _, step := range []func(context.Context) error{p.expire, p.detect, p.diagnose} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := p.declare(ctx, title); err != nil {
		return err
	}
	line, err := plan(ctx)
	if err != nil {
		return err
	}
	if err := p.renew(ctx, line); err != nil {
		return err
	}
	p.verify(ctx)
	return p.end(ctx)
}

// expire waits for the certificate's end and wants every host to have been
// good before and to fail afterwards.
func (p *play) expire(ctx context.Context) (err error) {
	if p.names, err = p.e.resolve(ctx); err != nil {
		return err
	}
	if good, wrong := p.e.Verified(ctx, fingerprint(p.e.first)); len(good) != len(p.e.hosts) {
		return fmt.Errorf("the estate was not well at the start: %w", errors.Join(wrong...))
	}
	p.tell(fmt.Sprintf("Every host serves %s, until %s.", p.e.Domain(), stamp(p.e.Expires())))
	wait := time.NewTimer(time.Until(p.e.Expires()))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for the expiry: %w", ctx.Err())
	case <-wait.C:
	}
	err = until(ctx, "every host fails", func() (bool, error) {
		good, _ := p.e.Verified(ctx, fingerprint(p.e.first))
		return len(good) == 0, nil
	})
	p.tell(fmt.Sprintf("It has expired, on %d of %d hosts.", len(p.e.hosts), len(p.e.hosts)))
	return err
}

// detect waits until the bot has noticed by itself.
func (p *play) detect(ctx context.Context) error {
	err := until(ctx, "the bot notices the expiry", func() (bool, error) {
		s, err := p.out.Standing(ctx, certificate)
		if err != nil {
			return false, err
		}
		at, ok := failing(s)
		p.detected = at
		return ok, nil
	})
	if err != nil {
		return err
	}
	p.card.Durations.Detection = between(p.e.Expires(), p.detected)
	p.tell(fmt.Sprintf("The bot noticed at %s, %s after the expiry.", stamp(p.detected), seconds(p.card.Durations.Detection)))
	return nil
}

// failing reports that a standing holds an expired address, and since when.
func failing(s renew.Standing) (time.Time, bool) {
	for _, r := range s.Reports {
		for _, f := range r.All() {
			if f.ID != "expired" || s.Verdict != renew.Critical {
				continue
			}
			if s.Since.After(s.NotAfter) {
				return s.Since, true
			}
			return r.At, true // it was critical before, for another reason
		}
	}
	return time.Time{}, false
}

// diagnose asks what is wrong and wants one cause for every host.
func (p *play) diagnose(ctx context.Context) error {
	r, err := p.say(ctx, "/certcheck "+certificate)
	if err != nil {
		return err
	}
	p.card.Durations.Diagnosis = between(p.detected, time.Now())
	text := strings.ToLower(console.Render(r, 200, false))
	if r.State != commands.StateCritical || !strings.Contains(text, "expired") {
		p.card.wrong("the diagnosis does not say that the certificate has expired: %s", r.Headline)
	}
	for _, h := range p.e.hosts {
		if !strings.Contains(text, h.name) && !strings.Contains(text, h.addr) {
			p.card.wrong("the diagnosis does not name %s", h.name)
		}
	}
	return nil
}

var incidentID = regexp.MustCompile(`INC-[0-9]+`)

// declare opens the incident and takes the lead.
func (p *play) declare(ctx context.Context, title string) error {
	r, err := p.say(ctx, "/incident declare sev2 "+title+" --cert "+certificate)
	if err != nil {
		return err
	}
	if p.card.Incident = r.Incident; p.card.Incident == "" {
		p.card.Incident = incidentID.FindString(r.Headline)
	}
	if p.card.Incident == "" {
		return fmt.Errorf("the declaration names no incident: %s", r.Headline)
	}
	_, err = p.say(ctx, "/incident lead "+p.card.Incident+" me")
	return err
}

// renew says the line that starts it, has it approved where the policy wants
// that, and waits for the end.
func (p *play) renew(ctx context.Context, line string) error {
	if _, err := p.say(ctx, line); err != nil {
		return err
	}
	approved := false
	shown := map[string]string{}
	p.tell("")
	err := until(ctx, "the renewal ends", func() (bool, error) {
		all, err := p.out.Renewals(ctx, certificate)
		if err != nil || len(all) == 0 {
			return false, err
		}
		p.renewal = all[0]
		for _, h := range p.renewal.Hosts {
			if h.State != renew.HostWaiting && h.State != shown[h.Host] {
				shown[h.Host] = h.State
				p.tell(fmt.Sprintf("%s: %s %s, %s", p.renewal.ID, h.Host, strings.ReplaceAll(h.State, "_", " "), stamp(h.At)))
			}
		}
		if p.renewal.State == renew.Waiting && !approved {
			approved = true
			return false, p.approve(ctx)
		}
		return p.renewal.State.Final() || p.renewal.State == renew.Stopped, nil
	})
	if err != nil {
		return err
	}
	if p.renewal.State != renew.Done {
		return fmt.Errorf("the renewal %s is %s: %s", p.renewal.ID, p.renewal.State, p.renewal.Problem)
	}
	// The check of the whole follows a moment later; nobody types that fast.
	err = until(ctx, "the bot finds the certificate good", func() (bool, error) {
		s, err := p.out.Standing(ctx, certificate)
		return s.Verdict == renew.Good, err
	})
	if err != nil {
		return err
	}
	var last time.Time
	for _, h := range p.renewal.Hosts {
		if h.State != renew.HostVerified {
			p.card.wrong("%s is %s in the record of %s", h.Host, h.State, p.renewal.ID)
		}
		if h.At.After(last) {
			last = h.At
		}
	}
	p.card.Durations.Verified = between(p.renewal.Approved, last)
	if n := len(p.e.ca.NewOrders(p.e.Domain())); n != 1 {
		p.card.wrong("the CA saw %d orders, not one", n)
	}
	return p.proved(ctx)
}

// proved notes which challenge was used, and wants the domain to resolve to
// what it did before.
func (p *play) proved(ctx context.Context) error {
	used := p.renewal.Ask.Challenge
	if used == "" {
		used = renew.HTTP01
	}
	now, err := p.e.resolve(ctx)
	if err != nil {
		return err
	}
	p.card.challenge = strings.ToUpper(used) + "; the domain's addresses stayed as they were"
	if now != p.names {
		p.card.challenge = strings.ToUpper(used) + "; the domain's addresses were changed"
		p.card.wrong("%s resolved to %s, and now to %s", p.e.Domain(), p.names, now)
	}
	return nil
}

func (p *play) approve(ctx context.Context) error {
	people, ok := p.room.(People)
	if !ok {
		return fmt.Errorf("%s waits for approval, and nobody else is in this room", p.renewal.ID)
	}
	_, err := p.sayAs(ctx, people.As("cleo"), "/renew approve "+p.renewal.ID+" the certificate has expired")
	return err
}

// verify looks at every host itself.
func (p *play) verify(ctx context.Context) {
	good, wrong := p.e.Verified(ctx, p.renewal.Issued.SHA256)
	p.card.Hosts.Verified = len(good)
	for _, err := range wrong {
		p.card.wrong("%v", err)
	}
	p.tell(fmt.Sprintf("Looked at from outside: %d of %d hosts serve the new certificate %.16s.", len(good), len(p.e.hosts), p.renewal.Issued.SHA256))
}

// end resolves and closes the incident, and writes the draft down.
func (p *play) end(ctx context.Context) error {
	id := p.card.Incident
	gone := math.Ceil(p.renewal.Ended.Sub(p.e.Expires()).Seconds())
	if _, err := p.say(ctx, fmt.Sprintf("/incident impact %s images did not load for %.0f s, for everybody", id, gone)); err != nil {
		return err
	}
	if _, err := p.say(ctx, "/incident resolve "+id); err != nil {
		return err
	}
	r, err := p.say(ctx, "/incident close "+id)
	if err != nil {
		return err
	}
	i, err := p.out.Incident(ctx, id)
	if err != nil {
		return err
	}
	if i.Status != incident.Closed {
		p.card.wrong("%s is %s and not closed", id, i.Status)
	}
	return p.keep(r.Files)
}

// keep writes the draft's forms beside the estate and counts its facts.
func (p *play) keep(files []commands.File) error {
	paths := map[string]*string{".md": &p.card.Postmortem.Markdown, ".html": &p.card.Postmortem.HTML, ".json": &p.card.Postmortem.JSON}
	for _, f := range files {
		to, ok := paths[filepath.Ext(f.Name)]
		if !ok || len(f.Data) == 0 {
			continue
		}
		*to = filepath.Join(p.e.o.Dir, filepath.Base(f.Name))
		if err := os.WriteFile(*to, f.Data, 0o600); err != nil {
			return fmt.Errorf("write the draft: %w", err)
		}
		if to != &p.card.Postmortem.JSON {
			continue
		}
		var draft struct {
			Facts []struct {
				Unaided bool `json:"unaided"`
			} `json:"facts"`
		}
		if err := json.Unmarshal(f.Data, &draft); err != nil {
			return fmt.Errorf("read the draft: %w", err)
		}
		p.card.Facts.Total = len(draft.Facts)
		for _, x := range draft.Facts {
			if x.Unaided {
				p.card.Facts.Unaided++
			}
		}
	}
	return nil
}

// finish closes the card. err is what ended the play early, nil when nothing
// did; it is on the card and not returned twice.
func (p *play) finish(ctx context.Context, err error) (Card, error) {
	if err != nil {
		p.card.wrong("%v", err)
	}
	p.card.LeftBehind = append(p.card.LeftBehind, p.e.LeftBehind(ctx)...)
	p.card.judge()
	return p.card, ctx.Err()
}

// stamp is a moment as people read it: date, time and zone.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
