package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

func renewVerb() *verb {
	return &verb{Verb: Verb{Name: "renew", Args: "[certificate]", Summary: "what is due, running or waiting; or the plan to renew one certificate, and its start",
		Example: "/renew media --yes --reason it has expired", Public: true, Flags: []Flag{
			{"yes", "", "start, or ask for approval where the policy wants one"},
			{"dry-run", "", "do everything up to the order, then stop"},
			{"reason", "text", "goes on the record"},
			{"challenge", "type", "http-01 or dns-01 instead of the first configured"},
			{"key", "keep", "use the last certificate's private key again"},
			{"profile", "name", "ACME profile to ask for"},
			{"force", "", "although the preflight fails or it is not due"},
		}}, max: 1, run: renewRun}
}

func renewRun(ctx context.Context, c *call) (Reply, error) {
	if len(c.args.words) == 0 {
		if len(c.args.flags) > 0 {
			return Reply{}, c.v.problem("missing_certificate", "/renew with flags needs the name of a certificate before them.")
		}
		return c.renewals(ctx)
	}
	s, _ := c.args.take()
	if isRenewal(s) {
		return c.renewStatus(ctx, strings.ToUpper(s))
	}
	cert, err := c.d.certificate(s)
	if err != nil {
		if n := nearest(strings.ToLower(s), subs("renew")); n != "" && len(s) > 3 {
			return Reply{}, Problem{Code: "unknown_verb", Message: quote(s) + " is neither a verb of /renew nor a certificate.", Hint: "Did you mean /renew " + n + "? For example: " + lookup("renew "+n).Example}
		}
		return Reply{}, err
	}
	ask, err := c.ask(cert)
	if err != nil {
		return Reply{}, err
	}
	if c.args.has("yes") {
		return c.start(ctx, cert, ask)
	}
	return c.plan(ctx, cert, ask)
}

// ask makes the Ask from the flags.
func (c *call) ask(cert renew.Certificate) (renew.Ask, error) {
	a := renew.Ask{Certificate: cert.Name, By: c.renewer(), Reason: oneLine(c.args.value("reason")), Profile: oneLine(c.args.value("profile")),
		DryRun: c.args.has("dry-run"), Force: c.args.has("force"), Challenge: strings.ToLower(c.args.value("challenge"))}
	switch k := strings.ToLower(c.args.value("key")); k {
	case "":
	case "keep":
		a.KeepKey = true
	case "new":
	default:
		return a, Problem{Code: "bad_key", Message: "--key is keep or new, not " + quote(k) + ".", Hint: "For example: /renew " + cert.Name + " --key keep"}
	}
	switch a.Challenge {
	case "":
		return a, nil
	case "http", "http01":
		a.Challenge = renew.HTTP01
	case "dns", "dns01":
		a.Challenge = renew.DNS01
	}
	var has []string
	for _, ch := range cert.Challenges {
		if ch.Type == a.Challenge {
			return a, nil
		}
		has = append(has, ch.Type)
	}
	return a, Problem{Code: "unknown_challenge", Message: fmt.Sprintf("The challenge %s is not configured for %s.", quote(a.Challenge), cert.Name),
		Hint: fmt.Sprintf("It has %s. For example: /renew %s --challenge %s", orNone(listed(has, 4)), cert.Name, strings.Join(has[:min(1, len(has))], ""))}
}

// flagsOf spells an Ask as flags again, for a button.
func flagsOf(a renew.Ask, challenge string) string {
	var b strings.Builder
	add := func(s string) { b.WriteString(" " + s) }
	if challenge != "" {
		add("--challenge " + challenge)
	}
	if a.KeepKey {
		add("--key keep")
	}
	if a.Profile != "" {
		add("--profile=" + quoted(a.Profile))
	}
	if a.DryRun {
		add("--dry-run")
	}
	if a.Reason != "" {
		add("--reason=" + quoted(a.Reason))
	}
	return b.String()
}

