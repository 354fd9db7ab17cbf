package slack

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// This file holds App Home: one page for each person, published when it is
// opened and, for those who opened it lately, when it has changed; at most once
// a minute. A button there is answered in a view that opens at once.

// homes are the people who opened their page lately.
type homes struct {
	mu     sync.Mutex
	people map[string]*homeOf
}

type homeOf struct {
	opened time.Time
	shown  [32]byte // what was published
}

// lately is how long a page is kept current after it was opened.
const lately = time.Hour

// mostHomes is how many pages are kept current.
const mostHomes = 500

// maxHome is how many blocks a page has at most.
const maxHome = 98

// homeAction begins the action ids of a page's buttons.
const homeAction = "home"

// homePressed is a page's button: the line that it says.
type homePressed struct {
	Line string `json:"c"`
}

// homeOpened publishes a person's page.
func (s *Slack) homeOpened(ctx context.Context, user string) error {
	if s.o.Home == nil || user == "" {
		return nil
	}
	s.homes.mu.Lock()
	if s.homes.people == nil {
		s.homes.people = map[string]*homeOf{}
	}
	if len(s.homes.people) < mostHomes || s.homes.people[user] != nil {
		s.homes.people[user] = &homeOf{opened: s.o.Now()}
	}
	s.homes.mu.Unlock()
	return s.publish(ctx, user)
}

// publish publishes a person's page, unless it is what is shown.
func (s *Slack) publish(ctx context.Context, user string) error {
	by, no, err := s.who(ctx, user, user)
	if err != nil {
		return err
	}
	var h commands.Home
	if no != nil {
		h = commands.Home{State: no.State, Headline: no.Headline}
	} else if h, err = s.o.Home.Home(ctx, by); err != nil {
		return err
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	s.homes.mu.Lock()
	of := s.homes.people[user]
	same := of != nil && of.shown == sum
	s.homes.mu.Unlock()
	if same {
		return nil
	}
	_, err = s.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: s.drawHome(h)}}})
	switch e := slackError(err); {
	case e == "not_enabled" || e == "missing_scope":
		s.once("App Home is not switched on: paste the manifest again (`certmedic slack manifest`)")
		return nil
	case e == "user_not_found" || e == "not_found":
		return nil
	case err != nil:
		return err
	}
	s.homes.mu.Lock()
	defer s.homes.mu.Unlock()
	if of := s.homes.people[user]; of != nil {
		of.shown = sum
	}
	return nil
}

// refreshHomes keeps the pages of those who opened theirs lately current, until ctx ends.
func (s *Slack) refreshHomes(ctx context.Context) error {
	if s.o.Home == nil {
		return nil
	}
	t := time.NewTicker(s.o.Homes)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		var users []string
		s.homes.mu.Lock()
		for u, of := range s.homes.people {
			if s.o.Now().Sub(of.opened) > lately {
				delete(s.homes.people, u)
				continue
			}
			users = append(users, u)
		}
		s.homes.mu.Unlock()
		for _, u := range users {
			if err := s.publish(ctx, u); err != nil && ctx.Err() == nil {
				s.o.Log.Warn("slack: a page is not current", "error", words(err))
				if !s.pause(ctx, 0, err) {
					return nil
				}
			}
		}
	}
}

// drawHome draws a page.
func (s *Slack) drawHome(h commands.Home) []slack.Block {
	head := h.Headline
	if look := bot.Look(h.State); look != "" {
		head = look + ": " + head
	}
	blocks := []slack.Block{slack.NewSectionBlock(timed(fit(or(head, "certmedic"), maxText)), nil, nil)}
	for _, sec := range h.Sections {
		if len(blocks) > maxHome-4 {
			break
		}
		blocks = append(blocks, slack.NewDividerBlock(), slack.NewHeaderBlock(text(fit(or(sec.Title, "-"), 140))))
		if len(sec.Items) == 0 && sec.Empty != "" {
			blocks = append(blocks, slack.NewSectionBlock(timed(fit(sec.Empty, maxText)), nil, nil))
		}
		for _, i := range sec.Items {
			if len(blocks) > maxHome-3 {
				break
			}
			line := strings.TrimSpace(bot.Look(i.State) + ": " + i.Text)
			if bot.Look(i.State) == "" {
				line = i.Text
			}
			if i.Detail != "" {
				line += "\n" + i.Detail
			}
			blocks = append(blocks, slack.NewSectionBlock(timed(fit(or(strings.TrimSpace(line), "-"), 1000)), nil, nil))
			if b := s.homeButtons(i); b != nil {
				blocks = append(blocks, b)
			}
		}
		if sec.More > 0 {
			blocks = append(blocks, slack.NewContextBlock("", text(fmt.Sprintf("%d more.", sec.More))))
		}
	}
	return blocks
}

