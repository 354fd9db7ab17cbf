package commands

// This file decides who may do what. It is asked in one place, for every
// platform alike: before a verb runs (Desk.Do), before a pin, before a page.
// Which right a verb takes stands in its row of the table (Verb.Needs). Who
// may approve a renewal is not decided here but by the certificate's own
// approval policy.

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// Policy says who has each right. A list holds names of teams, Members or
// Owner; an empty one is the default.
type Policy struct {
	Look    []string // see certificates, renewals and incidents; default Members
	Declare []string // declare an incident and work on it, stop a renewal; default Members
	Renew   []string // start, resume and roll back a renewal; default Owner
	Close   []string // resolve, close, cancel, merge and reopen an incident; default Members
}

// Words of a Policy beside the names of teams.
const (
	Members = "members" // everybody whom the platform or the shared token let in
	Owner   = "owner"   // the team that owns the certificate, or those of the incident, and the teams they escalate to
)

// Rights that a verb can need.
const (
	NeedsNone    = ""
	NeedsLook    = "look"
	NeedsDeclare = "declare"
	NeedsRenew   = "renew"
	NeedsClose   = "close"
)

// rights is the right that each verb takes.
var rights = map[string]string{
	"help":      NeedsNone,
	"certcheck": NeedsLook, "certcheck rehearse": NeedsLook, "certcheck who": NeedsLook,
	"renew": NeedsLook, // a plan; with --yes it is NeedsRenew
	// The certificate's approval policy says who decides.
	"renew approve": NeedsLook, "renew deny": NeedsLook, "renew status": NeedsLook,
	"renew stop":   NeedsDeclare, // the brake
	"renew resume": NeedsRenew, "renew rollback": NeedsRenew,
	"incident": NeedsLook, "incident timeline": NeedsLook, "incident show": NeedsLook, "incident list": NeedsLook, "incident stats": NeedsLook,
	"incident postmortem": NeedsLook, "incident export": NeedsLook,
	"incident declare": NeedsDeclare, "incident status": NeedsDeclare, "incident sev": NeedsDeclare, "incident lead": NeedsDeclare,
	"incident impact": NeedsDeclare, "incident note": NeedsDeclare, "incident edit": NeedsDeclare, "incident drop": NeedsDeclare,
	"incident move": NeedsDeclare, "incident temp": NeedsDeclare, "incident task": NeedsDeclare, "incident role": NeedsDeclare,
	"incident handoff": NeedsDeclare, "incident rename": NeedsDeclare, "incident started": NeedsDeclare, "incident detected": NeedsDeclare,
	"incident snooze": NeedsDeclare, "incident quiet": NeedsDeclare, "incident update": NeedsDeclare, "incident invite": NeedsDeclare,
	"incident resolve": NeedsClose, "incident close": NeedsClose, "incident reopen": NeedsClose, "incident cancel": NeedsClose,
	"incident duplicate": NeedsClose, "incident merge": NeedsClose,
}

// of returns who has a right.
func (p Policy) of(right string) []string {
	list, otherwise := []string(nil), Members
	switch right {
	case NeedsLook:
		list = p.Look
	case NeedsDeclare:
		list = p.Declare
	case NeedsRenew:
		list, otherwise = p.Renew, Owner
	case NeedsClose:
		list = p.Close
	}
	if len(list) == 0 {
		return []string{otherwise}
	}
	return list
}

// what a right is for, in a sentence: "may not ...".
var rightWords = map[string]string{
	NeedsLook: "look at this", NeedsDeclare: "declare incidents or work on them", NeedsRenew: "renew", NeedsClose: "resolve or close",
}

// allowed refuses a verb that who typed it has no right to.
func (c *call) allowed(ctx context.Context) error {
	right := c.right()
	list := c.d.o.Policy.of(right)
	if right == NeedsNone || slices.Contains(list, Members) {
		return nil
	}
	var of string
	var owners []string
	if slices.Contains(list, Owner) {
		var known bool
		if of, owners, known = c.owners(ctx); !known { // who owns anything may find out what is wrong with the line
			of, owners = "", nil
		}
		c.needs = right
	}
	return c.d.may(ctx, c.r.By, right, of, owners, c.retype())
}

// mine refuses an incident to who has the line's right as an owner alone, and
// is of none that owns this one. Every incident that a line is about passes
// here, wherever in the line it was named: allowed sees the first word alone.
func (c *call) mine(ctx context.Context, i incident.Incident) error {
	if c.needs == "" {
		return nil
	}
	return c.d.may(ctx, c.r.By, c.needs, i.ID, c.d.ownersOf(i), c.retype())
}

// behindWord are the verbs that may name their incident behind another word:
// whose it is, mine decides.
var behindWord = []string{"incident update", "incident task", "incident temp", "incident postmortem"}

