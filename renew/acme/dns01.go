package acme

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// This file has the solver for DNS-01 (RFC 8555 section 8.4). The writers are
// our own, with the settings of lego's providers of the same names, whose
// contracts they keep: lego's take no ctx, read resolvers from package globals
// (so two certificates cannot have different ones at the same time), and its
// rfc2136 removes every other value of the name before it adds one, so that a
// wildcard and its apex, or two renewals, would take each other's proof away.

// dnsError is a failure of a DNS writer, with its class: "permission",
// "unreachable", "zone", "throttled", "settings" or "failed".
type dnsError struct {
	class string
	err   error
}

func (e *dnsError) Error() string { return e.err.Error() }
func (e *dnsError) Unwrap() error { return e.err }

// writer changes TXT records. Both methods may be repeated and leave other
// values of the name alone.
type writer interface {
	add(ctx context.Context, fqdn, value string) error
	remove(ctx context.Context, fqdn, value string) error
	where() string // for people: what is written to
}

// dns01 is the solver.
type dns01 struct {
	w         writer
	r         resolver
	own       bool          // resolvers are configured: watch those instead of the zone's name servers
	timeout   time.Duration // until a change must be seen
	interval  time.Duration // longest between looks
	sequence  time.Duration // between authorizations
	mu        sync.Mutex
	presented map[string]bool // "fqdn value" that were added here
}

// Settings that both providers know. Durations are seconds ("60") or "1m30s".
//
//	propagation_timeout  until a record must be seen, default 60 s
//	polling_interval     longest between looks for it, default 2 s (the first looks are quicker)
//	sequence_interval    pause between two names of one certificate, which then are done one by one; default 0: side by side
var sharedSettings = []string{"propagation_timeout", "polling_interval", "sequence_interval"}

// hide are the names of environment variables that a program is not given.
func newDNS01(ch renew.Challenge, hide []string) (*dns01, error) {
	d := &dns01{
		r: newResolver(ch.Resolvers), own: len(ch.Resolvers) > 0,
		timeout: 60 * time.Second, interval: 2 * time.Second, presented: map[string]bool{},
	}
	var err error
	switch ch.Provider {
	case "rfc2136":
		d.w, err = newRFC2136(ch.Settings)
	case "exec":
		d.w, err = newExec(ch.Settings, hide)
	case "":
		err = errors.New("dns-01 needs a provider: rfc2136 or exec")
	default:
		err = fmt.Errorf("dns-01 provider %q is not known; there are rfc2136 and exec, which reaches every other by a script", ch.Provider)
	}
	for name, to := range map[string]*time.Duration{
		"propagation_timeout": &d.timeout, "polling_interval": &d.interval, "sequence_interval": &d.sequence,
	} {
		if err == nil && ch.Settings[name] != "" {
			*to, err = seconds(name, ch.Settings[name])
		}
	}
	if err != nil {
		return nil, &dnsError{"settings", err}
	}
	return d, nil
}

// seconds reads a duration setting.
func seconds(name, value string) (time.Duration, error) {
	if n, err := strconv.Atoi(value); err == nil && n >= 0 && n <= 86400 {
		return time.Duration(n) * time.Second, nil
	}
	if d, err := time.ParseDuration(value); err == nil && d >= 0 && d <= 24*time.Hour {
		return d, nil
	}
	return 0, fmt.Errorf("%s: %q is not a duration up to a day, such as 60 or 1m30s", name, value)
}

// known refuses settings that a provider does not know, naming the nearest.
func known(provider string, settings map[string]string, names ...string) error {
	names = append(names, sharedSettings...)
	var given []string
	for name := range settings {
		given = append(given, name)
	}
	sort.Strings(given)
	for _, name := range given {
		if slices.Contains(names, name) {
			continue
		}
		near := slices.MinFunc(names, func(a, b string) int { return distance(name, a) - distance(name, b) })
		return fmt.Errorf("%s has no setting %q; nearest is %q (all: %s)", provider, name, near, strings.Join(names, ", "))
	}
	return nil
}

// distance is the number of letters to add, drop or change from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := left
			if a[i] != b[j] {
				change++
			}
			left = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func (d *dns01) pause() time.Duration { return d.sequence }