// plan answers with what a renewal would do and whether it would work.
func (c *call) plan(ctx context.Context, cert renew.Certificate, a renew.Ask) (Reply, error) {
	p, err := c.d.o.Renewer.Plan(ctx, a)
	if err != nil {
		return Reply{}, c.renewError(ctx, cert, a, err)
	}
	if id := p.Standing.Renewal; id != "" {
		return c.renewStatus(ctx, id)
	}
	r := Reply{State: StateGood, Steps: proofLines(p.Proofs), Links: []Link{{cert.Name, certificatePath(cert.Name)}}}
	r.Headline = fmt.Sprintf("%s can be renewed: the preflight of %s found nothing in the way.", cert.Name, p.Challenge.Type)
	r.Facts = planFacts(p)
	r.Body = waves(cert)
	if a.DryRun {
		r.Body += "\nDry run: nothing was ordered, no host was touched."
	}
	if !p.OK {
		c.broken(&r, p, a)
	} else {
		r.Buttons = []Button{c.startButton(p, a, p.OK)}
	}
	r.Buttons = append(r.Buttons, Button{Label: "Rehearse again", Command: "/renew " + cert.Name + flagsOf(a, a.Challenge)})
	return r, nil
}

// broken says which address fails how, and what else would work. DNS is never
// re-pointed.
func (c *call) broken(r *Reply, p renew.Plan, a renew.Ask) {
	bad := badProofs(p.Proofs)
	name := p.Certificate.Name
	r.State = StateCritical
	r.Headline = fmt.Sprintf("%s cannot be renewed with %s now.", name, p.Challenge.Type)
	if len(bad) > 0 {
		r.Headline = end(fmt.Sprintf("%s cannot be renewed with %s now: %s", name, p.Challenge.Type, lower(proofText(bad[0]))))
	}
	var advice []string
	next := strings.TrimSpace(nextOf(bad))
	if next != "" {
		advice = append(advice, next)
	}
	for _, ok := range p.OthersOK {
		r.Buttons = append(r.Buttons, Button{Label: "Renew with " + strings.ToUpper(ok), Style: "primary", Command: "/renew " + name + flagsOf(a, ok) + " --yes",
			Confirm: startWords(p, ok)})
		advice = append(advice, strings.ToUpper(ok)+" is configured too and its rehearsal is good.")
	}
	for _, o := range p.Others {
		if !containsFold(p.OthersOK, o.Type) {
			advice = append(advice, strings.ToUpper(o.Type)+" is configured too, and its rehearsal fails as well.")
		}
	}
	if p.Challenge.Type == renew.HTTP01 && pathBroken(bad) {
		if !strings.Contains(next, "/.well-known/") {
			advice = append(advice, "Or forward /.well-known/acme-challenge/ from every address named above to "+responder(p.Challenge)+", then rehearse again.")
		}
		advice = append(advice, "DNS stays as it is.")
	}
	r.Body = strings.Join(advice, "\n")
}

func pathBroken(bad []renew.Proof) bool {
	for _, p := range bad {
		if p.Level == renew.HTTP01 {
			return true
		}
	}
	return false
}

func responder(ch renew.Challenge) string {
	switch {
	case ch.Listen != "":
		return "certmedic's listener on " + ch.Listen
	case ch.Webroot != "":
		return "the web server of " + ch.Webroot
	}
	return "certmedic's listener"
}

func containsFold(list []string, s string) bool {
	for _, l := range list {
		if strings.EqualFold(l, s) {
			return true
		}
	}
	return false
}

