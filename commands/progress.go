package commands

// This file draws a renewal: one card that is edited while it runs, with the
// same lines and rows from the first to the last edit.

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// phase is one line of the card.
type phase struct {
	kind string
	text string // what it is for
}

var phases = []phase{
	{renew.StepApproval, "approval"},
	{renew.StepPreflight, "preflight"},
	{renew.StepKey, "private key made and sealed"},
	{renew.StepOrder, "order at the CA"},
	{renew.StepChallenge, "control of the names proved"},
	{renew.StepFinalize, "certificate issued"},
	{renew.StepMaterial, "chain and key checked"},
	{renew.StepBaseline, "what every host serves noted"},
	{renew.StepDeploy, "rollout"},
	{renew.StepVerifyAll, "every host verified"},
}

// renewalKey is the Key of a renewal's card.
func renewalKey(id string) string { return "renewal/" + id }

// progressOf draws a renewal as it stands now.
func (d *Desk) progressOf(ctx context.Context, r renew.Renewal) (Reply, error) {
	steps, err := d.o.Renewer.Steps(ctx, r.ID)
	if err != nil {
		return Reply{}, fmt.Errorf("steps of %s: %w", r.ID, err)
	}
	cert, _ := d.o.Renewer.Inventory().Certificate(r.Ask.Certificate)
	return progress(r, steps, cert, d.o.Now().UTC()), nil
}

// progress is the card of a renewal.
func progress(r renew.Renewal, steps []renew.Step, cert renew.Certificate, now time.Time) Reply {
	done := 0
	for _, h := range r.Hosts {
		if h.State == renew.HostVerified {
			done++
		}
	}
	p := Reply{Key: renewalKey(r.ID), Public: true, Done: done, Of: len(r.Hosts), Links: []Link{{r.Ask.Certificate, certificatePath(r.Ask.Certificate)}}}
	p.State, p.Headline = progressHead(r, done, steps)
	p.Steps = phaseLines(r, steps, cert)
	p.Table = hostRows(r)
	p.Facts = progressFacts(r, steps, cert)
	p.Buttons = progressButtons(r, now)
	if r.Problem != "" && r.State != renew.Done {
		p.Body = end(r.Problem)
	}
	if r.Next != "" && r.State != renew.Done {
		p.Body = strings.TrimSpace(p.Body + "\n" + end(r.Next))
	}
	return p
}

func progressHead(r renew.Renewal, done int, steps []renew.Step) (state, headline string) {
	name := r.Ask.Certificate
	of := fmt.Sprintf("%d of %s", done, plural(len(r.Hosts), "host"))
	switch r.State {
	case renew.Waiting:
		return StateWarning, fmt.Sprintf("%s: the renewal of %s waits for approval, asked by %s.", r.ID, name, who(r.Ask.By.Name))
	case renew.Running:
		return StateRunning, fmt.Sprintf("%s: renewing %s, %s; %s.", r.ID, name, stepWord(r, steps), of+" verified")
	case renew.Stopped:
		head := fmt.Sprintf("%s: the renewal of %s has stopped after %s; %s verified.", r.ID, name, lastPhase(r, steps), of)
		if r.Next == "" { // else it stands below
			head += " Resume it, or give it up."
		}
		return StateWarning, head
	case renew.Done:
		if r.Ask.DryRun {
			return StateGood, fmt.Sprintf("%s: dry run of %s done; nothing was ordered and no host was touched.", r.ID, name)
		}
		return StateGood, fmt.Sprintf("%s: %s is renewed and verified on %s, good until %s.", r.ID, name, of, stamp(r.Issued.NotAfter))
	case renew.RolledBack:
		return StateCritical, fmt.Sprintf("%s: the renewal of %s was rolled back; every touched host serves what it served before.", r.ID, name)
	case renew.Denied:
		return StateWarning, fmt.Sprintf("%s: the renewal of %s was denied by %s.", r.ID, name, denier(steps))
	}
	return StateCritical, fmt.Sprintf("%s: the renewal of %s failed at %s; %s verified.", r.ID, name, lastPhase(r, steps), of)
}

// denier is who denied.
func denier(steps []renew.Step) string {
	for _, s := range steps {
		if s.Kind == renew.StepApproval && s.Outcome == renew.Bad {
			return who(s.By.Name)
		}
	}
	return "somebody"
}

