package postmortem

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/incident"
)

// rolled is an outage whose hosts are in the waves named; 0: written down
// before waves were.
func rolled(waves ...int) Record {
	r := outage(len(waves), time.Hour)
	for n := range r.Timeline {
		s := &r.Timeline[n].Evidence.Step
		for k, w := range waves {
			if s.Host != "" && s.Host == r.Timeline[0].Evidence.Check.Hosts[k].Host {
				s.Wave = w
			}
		}
	}
	return r
}

// TestWaves: the hosts of one wave stand together under its name, in the
// picture, in both tables and in the words.
func TestWaves(t *testing.T) {
	t.Parallel()
	r := rolled(2, 1, 2, 1) // the order of the rollout is not that of the waves
	d := New(r)
	v := gather(r.Incident, d.Timeline)
	s := v.layout("", "")
	apartTexts(t, "waves", s)
	at := map[string]float64{}
	for _, o := range s.shapes {
		if o.text != "" {
			at[o.text] = o.points[1]
		}
	}
	var order []string
	for _, name := range []string{"Wave 1", "cdn-fremont-1", short("esme.very-long-name.example.com:8443"), "Wave 2", "cdn-frankfurt-1", "sally"} {
		if at[name] == 0 {
			t.Fatalf("%q is not in the picture: %v", name, at)
		}
		if n := len(order); n > 0 && at[order[n-1]] >= at[name] {
			t.Errorf("%q stands over %q", name, order[n-1])
		}
		order = append(order, name)
	}
	svg := s.svg()
	for _, want := range []string{">Wave 1</text>", ">Wave 2</text>", "The picture shows 4 hosts in 2 waves from "} {
		if !strings.Contains(svg, want) {
			t.Errorf("the SVG has no %s", want)
		}
	}
	md := string(d.Markdown())
	for _, want := range []string{
		"| Host | Wave | Failing from |", "| Host | Wave | Serial before |", "| `sally` | 2 |", "| `cdn-fremont-1` | 1 |", "The rollout went in 2 waves:",
		"- Wave 1: `cdn-fremont-1`, `esme.very-long-name.example.com:8443`, 2 of 2 verified, from 2026-11-21 00:29:36 UTC to 2026-11-21 00:41:36 UTC.",
		"- Wave 2: `cdn-frankfurt-1`, `sally`, 2 of 2 verified, from 2026-11-21 00:23",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft has no %q", want)
		}
	}
	if a, b := strings.Index(md, "| `cdn-fremont-1` | 1 |"), strings.Index(md, "| `cdn-frankfurt-1` | 2 |"); a > b {
		t.Error("the table of the picture does not begin with wave 1")
	}
	one, err := d.PNG()
	two, err2 := New(rolled(1, 1, 2, 2)).PNG()
	if err != nil || err2 != nil || string(one) == string(two) {
		t.Errorf("other waves, the same PNG (%v, %v)", err, err2)
	}
}

// TestOldWaves: a record from before waves were written down reads as it did:
// no wave is named, and its hosts stand in the order of the rollout.
func TestOldWaves(t *testing.T) {
	t.Parallel()
	d := New(rolled(0, 0, 0, 0))
	page, err := d.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(page), string(d.Markdown())} {
		if strings.Contains(strings.ToLower(text), "wave") {
			t.Errorf("a wave is named: %.200s", text[strings.Index(strings.ToLower(text), "wave"):])
		}
	}
}

// TestWavesOfChecks: hosts that no renewal touched are in the wave that the
// check knew; what a renewal said counts before that; a host of none is last.
func TestWavesOfChecks(t *testing.T) {
	t.Parallel()
	r := rolled(1, 0, 0, 0)
	r.Timeline = r.Timeline[:4] // the check, the approval, placed and verified on the first
	r.History = r.Timeline
	for n, w := range []int{3, 2, 2, 0} {
		r.Timeline[0].Evidence.Check.Hosts[n].Wave = w
	}
	v := gather(r.Incident, r.Timeline)
	var got []string
	for _, g := range v.groups {
		for _, h := range g.hosts {
			got = append(got, fmt.Sprint(g.wave, " ", h.name))
		}
	}
	if want := []string{"1 cdn-frankfurt-1", "2 cdn-fremont-1", "2 sally", "0 esme.very-long-name.example.com:8443"}; strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("%q, want %q", got, want)
	}
	md := string(New(r).Markdown())
	for _, want := range []string{"- Wave 2: `cdn-fremont-1`, `sally`, not verified with a new certificate.", "- In no wave: `esme.very-long-name.example.com:8443`, not verified with a new certificate."} {
		if !strings.Contains(md, want) {
			t.Errorf("the draft has no %q", want)
		}
	}
}

// TestWhatWasPlacedFirst: within a wave the hosts stand in the order in which
// they were placed, those that were not after them.
func TestWhatWasPlacedFirst(t *testing.T) {
	t.Parallel()
	at := func(n int) incident.Entry {
		return incident.Entry{ID: fmt.Sprint("E-", n), At: time.Date(2026, 11, 21, 2, n, 0, 0, time.UTC)}
	}
	groups := intoWaves([]*host{{name: "a", wave: 2}, {name: "b"}, {name: "c", wave: 1}, {name: "d", wave: 1, placed: at(9)}, {name: "e", wave: 1}, {name: "f", wave: 1, placed: at(3)}})
	var got []string
	for _, g := range groups {
		for _, h := range g.hosts {
			got = append(got, fmt.Sprint(g.wave, h.name))
		}
	}
	if want := "1f 1d 1c 1e 2a 0b"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", strings.Join(got, " "), want)
	}
}

// TestManyWaves: where there is no room, hosts are counted, and nothing touches.
func TestManyWaves(t *testing.T) {
	t.Parallel()
	var waves []int
	for n := range 90 {
		waves = append(waves, n/8+1)
	}
	r := rolled(waves...)
	s := new(view)
	*s = gather(r.Incident, r.Timeline)
	sheet := s.layout("INC-7", "")
	apartTexts(t, "90 hosts in 12 waves", sheet)
	if svg := sheet.svg(); !strings.Contains(svg, "And 30 more hosts, in the table.") && !strings.Contains(svg, "And 30 hosts more, in the table.") {
		t.Error("the hosts left out are not counted")
	}
}

// TestWaveOnDisk: an entry without a wave has the bytes that it always had.
func TestWaveOnDisk(t *testing.T) {
	t.Parallel()
	for _, v := range []any{incident.StepEvidence{Host: "sally"}, incident.HostCheck{Host: "sally"}} {
		if b := mustJSON(t, v); strings.Contains(b, "wave") {
			t.Errorf("%T without a wave is written as %s: the chain of old records would break", v, b)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
