package postmortem

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// In this file: the waves of a rollout. A record from before waves were
// written down has none, and its hosts stand in the order of the rollout.

// group is the hosts of one wave, in the order in which they were worked on.
type group struct {
	wave  int // from 1; 0: of no wave, or not on the record
	hosts []*host
}

// intoWaves sorts the hosts by wave, those of none last; within a wave by when
// they were placed, those that were not after them, as they appeared.
func intoWaves(hosts []*host) (all []group) {
	hosts = slices.Clone(hosts)
	slices.SortStableFunc(hosts, func(a, b *host) int {
		if a.wave != b.wave {
			if a.wave == 0 || b.wave == 0 {
				return b.wave - a.wave
			}
			return a.wave - b.wave
		}
		switch ap, bp := a.placed.ID != "", b.placed.ID != ""; {
		case ap && bp:
			return a.placed.At.Compare(b.placed.At)
		case ap:
			return -1
		case bp:
			return 1
		}
		return 0
	})
	for _, h := range hosts {
		if n := len(all) - 1; n >= 0 && all[n].wave == h.wave {
			all[n].hosts = append(all[n].hosts, h)
		} else {
			all = append(all, group{h.wave, []*host{h}})
		}
	}
	return all
}

// waved reports whether the record knows waves, and how many.
func (v *view) waved() (n int) {
	for _, g := range v.groups {
		if g.wave > 0 {
			n++
		}
	}
	return n
}

// name is what a group is called: "wave 2", or "in no wave".
func (g group) name() string {
	if g.wave == 0 {
		return "in no wave"
	}
	return fmt.Sprintf("wave %d", g.wave)
}

// title is the name at the start of a line.
func (g group) title() string { return strings.ToUpper(g.name()[:1]) + g.name()[1:] }

// done are the hosts of a group that were verified, and from when to when.
func (g group) done() (n int, first, last time.Time) {
	for _, h := range g.hosts {
		if h.proven.ID == "" {
			continue
		}
		if at := h.proven.At; n == 0 || at.Before(first) {
			first = at
		}
		if at := h.proven.At; at.After(last) {
			last = at
		}
		n++
	}
	return n, first, last
}

// waves says how the rollout went, a line a wave; nothing without waves.
func (w *writer) waves() {
	if w.v.waved() == 0 {
		return
	}
	var lines []string
	for _, g := range w.v.groups {
		var names []string
		for _, h := range g.hosts {
			names = append(names, h.name)
		}
		n, first, last := g.done()
		line := g.title() + ": " + codes(some(names))
		switch {
		case n == 0:
			line += ", not verified with a new certificate."
		case len(g.hosts) == 1:
			line += ", verified at " + w.when(first) + "."
		default:
			line += fmt.Sprintf(", %d of %d verified", n, len(g.hosts))
			if w.when(first) == w.when(last) {
				line += " at " + w.when(first) + "."
			} else {
				line += ", from " + w.when(first) + " to " + w.when(last) + "."
			}
		}
		if n > 0 {
			w.fact(g.name()+" verified", fmt.Sprintf("%d of %d, the last at %s", n, len(g.hosts), incident.When(last)), "renewal steps", true)
		}
		lines = append(lines, line)
	}
	w.para("The rollout went in %s:", count(w.v.waved(), "wave"))
	w.list(lines)
}

// inOrder are the hosts as they are grouped.
func (v *view) inOrder() (all []*host) {
	for _, g := range v.groups {
		all = append(all, g.hosts...)
	}
	return all
}

// waveHead is the head of a table of hosts; the column of the wave is there
// when waves are known.
func (v *view) waveHead(first string, others ...string) []string {
	if v.waved() == 0 {
		return append([]string{first}, others...)
	}
	return append([]string{first, "Wave"}, others...)
}

// withWave is a row under waveHead.
func (v *view) withWave(h *host, first string, others ...string) []string {
	if v.waved() == 0 {
		return append([]string{first}, others...)
	}
	wave := "-"
	if h.wave > 0 {
		wave = fmt.Sprint(h.wave)
	}
	return append([]string{first, wave}, others...)
}