// stepWord is what runs now.
func stepWord(r renew.Renewal, steps []renew.Step) string {
	for i := len(steps) - 1; i >= 0; i-- {
		if s := steps[i]; s.Host != "" && s.Outcome == renew.Started {
			return s.Kind + " on " + s.Host
		} else if s.Kind != renew.StepAsk {
			break
		}
	}
	return phaseText(r.Step)
}

// lastPhase is what was reached, in words.
func lastPhase(r renew.Renewal, steps []renew.Step) string {
	for i := len(steps) - 1; i >= 0; i-- {
		switch s := steps[i]; {
		case s.Kind == renew.StepEnd || s.Outcome == renew.Note:
		case s.Host != "":
			return s.Kind + " on " + s.Host
		default:
			return phaseText(s.Kind)
		}
	}
	return phaseText(r.Step)
}

func phaseText(kind string) string {
	switch kind {
	case renew.StepVerify:
		return "verifying a host"
	case renew.StepRollback:
		return "putting hosts back"
	case renew.StepAsk, "":
		return "starting"
	case renew.StepEnd:
		return "the end"
	}
	for _, p := range phases {
		if p.kind == kind {
			return p.text
		}
	}
	return kind
}

// phaseLines is a line a phase: what is done, what runs, what waits.
func phaseLines(r renew.Renewal, steps []renew.Step, cert renew.Certificate) []Line {
	var out []Line
	for _, p := range phases {
		if p.kind == renew.StepApproval && len(cert.Approval.Teams) == 0 {
			continue
		}
		if r.Ask.DryRun && p.kind != renew.StepApproval && p.kind != renew.StepPreflight {
			continue
		}
		out = append(out, phaseLine(p, r, steps))
	}
	return out
}