// startButton starts the plan, or asks for approval.
func (c *call) startButton(p renew.Plan, a renew.Ask, ok bool) Button {
	b := Button{Label: "Start", Style: "primary", Command: "/renew " + p.Certificate.Name + flagsOf(a, a.Challenge) + " --yes", Confirm: startWords(p, p.Challenge.Type)}
	if a.DryRun {
		b.Label, b.Confirm = "Start the dry run", ""
		return b
	}
	if p.Approval {
		b.Label, b.Confirm = "Ask for approval", ""
	}
	if notDue(p, c) || a.Force {
		b.Command += " --force"
		if !p.Approval {
			b.Label = "Renew all the same"
		}
	}
	return b
}

func notDue(p renew.Plan, c *call) bool {
	s := p.Standing
	return s.Verdict != renew.Critical && !s.Overdue && !s.RenewAt.IsZero() && c.now().Before(s.RenewAt)
}

func startWords(p renew.Plan, challenge string) string {
	return fmt.Sprintf("Renew %s from %s with %s and roll it out to %s?", p.Certificate.Name, p.Issuer.Name, challenge, plural(len(p.Certificate.Hosts()), "host"))
}

func planFacts(p renew.Plan) []Fact {
	key := p.Certificate.Key
	if key == "" {
		key = "ecdsa-p256"
	}
	fs := []Fact{
		{"names", listed(p.Certificate.Domains, 4)},
		{"CA", p.Issuer.Name + ", challenge " + p.Challenge.Type + ", key " + key},
		{"hosts", fmt.Sprintf("%s in %s", plural(len(p.Certificate.Hosts()), "host"), plural(len(p.Certificate.Waves), "wave"))},
		{"replaces", replaces(p.Standing)},
	}
	approval := "none needed"
	if p.Approval {
		approval = "needed from " + listed(p.Certificate.Approval.Teams, 4)
	}
	return append(fs, Fact{"approval", approval})
}

func replaces(s renew.Standing) string {
	if s.NotAfter.IsZero() {
		return "nothing that was seen"
	}
	for _, h := range hostsOf(s.Certificate, s.Reports) {
		if h.Leaf.NotAfter.Equal(s.NotAfter) {
			return "serial " + short16(h.Leaf.Serial) + ", until " + stamp(s.NotAfter)
		}
	}
	return "the one until " + stamp(s.NotAfter)
}

// waves is a line a wave, in the order of the rollout.
func waves(cert renew.Certificate) string {
	var lines []string
	for i, w := range cert.Waves {
		var names []string
		for j, t := range w {
			n := t.Name
			if i == 0 && j == 0 {
				n += " (canary)"
			}
			names = append(names, n)
		}
		if i < 6 {
			lines = append(lines, fmt.Sprintf("wave %d: %s", i+1, listed(names, 8)))
		}
	}
	if n := len(cert.Waves) - 6; n > 0 {
		lines = append(lines, fmt.Sprintf("and %d more waves", n))
	}
	return strings.Join(lines, "\n")
}

// start starts a renewal, or asks for its approval.
func (c *call) start(ctx context.Context, cert renew.Certificate, a renew.Ask) (Reply, error) {
	a.Key = c.key("")
	ren, err := c.d.o.Renewer.Start(ctx, a)
	if err != nil {
		return Reply{}, c.renewError(ctx, cert, a, err)
	}
	return c.follow(ctx, ren)
}

