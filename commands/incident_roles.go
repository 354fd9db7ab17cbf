package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// roleFor says what each role is for.
var roleFor = map[string]string{
	"scribe":         "The scribe keeps the timeline whole: /incident note for what happened, with its time.",
	"communications": "Communications tells those outside what is known, and nobody else does.",
	"approver":       "The approver answers when a renewal waits: /renew approve.",
}

func roleVerb() *verb {
	return &verb{Verb: Verb{Name: "incident role", Args: "[INC] scribe|communications|approver person|me", Summary: "give a role beside the commander to somebody",
		Example: "/incident role scribe me", Public: true, Rare: true}, max: 5, run: role}
}

func role(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	word, ok := c.args.take()
	if !ok {
		return Reply{}, c.v.problem("missing_role", "Name the role: "+either(incident.Roles, 5)+".")
	}
	name := ""
	for _, r := range append(slices.Clone(incident.Roles), "commander") {
		if w := strings.ToLower(word); w == "comms" && r == "communications" || len(w) >= 3 && strings.HasPrefix(r, w) {
			name = r
		}
	}
	if name == "" {
		return Reply{}, c.v.problem("bad_role", quote(word)+" is not a role: there are commander, "+either(incident.Roles, 5)+".")
	}
	who := c.args.rest()
	if who == "" {
		return Reply{}, c.v.problem("missing_person", "Name the "+name+", or say me.")
	}
	to, err := c.person(ctx, who, i)
	if err != nil {
		return Reply{}, err
	}
	from := i
	if name == "commander" {
		i, err = c.d.o.Book.SetCommander(ctx, i.ID, to, c.change(""))
	} else {
		i, err = c.d.o.Book.SetRole(ctx, i.ID, name, to, c.change(""))
	}
	if err != nil {
		return Reply{}, c.bookError(from, err)
	}
	had, _ := from.Role(name)
	if name == "commander" {
		had = from.Commander
	}
	c.brief(i, name, had, to)
	r := c.changed(ctx, i, roleSaid(to.Name, name, i.ID))
	r.Body = strings.TrimSpace(roleFor[name] + "\n" + r.Body)
	return r, nil
}

// roleSaid says who has a role: communications is what somebody does.
func roleSaid(who, role, id string) string {
	if role == "communications" {
		return fmt.Sprintf("%s has the communications of %s now.", who, id)
	}
	return fmt.Sprintf("%s is the %s of %s now.", who, role, id)
}

func handoffVerb() *verb {
	return &verb{Verb: Verb{Name: "incident handoff", Args: "[INC] person|me [text]", Summary: "give the command to somebody else, with a brief of where it stands",
		Example: "/incident handoff me I am awake now", Public: true, Rare: true}, text: true, run: handoff}
}

func handoff(ctx context.Context, c *call) (Reply, error) {
	i, err := c.incident(ctx)
	if err != nil {
		return Reply{}, err
	}
	name, ok := c.args.take()
	if !ok {
		return Reply{}, c.v.problem("missing_person", "Name who takes the command, or say me.")
	}
	to, err := c.person(ctx, name, i)
	if err != nil {
		return Reply{}, err
	}
	if c.d.same(to.ID, i.Commander.ID) && !c.repeated(ctx, i.ID) {
		return Reply{}, Problem{Code: "same_commander", Message: to.Name + " leads " + i.ID + " already.", Hint: "Look with: /incident show " + i.ID}
	}
	from := i
	if i, err = c.d.o.Book.SetCommander(ctx, i.ID, to, c.change(c.args.rest())); err != nil {
		return Reply{}, c.bookError(from, err)
	}
	said := fmt.Sprintf("%s leads %s now", to.Name, i.ID)
	if from.Commander.ID != "" {
		said += ", handed over by " + from.Commander.Name
	}
	c.brief(i, "commander", from.Commander, to)
	r := c.changed(ctx, i, end(said))
	lines, err := c.handoffBrief(ctx, i)
	if err != nil {
		return Reply{}, err
	}
	r.Body = strings.Join(append(lines, r.Body), "\n")
	return r, nil
}

// handoffBrief is the state in a few lines: status and since when, the cause,
// renewals that run or wait, what is to be undone and done, who does what, and
// the last lines that people wrote.
func (c *call) handoffBrief(ctx context.Context, i incident.Incident) ([]string, error) {
	now := c.now()
	lines := []string{fmt.Sprintf("%s, %s, declared %s by %s.", upper(c.d.status(i.Status)), sev(i.Severity), ago(now, i.Declared), i.DeclaredBy.Name)}
	if _, _, cause, _ := c.d.cardStanding(ctx, i, now); cause != "" {
		lines = append(lines, end(cause))
	}
	for _, name := range i.Certificates {
		rs, err := c.d.o.Renewer.Renewals(ctx, name, 5)
		if err != nil {
			return nil, fmt.Errorf("renewals of %s: %w", name, err)
		}
		for _, r := range rs {
			if r.State == renew.Running || r.State == renew.Waiting || r.State == renew.Stopped {
				lines = append(lines, fmt.Sprintf("%s of %s is %s.", r.ID, name, r.State))
			}
		}
	}
	if s := tempsWord(i); s != "" {
		lines = append(lines, upper(end(s+": "+tempsListed(i))))
	}
	var roles []string
	for _, r := range i.Roles {
		roles = append(roles, r.Name+" "+r.Person.Name)
	}
	if len(roles) > 0 {
		lines = append(lines, "Roles: "+end(listed(roles, 5)))
	}
	es, err := c.d.o.Book.Timeline(ctx, i.ID)
	if err != nil {
		return nil, fmt.Errorf("timeline of %s: %w", i.ID, err)
	}
	var last []string
	for _, e := range slices.Backward(es) {
		if e.Kind == incident.NoteKind && e.Evidence.Change.What == "" && e.By.Platform != incident.Bot.Platform && len(last) < 3 {
			last = append(last, fmt.Sprintf("%s %s: %s", minute(e.At), who(e.By.Name), clip(oneLine(e.Text), 120)))
		}
	}
	slices.Reverse(last)
	return append(lines, last...), nil
}

func renameVerb() *verb {
	return &verb{Verb: Verb{Name: "incident rename", Args: "[INC] title", Summary: "give the incident another title",
		Example: "/incident rename images and avatars do not load", Public: true, Rare: true}, text: true, run: func(ctx context.Context, c *call) (Reply, error) {
		i, err := c.incident(ctx)
		if err != nil {
			return Reply{}, err
		}
		to := oneLine(c.args.rest())
		if to == "" {
			return Reply{}, c.v.problem("missing_title", "Say the new title. Now it is: "+clip(i.Title, 120))
		}
		if n := len([]rune(to)); n > 200 {
			return Reply{}, Problem{Code: "long_title", Message: fmt.Sprintf("The title has %d characters; at most 200 are taken.", n), Hint: "Keep it short and add the rest as a note: /incident note the rest"}
		}
		from := i
		if i, err = c.d.o.Book.Rename(ctx, i.ID, to, c.change("")); err != nil {
			return Reply{}, c.bookError(from, err)
		}
		return c.changed(ctx, i, fmt.Sprintf("%s is called now: %s", i.ID, end(i.Title))), nil
	}}
}
