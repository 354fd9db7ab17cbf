package renew

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// This file looks at one host: what its verify addresses serve, and whether
// they come to serve what they should.

// sight is what one address served.
type sight struct {
	address  string
	leaf     Leaf
	findings []Finding
}

// look probes a host's verify addresses once.
func (r *Runner) look(ctx context.Context, c Certificate, t Target, d Declared) []sight {
	sights := make([]sight, len(t.Verify))
	each(len(t.Verify), 8, func(i int) {
		one, cancel := context.WithTimeout(ctx, lookFor)
		defer cancel()
		s := sight{address: t.Verify[i]}
		q, err := verifyQuery(c, t.Verify[i])
		if err != nil {
			s.findings = []Finding{{ID: "address", Severity: Critical, Cause: sentence(err.Error()), Next: "Mend the verify address in the inventory."}}
			sights[i] = s
			return
		}
		q.Declared = d
		report := r.o.Prober.Check(one, q)
		for _, a := range report.Addresses {
			s.findings = append(s.findings, a.Findings...)
			if a.Leaf.SHA256 != "" {
				s.leaf = a.Leaf
			}
		}
		if len(report.Addresses) == 0 {
			s.findings = report.Findings
		}
		sights[i] = s
	})
	return sights
}

// verifyQuery is the check of one verify address: the name of the endpoint
// that the address belongs to, else of one on the same port, else the first.
func verifyQuery(c Certificate, address string) (Query, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Query{}, fmt.Errorf("verify address %q: %w", address, err)
	}
	p, err := strconv.Atoi(port)
	if err != nil {
		return Query{}, fmt.Errorf("verify address %q: the port is no number", address)
	}
	q := Query{Port: p, Addresses: []string{host}}
	best := -1
	for _, e := range c.Endpoints {
		score := 0
		if e.Port == p {
			score = 1
			for _, a := range e.Addresses {
				if a == host {
					score = 2
				}
			}
		}
		if score > best {
			best, q.Host, q.StartTLS = score, e.Host, e.StartTLS
		}
		if score == 0 {
			q.StartTLS = ""
		}
	}
	if q.Host == "" {
		q.Host = strings.Replace(c.Domains[0], "*.", "certmedic.", 1)
	}
	return q, nil
}

// wanted is what a host should come to serve.
type wanted struct {
	served map[string]string // address to fingerprint
	also   string            // right as well, on every address; "": nothing
	before map[string]string // address to what it served when it was touched
	leaf   Leaf              // the new certificate; zero when going back
	strict bool              // a critical finding of the right certificate counts
	judge  Declared
	looks  int              // right looks in a row that are wanted; 0: 2
	first  map[string]sight // address to what a look of this moment saw; may be nil
}

// known returns the looks that were made already, if they are of the whole host.
func (w wanted) known(t Target) ([]sight, bool) {
	var sights []sight
	for _, a := range t.Verify {
		if s, ok := w.first[a]; ok {
			sights = append(sights, s)
		}
	}
	return sights, len(sights) == len(t.Verify)
}

// verdicts of one address in one look.
const (
	looksRight = iota
	looksOld
	looksSilent
	looksFaulty
	looksOther
)

func (w wanted) verdict(s sight) int {
	want := w.served[s.address]
	switch {
	case s.leaf.SHA256 != "" && (s.leaf.SHA256 == want || s.leaf.SHA256 == w.also):
		if w.strict && len(ownFaults(s.findings)) > 0 {
			return looksFaulty
		}
		return looksRight
	case s.leaf.SHA256 == "" && want == "":
		return looksRight // nothing before, nothing again
	case s.leaf.SHA256 == "":
		return looksSilent
	case s.leaf.SHA256 == w.before[s.address]:
		return looksOld
	case w.before[s.address] == "":
		return looksOld // not known what it served: wait for the right one
	}
	return looksOther
}