// follow answers with a renewal's card; with Request.Wait when it has ended.
func (c *call) follow(ctx context.Context, ren renew.Renewal) (Reply, error) {
	var err error
	if c.r.Wait {
		if ren, err = c.d.o.Renewer.Wait(ctx, ren.ID); err != nil {
			return Reply{}, fmt.Errorf("wait for %s: %w", ren.ID, err)
		}
	} else if now, err := c.d.o.Renewer.Renewal(ctx, ren.ID); err == nil {
		ren = now // it may have gone on already
	}
	r, err := c.d.progressOf(ctx, ren)
	if err != nil {
		return Reply{}, err
	}
	if ren.State == renew.Waiting {
		cert, _ := c.d.o.Renewer.Inventory().Certificate(ren.Ask.Certificate)
		if people := c.d.peopleOf(cert.Approval.Teams); len(people) > 0 {
			r.Body = strings.TrimSpace(r.Body + "\nAsked to approve: " + listed(people, 8) + ".")
		}
	}
	open, err := c.d.openFor(ctx, ren.Ask.Certificate)
	if err != nil {
		return Reply{}, err
	}
	r.Incident = echoRoom(open, c.r.Room)
	r = withResolve(r, ren, open, strings.ToUpper(c.r.Room))
	if c.r.Wait && (ren.State == renew.Failed || ren.State == renew.RolledBack || ren.State == renew.Stopped) {
		r.Problem = Problem{Code: "renewal_" + string(ren.State), Message: r.Headline, Hint: orElse(oneLine(r.Body), "Look with /renew status "+ren.ID)}
	}
	return r, nil
}

// echoRoom is the open incident whose room an answer about a certificate
// belongs to: the one where it was asked, else the newest that everybody sees;
// "" when there is none. The engine tells the rooms of the others by itself.
func echoRoom(open []incident.Incident, room string) string {
	for _, i := range open {
		if strings.EqualFold(i.ID, room) {
			return i.ID
		}
	}
	for _, i := range open {
		if !i.Private {
			return i.ID
		}
	}
	return ""
}

// renewError gives the engine's refusals their words.
func (c *call) renewError(ctx context.Context, cert renew.Certificate, a renew.Ask, err error) error {
	name := cert.Name
	switch {
	case errors.Is(err, renew.ErrBusy):
		p := Problem{Code: "busy", Message: "Another renewal of " + name + " is under way.", Hint: "Say /renew to see it."}
		if s, serr := c.d.standing(ctx, name); serr == nil && s.Renewal != "" {
			p.Message, p.Hint = "The renewal "+s.Renewal+" of "+name+" is under way.", "Look with: /renew status "+s.Renewal
			return &refused{p, Reply{State: StateWarning, Headline: p.Message, Body: p.Hint, Buttons: []Button{{Label: "Show " + s.Renewal, Command: "/renew status " + s.Renewal}}}}
		}
		return p
	case errors.Is(err, renew.ErrNotDue):
		p := Problem{Code: "not_due", Message: name + " is good and its renewal is not due yet.", Hint: "To renew all the same: /renew " + name + flagsOf(a, a.Challenge) + " --yes --force"}
		if s, serr := c.d.standing(ctx, name); serr == nil && !s.RenewAt.IsZero() {
			p.Message = fmt.Sprintf("%s is good; its renewal is due %s (%s).", name, ago(c.now(), s.RenewAt), stamp(s.RenewAt))
		}
		return &refused{p, Reply{State: StateInfo, Headline: p.Message, Body: p.Hint, Buttons: []Button{{Label: "Renew all the same", Command: "/renew " + name + flagsOf(a, a.Challenge) + " --yes --force", Confirm: "Renew " + name + " although it is not due?"}}}}
	case errors.Is(err, renew.ErrPreflight):
		return c.preflightRefused(ctx, cert, a)
	case errors.Is(err, renew.ErrChallenge):
		return Problem{Code: "unknown_challenge", Message: "The challenge " + quote(a.Challenge) + " is not configured for " + name + ".", Hint: "Say /renew " + name + " to see which are."}
	}
	return fmt.Errorf("renew %s: %w", name, err)
}

// preflightRefused shows the plan's failed levels with the refusal.
func (c *call) preflightRefused(ctx context.Context, cert renew.Certificate, a renew.Ask) error {
	p := Problem{Code: "preflight", Message: "The preflight of " + cert.Name + " failed, so nothing was started.", Hint: "See what is in the way: /renew " + cert.Name}
	r, err := c.plan(ctx, cert, a)
	if err != nil {
		return p
	}
	p.Message = "Nothing was started. " + r.Headline
	r.Headline = p.Message
	return &refused{p, r}
}