// label returns the name where the TXT record of a domain goes: the end of
// the aliases of _acme-challenge.domain.
func (d *dns01) label(ctx context.Context, domain string) (fqdn string, chain []string, err error) {
	chain, err = d.r.follow(ctx, "_acme-challenge."+strings.TrimPrefix(domain, "*.")+".")
	if err != nil {
		return "", chain, &dnsError{"unreachable", fmt.Errorf("look for an alias of %s: %w", strings.TrimSuffix(chain[0], "."), err)}
	}
	return chain[len(chain)-1], chain, nil
}

func txtValue(keyAuth string) string {
	sum := sha256.Sum256([]byte(keyAuth))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (d *dns01) present(ctx context.Context, name, _, keyAuth string) (string, error) {
	fqdn, _, err := d.label(ctx, name)
	if err != nil {
		return "", err
	}
	value := txtValue(keyAuth)
	d.mu.Lock()
	d.presented[fqdn+" "+value] = true // before: a failed add may have added
	d.mu.Unlock()
	if err := d.w.add(ctx, fqdn, value); err != nil {
		return "", fmt.Errorf("add the TXT record %s: %w", strings.TrimSuffix(fqdn, "."), err)
	}
	took, err := d.await(ctx, fqdn, value, true)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("TXT record %s added by %s, seen after %s", strings.TrimSuffix(fqdn, "."), d.w.where(), spent(took)), nil
}

func (d *dns01) remove(ctx context.Context, name, _, keyAuth string) (string, error) {
	fqdn, _, err := d.label(ctx, name)
	if err != nil {
		return "", err
	}
	value := txtValue(keyAuth)
	d.mu.Lock()
	mine := d.presented[fqdn+" "+value]
	delete(d.presented, fqdn+" "+value)
	d.mu.Unlock()
	if !mine {
		if values, err := d.look(ctx, fqdn); err == nil && !slices.Contains(values, value) {
			return "", nil
		}
	}
	if err := d.w.remove(ctx, fqdn, value); err != nil {
		return "", fmt.Errorf("remove the TXT record %s: %w", strings.TrimSuffix(fqdn, "."), err)
	}
	if !mine {
		return fmt.Sprintf("TXT record %s, left by an earlier run, removed", strings.TrimSuffix(fqdn, ".")), nil
	}
	return "", nil
}

// watched returns the servers at which a change must be seen: the configured
// resolvers, else the zone's name servers (a resolver would remember for a
// while that there was no record), else the system's resolvers.
func (d *dns01) watched(ctx context.Context, fqdn string) []string {
	if !d.own {
		if servers, err := d.r.authoritative(ctx, fqdn); err == nil {
			return servers
		}
	}
	return d.r.servers
}

// look returns the TXT values of a name at the first watched server that answers.
func (d *dns01) look(ctx context.Context, fqdn string) (values []string, err error) {
	for _, s := range d.watched(ctx, fqdn) {
		if values, err = txtAt(ctx, s, fqdn); err == nil {
			return values, nil
		}
	}
	return nil, err
}

// await returns when every watched server shows the value (seen), or none
// does (not seen). A server that cannot be asked three times in a row does
// not count while another could be.
func (d *dns01) await(ctx context.Context, fqdn, value string, seen bool) (took time.Duration, err error) {
	start := time.Now()
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	missing := slices.Clone(d.watched(ctx, fqdn))
	good, fails, last := 0, map[string]int{}, error(nil)
	for p := (pace{most: d.interval}); ; {
		missing = slices.DeleteFunc(missing, func(s string) bool {
			values, err := txtAt(ctx, s, fqdn)
			if err != nil {
				fails[s]++
				last = err
				return false
			}
			fails[s] = 0
			if slices.Contains(values, value) == seen {
				good++
				return true
			}
			return false
		})
		alive := slices.ContainsFunc(missing, func(s string) bool { return fails[s] < 3 })
		if len(missing) == 0 || good > 0 && !alive {
			return time.Since(start), nil
		}
		if p.wait(ctx, 0) == nil {
			continue
		}
		if outer.Err() != nil {
			return 0, context.Cause(outer)
		}
		if last != nil && !alive {
			return 0, &dnsError{"unreachable", fmt.Errorf("no name server could be asked for %s: %w", strings.TrimSuffix(fqdn, "."), last)}
		}
		what := "does not show"
		if !seen {
			what = "still shows"
		}
		return 0, &dnsError{"propagation", fmt.Errorf("%s %s the TXT record %s after %s", strings.Join(missing, ", "), what, strings.TrimSuffix(fqdn, "."), d.timeout)}
	}
}

// spent shows how long something took: in milliseconds under a second.
func spent(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", max(d.Milliseconds(), 1))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
