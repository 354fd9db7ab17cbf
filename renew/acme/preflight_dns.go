package acme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// dnsProver proves that TXT records can be written, seen and removed, at the
// true label, adding a value beside what is there. Names that share a label (a
// wildcard and its apex) are proved once.
type dnsProver struct {
	d    *dns01
	mu   sync.Mutex
	done map[string]func() renew.Proof // by label
}

func newDNSProver(d *dns01) *dnsProver {
	return &dnsProver{d: d, done: map[string]func() renew.Proof{}}
}

// planted holds the values of preflights that run now in this process, so that
// one does not take away what belongs to another.
var planted sync.Map

func (p *dnsProver) prove(ctx context.Context, domain string) renew.Proof {
	fqdn, chain, err := p.d.label(ctx, domain)
	if err != nil {
		return bad(renew.DNS01, domain, dnsFinding(err, map[string]string{"domain": domain, "cname": arrows(chain)}))
	}
	p.mu.Lock()
	once := p.done[fqdn]
	if once == nil {
		once = sync.OnceValue(func() renew.Proof { return p.write(ctx, fqdn, chain) })
		p.done[fqdn] = once
	}
	p.mu.Unlock()
	proof := once()
	proof.Subject = domain
	return proof
}

// write adds, sees, removes and misses one random value.
func (p *dnsProver) write(ctx context.Context, fqdn string, chain []string) renew.Proof {
	facts := map[string]string{"record": strings.TrimSuffix(fqdn, "."), "writer": p.d.w.where()}
	if len(chain) > 1 {
		facts["cname"] = arrows(chain)
	}
	before, _ := p.d.look(ctx, fqdn)
	left := p.sweep(ctx, fqdn, before)
	value := plantPrefix + random(17) // 43 characters in all, as a real one
	planted.Store(value, true)
	defer planted.Delete(value)
	added, seenErr := time.Now(), error(nil)
	var seen, gone time.Duration
	err := p.d.w.add(ctx, fqdn, value)
	if err == nil {
		seen, seenErr = p.d.await(ctx, fqdn, value, true)
	}
	wrote := time.Since(added)
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupFor)
	defer cancel()
	removeErr := p.d.w.remove(rctx, fqdn, value) // also after a failed add: it may have added
	switch {
	case err != nil:
		return bad(renew.DNS01, "", dnsFinding(err, facts))
	case seenErr != nil:
		return bad(renew.DNS01, "", dnsFinding(seenErr, facts))
	case removeErr != nil:
		facts["left"] = value
		return bad(renew.DNS01, "", dnsFinding(fmt.Errorf("a TXT record can be added but not removed: %w", removeErr), facts))
	}
	short := p.patient(10 * time.Second)
	gone, goneErr := short.await(rctx, fqdn, value, false)
	text := fmt.Sprintf("A TXT record was written at %s by %s and seen after %s", facts["record"], p.d.w.where(), spent(max(seen, wrote)))
	if goneErr == nil {
		text += fmt.Sprintf(", removed and gone after %s.", spent(gone))
	} else {
		text += ", and removed; a resolver still remembers it."
	}
	proof := renew.Proof{Level: renew.DNS01, OK: true, Text: text}
	if len(left) > 0 {
		facts["values"] = strings.Join(left, ", ")
		proof.Finding = renew.Finding{
			ID: "dns01_leftover", Severity: renew.Warning,
			Cause: fmt.Sprintf("%s already has %d other TXT value(s), perhaps left by a run that was killed.", facts["record"], len(left)),
			Proof: facts, Next: "If no other renewal of the name is running, remove them from the zone.",
		}
		proof.Text += " " + proof.Finding.Cause
	}
	return proof
}

// patient is the solver with another timeout.
func (p *dnsProver) patient(timeout time.Duration) *dns01 {
	return &dns01{w: p.d.w, r: p.d.r, own: p.d.own, timeout: min(timeout, p.d.timeout), interval: p.d.interval}
}

// sweep removes the values that a killed preflight left and returns the
// others.
func (p *dnsProver) sweep(ctx context.Context, fqdn string, values []string) (others []string) {
	for _, v := range values {
		if _, running := planted.Load(v); running {
			continue
		}
		if !strings.HasPrefix(v, plantPrefix) || p.d.w.remove(ctx, fqdn, v) != nil {
			others = append(others, printable([]byte(v), 80))
		}
	}
	slices.Sort(others)
	return others
}

// dnsFinding explains a failure by its class.
func dnsFinding(err error, facts map[string]string) renew.Finding {
	var d *dnsError
	var rc *rcodeError
	class := "failed"
	if errors.As(err, &d) {
		class = d.class
	} else if errors.As(err, &rc) {
		class = "unreachable"
	}
	facts["error"] = err.Error()
	next := map[string]string{
		"permission":  "Give the key or token the right to write this record again, then run the preflight once more. Until then http-01 works if it is configured.",
		"unreachable": "Check from this machine that the DNS server answers, over UDP and TCP.",
		"zone":        "Check that the provider holds the zone of the record, and the alias of _acme-challenge if there is one.",
		"throttled":   "Wait as long as the DNS provider asks, then try again.",
		"propagation": "Raise propagation_timeout, or look why the name servers do not show the change.",
		"settings":    "Correct the settings of the dns-01 provider.",
		"failed":      "Run the provider by hand with the same arguments and look at what it says.",
	}[class]
	return renew.Finding{ID: "dns01_" + class, Severity: renew.Critical, Cause: "dns-01 would fail: " + err.Error() + ".", Proof: facts, Next: next}
}
