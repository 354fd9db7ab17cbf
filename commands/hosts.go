package commands

// This file knows the addresses of a certificate as they were last seen.

import (
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// seenHost is one address of a certificate's endpoints, as last seen.
type seenHost struct {
	name     string // the target's, else the address
	endpoint string
	renew.AddressReport
}

// label is the host's name with its address.
func (h seenHost) label() string {
	if h.name == h.Address {
		return h.Address
	}
	return h.name + " (" + h.Address + ")"
}

// worst is the host's worst finding.
func (h seenHost) worst() renew.Finding { return worstOf(h.Findings) }

func worstOf(fs []renew.Finding) renew.Finding {
	var w renew.Finding
	for _, f := range fs {
		if f.Severity.Rank() > w.Severity.Rank() {
			w = f
		}
	}
	return w
}

// wordsOf names the faults of a host: "expired, name mismatch", or "good".
func (h seenHost) wordsOf() string {
	var out []string
	for _, f := range h.Findings {
		if w := faultWord(f.ID); f.Severity.Rank() > renew.Info.Rank() && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return "good"
	}
	return strings.Join(out, ", ")
}

func faultWord(id string) string { return strings.ReplaceAll(id, "_", " ") }

// targetNames maps addresses (ip:port) to the hosts of the inventory.
func targetNames(c renew.Certificate) map[string]string {
	names := map[string]string{}
	for _, t := range c.Hosts() {
		for _, a := range t.Verify {
			if names[a] == "" {
				names[a] = t.Name
			}
		}
	}
	return names
}

// wavesOf is the wave of each host of the inventory by its name, from 1.
func wavesOf(c renew.Certificate) map[string]int {
	waves := map[string]int{}
	for n, wave := range c.Waves {
		for _, t := range wave {
			if waves[t.Name] == 0 {
				waves[t.Name] = n + 1
			}
		}
	}
	return waves
}

// hostsOf lists every address of some reports, in their order.
func hostsOf(c renew.Certificate, reports []renew.Report) []seenHost {
	names := targetNames(c)
	var out []seenHost
	for _, r := range reports {
		for _, a := range r.Addresses {
			h := seenHost{name: names[a.Address], endpoint: r.Endpoint, AddressReport: a}
			if h.name == "" {
				h.name = a.Address
			}
			out = append(out, h)
		}
	}
	return out
}

// with returns the hosts of a verdict.
func with(hs []seenHost, v renew.Severity) []seenHost {
	var out []seenHost
	for _, h := range hs {
		if h.Verdict() == v {
			out = append(out, h)
		}
	}
	return out
}

func findings(hs []seenHost) []renew.Finding {
	var out []renew.Finding
	for _, h := range hs {
		out = append(out, h.Findings...)
	}
	return out
}

func (h seenHost) has(id string) bool {
	return slices.ContainsFunc(h.Findings, func(f renew.Finding) bool { return f.ID == id })
}

func namesOf(hs []seenHost) []string {
	var out []string
	for _, h := range hs {
		out = append(out, h.name)
	}
	return out
}

// earliest returns the first notAfter of the leaves seen.
func earliest(hs []seenHost) time.Time {
	var t time.Time
	for _, h := range hs {
		if n := h.Leaf.NotAfter; !n.IsZero() && (t.IsZero() || n.Before(t)) {
			t = n
		}
	}
	return t
}

func sameSerial(hs []seenHost) (string, bool) {
	for _, h := range hs {
		if h.Leaf.Serial == "" || h.Leaf.Serial != hs[0].Leaf.Serial {
			return "", false
		}
	}
	return hs[0].Leaf.Serial, len(hs) > 0
}