// right is what a line takes: its verb's, or more when it does more.
func (c *call) right() string {
	switch c.v.Name {
	case "renew":
		if c.args.has("yes") {
			return NeedsRenew
		}
	case "incident temp", "incident task", "incident update": // reading them takes no more than to look
		if c.lists() {
			return NeedsLook
		}
	case "incident status":
		words := c.args.words
		if len(words) > 0 && isIncident(words[0].text) {
			words = words[1:]
		}
		if len(words) > 0 {
			if to, err := c.d.statusOf(words[0].text, incident.Incident{}); err == nil && to == incident.Resolved {
				return NeedsClose
			}
		}
	case "incident postmortem": // to look at it, to change it, or to publish it
		if c.publishes() {
			return NeedsClose
		}
		words := c.args.words
		if len(words) > 0 && isIncident(words[0].text) {
			words = words[1:]
		}
		if len(words) > 0 && (strings.EqualFold(words[0].text, "set") || draftStates[strings.ToLower(words[0].text)] != "") {
			return NeedsDeclare
		}
	}
	return c.v.Needs
}

// lists reports that a line of a verb that has lists asks for one, and so
// changes nothing.
func (c *call) lists() bool {
	words := c.args.words
	if len(words) > 0 && isIncident(words[0].text) {
		words = words[1:]
	}
	if c.v.Name == "incident update" { // without a word of its own it writes one
		return len(words) > 0 && !c.args.has("packed") && !words[0].quoted && strings.EqualFold(words[0].text, "list") && (len(words) == 1 || len(words) == 2 && isIncident(words[1].text))
	}
	return len(words) == 0 || strings.EqualFold(words[0].text, "list")
}

// may refuses a right on something that teams own. Nobody owns it, or nobody is
// in the team: then it is as for members. of is "" for nothing in particular:
// then every owner of anything has it.
func (d *Desk) may(ctx context.Context, by Person, right, of string, owners []string, line string) error {
	if of == "" {
		owners = nil
		for _, cert := range d.o.Renewer.Inventory().Certificates {
			owners = append(owners, cert.Owner)
		}
	}
	var teams []string
	owner := false
	for _, name := range d.o.Policy.of(right) {
		switch name {
		case Members:
			return nil
		case Owner:
			owner = true
			teams = append(teams, owners...)
		default:
			teams = append(teams, name)
		}
	}
	teams = d.peopled(teams)
	if owner && len(d.peopled(owners)) == 0 || d.memberOf(ctx, by, d.escalated(teams, owners)) {
		return nil
	}
	p := Problem{Code: "not_allowed", Message: fmt.Sprintf("%s may not %s", who(by.Name), rightWords[right])}
	if of != "" {
		p.Message += " " + of
	}
	p.Message += ": the policy leaves it to " + either(teams, 4) + "."
	p.Hint = "Ask " + orElse(d.whoIsIn(teams), either(teams, 4))
	if line != "" {
		p.Hint += " to say: " + line
	}
	return p
}

// peopled leaves the teams that have somebody in them, each once.
func (d *Desk) peopled(names []string) []string {
	var out []string
	for _, n := range names {
		if t := d.team(n); (len(t.People) > 0 || len(t.Groups) > 0) && !slices.Contains(out, t.Name) {
			out = append(out, t.Name)
		}
	}
	return out
}

// escalated adds to teams those that the owners escalate to.
func (d *Desk) escalated(teams, owners []string) []string {
	out := slices.Clone(teams)
	for _, o := range owners {
		if slices.Contains(teams, d.team(o).Name) {
			out = append(out, d.team(o).Escalate...)
		}
	}
	return out
}

// owners returns what a line is about and the teams that own it. known is
// false when the line names nothing that there is.
func (c *call) owners(ctx context.Context) (of string, teams []string, known bool) {
	first, _ := c.args.peek()
	switch {
	case strings.HasPrefix(c.v.Name, "renew"):
		name := first
		if isRenewal(first) {
			r, err := c.d.renewalByID(ctx, strings.ToUpper(first))
			if err != nil {
				return "", nil, false
			}
			name = r.Ask.Certificate
		}
		cert, err := c.d.certificate(name)
		if name == "" || err != nil {
			return "", nil, false
		}
		return cert.Name, nonEmpty(cert.Owner), true
	case strings.HasPrefix(c.v.Name, "certcheck"):
		cert, err := c.d.certificate(first)
		if first == "" || err != nil {
			return "", nil, false
		}
		return cert.Name, nonEmpty(cert.Owner), true
	case c.v.Name == "incident declare":
		v := c.args.value("cert")
		if cert, err := c.d.certificate(v); v != "" && err == nil {
			return cert.Name, nonEmpty(cert.Owner), true
		}
		return "", nil, true
	case slices.Contains(behindWord, c.v.Name):
		return "", nil, false
	}
	ask := *c // looking for the incident takes words away
	words := *c.args
	ask.args = &words
	i, err := ask.incident(ctx)
	if err != nil {
		return "", nil, false
	}
	return i.ID, c.d.ownersOf(i), true
}

// ownersOf are the teams that own an incident's certificates.
func (d *Desk) ownersOf(i incident.Incident) []string {
	teams := nonEmpty(i.Owner)
	for _, name := range i.Certificates {
		if cert, ok := d.o.Renewer.Inventory().Certificate(name); ok && cert.Owner != "" && !slices.Contains(teams, cert.Owner) {
			teams = append(teams, cert.Owner)
		}
	}
	return teams
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