// homeButtons are an item's buttons, each with its line behind it.
func (s *Slack) homeButtons(i commands.HomeItem) slack.Block {
	var es []slack.BlockElement
	for n, b := range i.Buttons {
		v, err := json.Marshal(homePressed{Line: b.Command})
		if err != nil || len(v) > maxValue || strings.TrimSpace(b.Label) == "" || len(es) == 5 {
			continue
		}
		e := slack.NewButtonBlockElement(fmt.Sprintf("%s-%d", homeAction, n), string(v), text(fit(b.Label, maxLabel)))
		dress(e, b)
		es = append(es, e)
	}
	if len(es) == 0 {
		return nil
	}
	return slack.NewActionBlock("", es...)
}

// openForHome opens the form that a page's button wants, or the view that will
// hold its answer.
func (s *Slack) openForHome(ctx context.Context, e *envelope, a action) (done bool) {
	var p homePressed
	if s.o.Home == nil || !strings.HasPrefix(a.Actions[0].ActionID, homeAction) || json.Unmarshal([]byte(a.Actions[0].Value), &p) != nil {
		return false
	}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil || no != nil {
		return false
	}
	if s.o.Forms != nil {
		if ask, ok := s.o.Forms.FormFor(ctx, p.Line, "main", by); ok {
			return s.openForm(ctx, a.TriggerID, false, ask, formMeta{Room: "main"}) == nil
		}
	}
	e.View, _ = s.open(ctx, a.TriggerID, false, answerView(drawing{blocks: []slack.Block{slack.NewSectionBlock(text("Working on it."), nil, nil)}}))
	return false
}

// homePress says a page's button's line; the answer stands in the view that
// was opened, or comes as a message to the person.
func (s *Slack) homePress(ctx context.Context, e envelope, a action) error {
	var p homePressed
	if s.o.Home == nil || json.Unmarshal([]byte(a.Actions[0].Value), &p) != nil || p.Line == "" {
		return nil
	}
	to := asker{user: a.User.ID, view: e.View, at: e.At}
	by, no, err := s.who(ctx, a.User.ID, a.User.Username)
	if err != nil {
		return err
	}
	if no != nil {
		return s.whisper(ctx, to, say{Reply: *no}, false)
	}
	if err := s.request(ctx, to, commands.Request{ID: "slack/" + e.ID, Text: p.Line, By: by, Room: "main", At: e.At}); err != nil {
		return err
	}
	if err := s.publish(ctx, a.User.ID); err != nil {
		s.o.Log.Warn("slack: a page is not current", "error", words(err))
	}
	return nil
}

// answerView is a view that holds an answer.
func answerView(d drawing) slack.ModalViewRequest {
	return slack.ModalViewRequest{Type: slack.VTModal, Title: text("certmedic"), Close: text("Close"), CallbackID: "answer", Blocks: slack.Blocks{BlockSet: d.blocks}}
}

// show puts an answer into a view. One that was closed meanwhile gets it as a
// message to the person.
func (s *Slack) show(ctx context.Context, to asker, y say) error {
	d := draw(y, "")
	d.link(s.o.Site, y.Reply.Links)
	_, err := s.api.UpdateViewContext(ctx, answerView(d), "", "", to.view)
	switch e := slackError(err); {
	case e == "" || e == "ratelimited" || e == "internal_error" || e == "fatal_error":
		return err
	default:
		to.view = ""
		return s.whisper(ctx, to, y, false)
	}
}

// direct tells a person in their own conversation with the bot.
func (s *Slack) direct(ctx context.Context, user string, d drawing) error {
	_, _, err := s.api.PostMessageContext(ctx, user, d.posts()...)
	if e := slackError(err); e != "" && e != "ratelimited" && e != "internal_error" && e != "fatal_error" {
		s.o.Log.Warn("slack: an answer cannot be shown", "error", words(err))
		return nil
	}
	return err
}

var _ bot.Homes = (*commands.Desk)(nil)
var _ bot.Forms = (*commands.Desk)(nil)