// notItsFault are critical findings that no certificate can mend or cause: of
// the service's settings, its neighbours, the record, the CA's way in. They
// neither fail a host nor hold a renewal up.
var notItsFault = map[string]bool{
	"alpn_mismatch": true, "caa_forbids": true, "client_cert_required": true, "clock_skew": true, "expiring": true,
	"http01_path": true, "legacy_tls_only": true, "no_common_cipher": true, "pq_intolerant": true, "renewal_overdue": true,
}

// ownFaults are the critical findings of an address that speak of the
// certificate and its chain.
func ownFaults(fs []Finding) []Finding {
	var own []Finding
	for _, f := range fs {
		// What another address serves is judged when that address is looked at.
		other := f.ID == "not_deployed" || f.ID == "node_divergence"
		if f.Severity == Critical && !other && !notItsFault[f.ID] {
			own = append(own, f)
		}
	}
	return own
}

// settleLooks are the right looks in a row that are wanted of a host that was
// reloaded, VerifySettle and then twice as long apart each time: for a moment
// its old processes may still accept connections.
const settleLooks = 4

// await looks until every address serves what it should, w.looks times in a
// row, or settleLooks times where a reload was run. It gives up early when
// something else, or a faulty chain, is served twice in a row, and after
// VerifyFor otherwise. It returns the leaf seen last.
func (r *Runner) await(ctx context.Context, c Certificate, t Target, w wanted) (Leaf, []Finding, error) {
	first := []time.Duration{20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond}
	began := time.Now()
	right, wrong := 0, 0
	enough := cmp.Or(w.looks, 2)
	settling := w.looks == 0 && len(t.Reload.Argv) > 0
	if settling {
		enough = settleLooks
	}
	for n := 0; ; n++ {
		sights, ok := w.known(t)
		if n > 0 || !ok {
			sights = r.look(ctx, c, t, w.judge)
		}
		worst, at := looksRight, sight{}
		if len(sights) > 0 {
			at = sights[0]
		}
		for _, s := range sights {
			if v := w.verdict(s); v > worst {
				worst, at = v, s
			}
		}
		switch worst {
		case looksRight:
			right, wrong = right+1, 0
		case looksFaulty, looksOther:
			right, wrong = 0, wrong+1
		default:
			right, wrong = 0, 0
		}
		if right == enough {
			return at.leaf, at.findings, nil
		}
		waited := time.Since(began)
		if wrong == 2 || waited >= r.o.VerifyFor {
			return at.leaf, at.findings, w.complaint(t, at, worst, waited)
		}
		wait := r.o.VerifyStep
		if worst == looksRight && settling {
			wait = min(wait, r.o.VerifySettle<<(right-1))
		} else if worst == looksRight {
			wait = 0
		} else if n < len(first) {
			wait = min(wait, first[n])
		}
		if !pause(ctx, wait) {
			return at.leaf, at.findings, ctx.Err()
		}
	}
}

// complaint says what is wrong with what an address serves.
func (w wanted) complaint(t Target, s sight, verdict int, waited time.Duration) error {
	waited = waited.Round(100 * time.Millisecond)
	switch verdict {
	case looksSilent:
		cause := "no certificate was seen"
		if own := ownFaults(s.findings); len(own) > 0 {
			cause = strings.TrimSuffix(own[0].Cause, ".")
		}
		return fmt.Errorf("%s (%s) serves nothing after %s: %s", t.Name, s.address, waited, cause)
	case looksFaulty:
		return fmt.Errorf("%s (%s) serves %s, which clients refuse: %s", t.Name, s.address, named(s.leaf), strings.TrimSuffix(ownFaults(s.findings)[0].Cause, "."))
	case looksOther:
		return fmt.Errorf("%s (%s) serves %s, which is neither the old certificate nor the new one", t.Name, s.address, named(s.leaf))
	case looksOld:
		if w.leaf.SHA256 == "" {
			return fmt.Errorf("%s (%s) still serves %s after %s, not what it served before", t.Name, s.address, named(s.leaf), waited)
		}
		return fmt.Errorf("%s (%s) still serves %s after %s: the service has not read the new files", t.Name, s.address, named(s.leaf), waited)
	}
	return fmt.Errorf("%s (%s) did not keep serving the right certificate within %s", t.Name, s.address, waited)
}