func phaseLine(p phase, r renew.Renewal, steps []renew.Step) Line {
	mine := stepsOf(p, r, steps)
	var last renew.Step
	if len(mine) > 0 {
		last = mine[len(mine)-1]
	}
	if p.kind == renew.StepDeploy && !deployEnded(r, steps) && last.Outcome == renew.OK {
		last.Outcome = renew.Started // more hosts follow
	}
	took := timed(spent(p, mine))
	switch {
	case p.kind == renew.StepApproval && r.State == renew.Waiting:
		return Line{StateRunning, p.text + ": waited for since " + stamp(r.Asked)}
	case p.kind == renew.StepApproval && r.State == renew.Denied:
		return Line{StateWarning, p.text + ": denied by " + denier(steps)}
	case p.kind == renew.StepDeploy && r.State == renew.RolledBack:
		return Line{StateWarning, p.text + ": rolled back" + took}
	}
	switch last.Outcome {
	case renew.OK:
		return Line{StateGood, p.text + ": done" + took}
	case renew.Skipped:
		return Line{StateInfo, p.text + ": skipped, " + orElse(last.Text, "not needed")}
	case renew.Bad:
		return Line{StateCritical, p.text + ": failed" + took + ": " + clip(oneLine(last.Text), 160)}
	case renew.Started:
		if r.State == renew.Running {
			return Line{StateRunning, p.text + ": running"}
		}
		return Line{StateWarning, p.text + ": " + strings.ReplaceAll(string(r.State), "_", " ")}
	}
	if p.kind == renew.StepApproval && !r.Approved.IsZero() {
		return Line{StateGood, p.text + ": given by " + who(r.Approver.Name)}
	}
	if r.State.Final() {
		return Line{StateInfo, p.text + ": not reached"}
	}
	return Line{StateInfo, p.text + ": waiting"}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// deployEnded reports that no host is left to be deployed to.
func deployEnded(r renew.Renewal, steps []renew.Step) bool {
	if r.State != renew.Running {
		return true
	}
	for _, s := range steps {
		if s.Kind == renew.StepVerifyAll {
			return true
		}
	}
	return false
}

// hostRows is before and after, a row a host in the order of the waves.
func hostRows(r renew.Renewal) Table {
	if len(r.Hosts) == 0 {
		return Table{}
	}
	t := Table{Columns: []string{"host", "state", "before", "after", "until"}}
	for i, h := range r.Hosts {
		if i == maxRows && len(r.Hosts) > maxRows+1 {
			t.Rows = append(t.Rows, Row{Cells: []string{fmt.Sprintf("and %d more", len(r.Hosts)-maxRows), "see the page", "", "", ""}})
			break
		}
		state, word := hostWord(h)
		if i == 0 && h.State != renew.HostVerified {
			word += ", canary"
		}
		t.Rows = append(t.Rows, Row{State: state, Cells: []string{h.Host, word, leafWord(h.Before), leafWord(h.After), minute(h.After.NotAfter)}})
	}
	return t
}

func hostWord(h renew.HostState) (state, word string) {
	switch h.State {
	case renew.HostVerified:
		return StateGood, "verified"
	case renew.HostDeploying:
		return StateRunning, "deploying"
	case renew.HostFailed:
		return StateCritical, "failed"
	case renew.HostRolledBack:
		return StateWarning, "rolled back"
	}
	return StateInfo, "waiting"
}

// leafWord is a certificate in a cell: its serial.
func leafWord(l renew.Leaf) string { return orElse(short8(l.Serial), "-") }

func progressFacts(r renew.Renewal, steps []renew.Step, cert renew.Certificate) []Fact {
	asked := who(r.Ask.By.Name) + ", " + stamp(r.Asked)
	if r.Ask.Reason != "" {
		asked += ": " + clip(oneLine(r.Ask.Reason), 80)
	}
	fs := []Fact{{"asked by", asked}}
	switch {
	case len(cert.Approval.Teams) == 0:
		fs = append(fs, Fact{"approval", "none needed"})
	case !r.Approved.IsZero():
		fs = append(fs, Fact{"approved by", fmt.Sprintf("%s, %s (waited %s)", who(r.Approver.Name), stamp(r.Approved), span(r.Approved.Sub(r.Asked)))})
	default:
		fs = append(fs, Fact{"approval by", listed(cert.Approval.Teams, 4)})
	}
	if c := r.Ask.Challenge; c != "" {
		fs = append(fs, Fact{"challenge", c})
	}
	if r.Issued.Serial != "" {
		fs = append(fs, Fact{"issued", "serial " + r.Issued.Serial + " by " + clip(commonName(r.Issued.Issuer), 40)})
	}
	if r.State.Final() && r.State != renew.Denied && !r.Ended.IsZero() {
		fs = append(fs, Fact{"took", took(whole(r, steps))})
	}
	return fs
}

func progressButtons(r renew.Renewal, now time.Time) []Button {
	name := r.Ask.Certificate
	switch r.State {
	case renew.Waiting:
		return []Button{{Label: "Approve", Command: "/renew approve " + r.ID, Style: "primary", Confirm: "Renew " + name + " and roll it out to " + plural(len(r.Hosts), "host") + "?"},
			{Label: "Deny", Command: "/renew deny " + r.ID, Style: "danger"}}
	case renew.Running:
		return []Button{{Label: "Stop", Command: "/renew stop " + r.ID, Style: "danger"}}
	case renew.Stopped:
		b := []Button{{Label: "Resume", Command: "/renew resume " + r.ID, Style: "primary"}}
		if touched(r) && canGoBack(r, now) {
			b = append(b, rollbackButton(r))
		}
		return append(b, Button{Label: "Give up", Command: "/renew deny " + r.ID, Style: "danger", Confirm: "End " + r.ID + " and leave every host as it is?"})
	case renew.Done:
		if r.Ask.DryRun {
			return nil
		}
		return []Button{{Label: "Check", Command: "/certcheck " + name}}
	case renew.RolledBack, renew.Failed:
		b := []Button{{Label: "Plan again", Command: "/renew " + name, Style: "primary"}, {Label: "Check", Command: "/certcheck " + name}}
		if r.State == renew.Failed && touched(r) && canGoBack(r, now) {
			b = append(b, rollbackButton(r))
		}
		return b
	}
	return nil
}

func rollbackButton(r renew.Renewal) Button {
	return Button{Label: "Roll back", Command: "/renew rollback " + r.ID, Style: "danger", Confirm: "Put every host back to what it served before " + r.ID + "?"}
}

// canGoBack reports that no touched host would be put back to an expired certificate:
// then a rollback is refused.
func canGoBack(r renew.Renewal, now time.Time) bool {
	for _, h := range r.Hosts {
		if h.State == renew.HostWaiting || h.State == renew.HostRolledBack {
			continue
		}
		if !h.Before.NotAfter.IsZero() && !now.Before(h.Before.NotAfter) {
			return false
		}
	}
	return true
}

func touched(r renew.Renewal) bool {
	for _, h := range r.Hosts {
		if h.State != renew.HostWaiting && h.State != renew.HostRolledBack && h.State != "" {
			return true
		}
	}
	return false
}
