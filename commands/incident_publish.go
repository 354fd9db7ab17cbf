package commands

// This file publishes postmortems to a repository: what people ask for, and
// the worker that draws what is on the record as to be published, hands it to
// the Publisher and says how it went. Nothing here knows git.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/incident/postmortem"
)

// publishWord is what people type after /incident postmortem.
const publishWord = "publish"

// Codes after which a person must ask again; after others it is tried again.
const (
	PublishEdited = "edited_there" // of a Publisher: others changed the file; Paper.Over writes over it
	publishNotNow = "not_now"      // reopened or made private since
)

// How long a publication that failed waits for its next try.
const (
	publishFirst = 30 * time.Second
	publishMost  = time.Hour
	publishTick  = 15 * time.Second
)

// Publisher puts papers into a repository.
type Publisher interface {
	// Put has a paper stand in the repository, once: the same paper again is
	// found there. What is wrong is a Problem for people, where it can be.
	Put(ctx context.Context, p Paper) (Placed, error)
	// Place names the repository and the branch for people.
	Place() string
}

// Paper is a draft to be published.
type Paper struct {
	Incident string    // "INC-7"
	Declared time.Time // with Incident, which incident it is, of whatever record
	Path     string    // without folder and ending: letters, digits and dashes
	Subject  string    // one line
	Files    []File    // Name is what comes after Path: ".md", ".png"
	Content  string    // hash of Files
	At       time.Time // of the commit
	Over     bool      // also over what others changed
}

// Placed says where a paper stands.
type Placed struct {
	Commit  string // in hexadecimal
	Path    string // in the repository
	Already bool   // it stood there
}

// publishes reports whether a line of /incident postmortem asks to publish.
func (c *call) publishes() bool {
	words := c.args.words
	if len(words) > 0 && isIncident(words[0].text) {
		words = words[1:]
	}
	return len(words) > 0 && strings.EqualFold(words[0].text, publishWord)
}

// askPublish puts the intent on the record; the worker does the rest.
func (c *call) askPublish(ctx context.Context, i incident.Incident) (Reply, error) {
	if c.d.o.Publisher == nil {
		return Reply{}, Problem{Code: "no_repository", Message: "No git repository is configured for postmortems.",
			Hint: "Name one under postmortem: git: in the configuration (docs/postmortem.md says how), and restart certmedic. The draft itself: /incident postmortem " + i.ID}
	}
	ch := c.change("")
	ch.Reason = c.args.value("anyway")
	from := i
	i, err := c.d.o.Book.AskPublish(ctx, i.ID, ch)
	switch {
	case errors.Is(err, incident.ErrReason):
		return Reply{}, Problem{Code: "private", Message: fmt.Sprintf("%s is private, and others may read %s.", from.ID, c.d.o.Publisher.Place()),
			Hint: "All the same: /incident postmortem " + from.ID + " publish --anyway why"}
	case errors.Is(err, incident.ErrState):
		return Reply{}, Problem{Code: "not_closed", Message: fmt.Sprintf("%s is %s, so its postmortem is not published.", from.ID, c.d.status(from.Status)), Hint: "Close it first: /incident close " + from.ID}
	case err != nil:
		return Reply{}, c.bookError(from, err)
	}
	c.d.publishPoke()
	return Reply{State: StateInfo, Public: c.public(i), Incident: i.ID, Headline: fmt.Sprintf("The postmortem of %s goes to %s.", i.ID, c.d.o.Publisher.Place()),
		Body: "Its room says when it is there, or why not.", Links: []Link{{"draft of " + i.ID, draftPath(i.ID)}}}, nil
}

func (d *Desk) publishPoke() {
	select {
	case d.papers <- struct{}{}:
	default:
	}
}

