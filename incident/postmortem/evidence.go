package postmortem

import (
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident"
)

// In this file: reading one entry's evidence into the view.

// step reads a step of a renewal.
func (v *view) step(e incident.Entry) {
	s := e.Evidence.Step
	r := v.renewal(s.Renewal)
	r.steps = append(r.steps, e)
	for _, set := range []struct {
		to   *string
		from string
	}{{&r.certificate, s.Certificate}, {&r.order, s.Order}, {&r.challenge, s.Challenge}, {&r.issuer, s.Issuer}} {
		if set.from != "" {
			*set.to = set.from
		}
	}
	if s.AfterSHA256 != "" && s.Step != "rollback" {
		r.issued = leaf{s.AfterSerial, s.AfterSHA256, s.Issuer, s.AfterUntil}
	}
	if s.Step == "ask" && r.askedBy == "" {
		r.askedBy = e.By.Name
	}
	if s.Outcome == "failed" {
		v.failures = append(v.failures, e)
	}
	if s.Wave > 0 { // as the renewal had it: the inventory may have changed since
		v.waves[s.Host] = s.Wave
	}
	if s.Host == "" || s.Outcome != "ok" {
		return
	}
	h := v.host(s.Host)
	if s.BeforeSHA256 != "" && h.before.sha256 == "" {
		h.before = leaf{serial: s.BeforeSerial, sha256: s.BeforeSHA256, until: s.BeforeUntil}
	}
	switch s.Step {
	case "deploy":
		h.placed = e
	case "verify":
		h.proven = e
		if s.AfterSHA256 != "" {
			h.after = leaf{s.AfterSerial, s.AfterSHA256, s.Issuer, s.AfterUntil}
		}
		h.states = append(h.states, stretch{at: e.At, state: renewed, entry: e.ID})
	case "rollback":
		r.rolledBack = true
		h.placed, h.proven, h.after = incident.Entry{}, incident.Entry{}, leaf{}
		h.states = append(h.states, stretch{at: e.At, state: unseen, entry: e.ID})
	}
}

// approval reads a decision.
func (v *view) approval(e incident.Entry) {
	a := e.Evidence.Approval
	r := v.renewal(a.Renewal)
	if a.AskedBy != "" {
		r.askedBy = a.AskedBy
	}
	switch a.Decision {
	case "asked", "not needed":
		if r.asked.ID == "" {
			r.asked = e
		}
	case "approved":
		r.approved = e
		asked := a.Asked
		if asked.IsZero() {
			asked = r.asked.At
		}
		if !asked.IsZero() && e.At.After(asked) {
			r.wait = e.At.Sub(asked)
		}
	}
}

// check reads what hosts served.
func (v *view) check(e incident.Entry) {
	c := e.Evidence.Check
	v.checks = append(v.checks, e)
	if c.Around.Looked && !v.around.Looked {
		v.around = c.Around
	}
	if c.Verdict == "critical" {
		v.bad = append(v.bad, e)
	} else if c.Verdict == "good" && len(v.bad) > 0 {
		if v.firstGood.ID == "" || v.firstGood.At.Before(v.bad[len(v.bad)-1].At) {
			v.firstGood = e
		}
	}
	for _, hc := range c.Hosts {
		h := v.host(nameOf(hc))
		h.wave = max(h.wave, hc.Wave)
		l := leaf{hc.Serial, hc.SHA256, hc.Issuer, hc.NotAfter}
		state := unseen
		switch {
		case hc.State == "critical":
			state, h.failed = failing, true
			v.failedIn = or(v.failedIn, e.ID)
			if howFailed(hc) == expired && !h.checked && !hc.NotAfter.IsZero() && hc.NotAfter.Before(e.At) {
				h.states = append(h.states, stretch{at: hc.NotAfter, state: failing, entry: e.ID, how: expired})
			}
		case hc.State == "good", hc.State == "warning":
			if state = good; v.isNew(hc.SHA256) {
				state = renewed
			}
		}
		switch {
		case l.sha256 == "":
		case v.isNew(l.sha256):
			if h.after.sha256 == "" {
				h.after = l
			}
			h.after.issuer = or(h.after.issuer, l.issuer)
		case h.before.sha256 == "" || h.before.sha256 == l.sha256:
			h.before = l
		}
		h.checked = true
		h.states = append(h.states, stretch{at: e.At, state: state, entry: e.ID, how: howFailed(hc)})
		for _, id := range hc.Findings {
			v.find(id, h.name, e.ID)
		}
	}
}

// wrongFindings say that a host serves another certificate than the right one.
var wrongFindings = []string{"name_mismatch", "ip_san_missing", "cn_only", "self_signed", "declared_mismatch", "untrusted_root", "missing_intermediate", "wrong_intermediate", "revoked", "key_mismatch", "leaf_not_first", "not_yet_valid"}

// howFailed says in a word what was wrong with a host.
func howFailed(hc incident.HostCheck) string {
	switch {
	case hc.State != "critical":
		return ""
	case slices.Contains(hc.Findings, "expired"):
		return expired
	case hc.SHA256 == "" && len(hc.Findings) > 0:
		return down
	case slices.ContainsFunc(hc.Findings, func(id string) bool { return slices.Contains(wrongFindings, id) }):
		return wrong
	}
	return ""
}

func nameOf(h incident.HostCheck) string { return or(h.Host, h.Address) }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// isNew reports whether a renewal of this record issued the certificate.
func (v *view) isNew(sha256 string) bool {
	return sha256 != "" && slices.ContainsFunc(v.renewals, func(r *renewal) bool { return strings.EqualFold(r.issued.sha256, sha256) })
}