// WorkPublications publishes what the record says is to be published, also
// what an earlier process was asked, until ctx ends. One caller at a time.
func (d *Desk) WorkPublications(ctx context.Context, post func(Post)) error {
	t := time.NewTicker(publishTick)
	defer t.Stop()
	now := time.Time{} // at the start, whatever waits is tried: its cause may have been put right
	for {
		if err := d.PublishDue(ctx, now, post); err != nil && ctx.Err() == nil {
			d.o.Log.ErrorContext(ctx, "publish postmortems", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.papers:
		case <-t.C:
		}
		now = d.o.Now()
	}
}

// PublishDue goes once through the publications that are due at now; with a
// zero now, through all that wait.
func (d *Desk) PublishDue(ctx context.Context, now time.Time, post func(Post)) error {
	due, err := d.o.Book.Publications(ctx, now)
	if err != nil {
		return fmt.Errorf("read what is to be published: %w", err)
	}
	var errs []error
	for _, pub := range due {
		if ctx.Err() != nil {
			break
		}
		if err := d.publish(ctx, pub, post); err != nil {
			errs = append(errs, fmt.Errorf("publish %s: %w", pub.ID, err))
		}
	}
	return errors.Join(errs...)
}

// publish does one publication. It is said in the room before it is recorded
// as done: a kill between the two says the same again, in the same message.
func (d *Desk) publish(ctx context.Context, pub incident.Publication, post func(Post)) error {
	i, err := d.o.Book.Incident(ctx, pub.ID)
	if err != nil {
		return err
	}
	asked := pub.By.ID != ""
	if i.Status != incident.Closed || i.Private && !asked {
		p := Problem{Code: publishNotNow, Message: "It is " + d.status(i.Status) + " now.", Hint: "When it is closed: /incident postmortem " + i.ID + " publish"}
		if i.Status == incident.Closed {
			p.Message, p.Hint = "It is private now.", "One of its people can publish it all the same: /incident postmortem "+i.ID+" publish --anyway why"
		}
		return d.notPublished(ctx, i, pub, p, post)
	}
	paper, err := d.paper(ctx, i, pub)
	if err != nil {
		return d.notPublished(ctx, i, pub, err, post)
	}
	if !asked && paper.Content == pub.Content {
		return d.o.Book.PublishDone(ctx, pub, "")
	}
	placed, err := d.o.Publisher.Put(ctx, paper)
	if err != nil && ctx.Err() != nil {
		return nil // stopped: the next start goes on
	}
	if err != nil {
		return d.notPublished(ctx, i, pub, err, post)
	}
	r := Reply{State: StateGood, Public: true, Key: "publish/" + i.ID, Headline: fmt.Sprintf("The postmortem of %s is published.", i.ID),
		Body: fmt.Sprintf("Commit %s on %s: %s", placed.Commit[:min(len(placed.Commit), 12)], d.o.Publisher.Place(), placed.Path)}
	if pub.Commit == placed.Commit {
		r.Body += "\nNothing in it has changed since."
	}
	d.sayPublish(post, i.ID, r)
	text := ""
	if pub.Commit != placed.Commit {
		text = fmt.Sprintf("The postmortem is published: commit %s on %s, %s.", placed.Commit, d.o.Publisher.Place(), placed.Path)
	}
	pub.Commit, pub.Content = placed.Commit, paper.Content
	return d.o.Book.PublishDone(ctx, pub, text)
}

func (d *Desk) sayPublish(post func(Post), room string, r Reply) {
	if post != nil {
		post(Post{Room: room, Reply: clean(r), At: d.o.Now().UTC()})
	}
}

// notPublished records a failure, and says it when it is another one than
// before.
func (d *Desk) notPublished(ctx context.Context, i incident.Incident, pub incident.Publication, why error, post func(Post)) error {
	p := Problem{}
	if !errors.As(why, &p) {
		d.o.Log.ErrorContext(ctx, "publish a postmortem", "incident", i.ID, "error", why)
		p = Problem{Code: "internal", Message: "Something in certmedic failed; its log says what.", Hint: "Read the log of certmedic around " + stamp(d.o.Now()) + "."}
	}
	wait := min(publishFirst<<min(pub.Tries, 10), publishMost)
	next := d.o.Now().UTC().Add(wait)
	again := "It is tried again by itself, at the latest every hour."
	if p.Code == publishNotNow || p.Code == PublishEdited {
		next, again = time.Time{}, ""
	}
	if pub.Failed == p.Message && (pub.Tries > 0 || pub.By.ID == "") {
		return d.o.Book.PublishFailed(ctx, pub, p.Code, p.Message, next)
	}
	r := Reply{State: StateWarning, Public: true, Key: "publish/" + i.ID, Headline: fmt.Sprintf("The postmortem of %s is not published: %s", i.ID, lowerFirst(p.Message)),
		Body: strings.TrimSpace(p.Hint + "\n" + again)}
	if again != "" && !i.Private {
		r.Buttons = []Button{{Label: "Try now", Command: "/incident postmortem " + i.ID + " publish"}}
	}
	d.sayPublish(post, i.ID, r)
	return d.o.Book.PublishFailed(ctx, pub, p.Code, p.Message, next)
}

// lowerFirst makes a sentence fit to follow a colon.
func lowerFirst(s string) string {
	if len(s) > 1 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'a' && s[1] <= 'z' {
		return string(s[0]+'a'-'A') + s[1:]
	}
	return s
}

// paper draws what is published: the form that close hands over, as Markdown
// with the picture beside it. The same record gives the same paper.
func (d *Desk) paper(ctx context.Context, i incident.Incident, pub incident.Publication) (Paper, error) {
	draft, err := d.draftOf(ctx, i, nil, d.o.Template)
	if bad := (*postmortem.TemplateError)(nil); errors.As(err, &bad) {
		draft, err = d.draftOf(ctx, i, nil, "standard")
	}
	if err != nil {
		return Paper{}, err
	}
	picture, err := draft.PNG()
	if err != nil {
		return Paper{}, err
	}
	text := fmt.Appendf(draft.Markdown(), "\n![The picture of %s: hosts, states and milestones](%s.png)\n", i.ID, pub.Path)
	p := Paper{Incident: i.ID, Declared: i.Declared, Path: pub.Path, Subject: i.ID + ": postmortem of " + clip(oneLine(i.Title), 60), At: pub.Asked,
		Files: []File{{Name: ".md", Data: text}, {Name: ".png", Data: picture}},
		Over:  pub.By.ID != "" && pub.Reason != "" && pub.Code == PublishEdited}
	h := sha256.New()
	for _, f := range p.Files {
		fmt.Fprintf(h, "%s %d\n", f.Name, len(f.Data))
		h.Write(f.Data)
	}
	p.Content = hex.EncodeToString(h.Sum(nil))
	return p, nil
}
