package probe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// together judges the set of addresses.
func together(q renew.Query, as []renew.AddressReport, seen []sight, now time.Time) []renew.Finding {
	var out []renew.Finding
	out = append(out, divergence(q, as)...)
	out = append(out, families(q, as, seen)...)
	out = append(out, deployed(q, as)...)
	out = append(out, overdue(q, as, now)...)
	return out
}

// divergence reports the addresses that serve another certificate than the
// rest. The rest is whoever serves the last issued one, else the most, else
// the newest.
func divergence(q renew.Query, as []renew.AddressReport) []renew.Finding {
	groups := map[string][]renew.AddressReport{}
	for _, a := range as {
		if a.Leaf.SHA256 != "" {
			groups[a.Leaf.SHA256] = append(groups[a.Leaf.SHA256], a)
		}
	}
	if len(groups) < 2 {
		return nil
	}
	fps := slices.Collect(maps.Keys(groups))
	slices.SortFunc(fps, func(a, b string) int {
		if d := len(groups[b]) - len(groups[a]); d != 0 {
			return d
		}
		if d := groups[b][0].Leaf.NotBefore.Compare(groups[a][0].Leaf.NotBefore); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	if i := slices.Index(fps, q.Declared.Issued.SHA256); i > 0 {
		fps[0], fps[i] = fps[i], fps[0]
	}
	ref := groups[fps[0]][0].Leaf
	var odd []renew.AddressReport
	for _, a := range as {
		if a.Leaf.SHA256 != "" && a.Leaf.SHA256 != ref.SHA256 {
			odd = append(odd, a)
		}
	}
	proof := map[string]string{"name": q.Host}
	for _, a := range as {
		if a.Leaf.SHA256 != "" {
			proof[a.Address] = fmt.Sprintf("sha256 %s, serial %s, until %s", a.Leaf.SHA256, a.Leaf.Serial, stamp(a.Leaf.NotAfter))
		}
	}
	how, next := difference(ref, odd)
	f := found("node_divergence", with(proof, "kind", how, "reference", ref.SHA256),
		"%s: %s another certificate than the other %d: %s", clean(q.Host, 100), serves(odd), len(groups[fps[0]]), how)
	if next != "" {
		f.Next = next
	}
	return []renew.Finding{f}
}

// difference says how the odd ones differ.
func difference(ref renew.Leaf, odd []renew.AddressReport) (kind, next string) {
	sameKey, same := true, true
	for _, a := range odd {
		sameKey = sameKey && a.Leaf.SPKI == ref.SPKI
		same = same && a.Leaf.Issuer == ref.Issuer && slices.Equal(slices.Sorted(slices.Values(a.Leaf.SANs)), slices.Sorted(slices.Values(ref.SANs)))
	}
	switch {
	case sameKey && same:
		return "same key and other dates, so probably not reloaded", "Reload the service on these hosts, then check again."
	case same:
		return "same names and issuer, other key and dates", ""
	}
	return "wrong certificate: other names or another issuer", "Put the right certificate on these hosts, then check again."
}

func serves(odd []renew.AddressReport) string {
	names := make([]string, len(odd))
	for i, a := range odd {
		names[i] = a.Address
	}
	if len(odd) == 1 {
		return names[0] + " serves"
	}
	return list(names, 4) + " serve"
}

// families reports that every address of one IP version fails while the other
// works.
func families(q renew.Query, as []renew.AddressReport, seen []sight) []renew.Finding {
	var n, bad [2]int // IPv4, IPv6
	for i, a := range as {
		if !seen[i].addr.IsValid() {
			continue
		}
		v := 0
		if seen[i].addr.Addr().Is6() {
			v = 1
		}
		n[v]++
		if a.Verdict() == renew.Critical {
			bad[v]++
		}
	}
	if n[0] == 0 || n[1] == 0 {
		return nil
	}
	proof := map[string]string{"name": q.Host, "ipv4": fmt.Sprintf("%d of %d fail", bad[0], n[0]), "ipv6": fmt.Sprintf("%d of %d fail", bad[1], n[1])}
	switch {
	case bad[1] == n[1] && bad[0] < n[0]:
		return []renew.Finding{found("v6_only_fail", proof, "%s fails at every IPv6 address (%d) and works over IPv4", clean(q.Host, 100), n[1])}
	case bad[0] == n[0] && bad[1] < n[1]:
		return []renew.Finding{found("v4_only_fail", proof, "%s fails at every IPv4 address (%d) and works over IPv6", clean(q.Host, 100), n[0])}
	}
	return nil
}

// deployed counts where the last issued certificate is served. Addresses that
// could not be looked at count as not serving it.
func deployed(q renew.Query, as []renew.AddressReport) []renew.Finding {
	want := strings.ToLower(q.Declared.Issued.SHA256)
	if want == "" || len(as) == 0 {
		return nil
	}
	var lacks []string
	for _, a := range as {
		if a.Leaf.SHA256 != want {
			lacks = append(lacks, a.Address)
		}
	}
	k, n := len(as)-len(lacks), len(as)
	if k == n {
		return nil
	}
	proof := map[string]string{"certificate": q.Declared.Certificate, "issued_sha256": want, "issued_serial": q.Declared.Issued.Serial,
		"served": fmt.Sprintf("%d of %d", k, n), "missing_at": strings.Join(lacks, " ")}
	if k == 0 {
		return []renew.Finding{found("not_deployed", proof, "the last issued certificate of %s (from %s) is served nowhere, at 0 of %d addresses",
			clean(q.Host, 100), stamp(q.Declared.Issued.NotBefore), n)}
	}
	return []renew.Finding{found("not_deployed", proof, "the last issued certificate of %s (from %s) is served at %d of %d addresses, not at %s",
		clean(q.Host, 100), stamp(q.Declared.Issued.NotBefore), k, n, list(lacks, 4))}
}

// overdue: the renewal window is over (RFC 9773 section 4.2) and some address
// serves nothing newer than what should have been renewed in it.
func overdue(q renew.Query, as []renew.AddressReport, now time.Time) []renew.Finding {
	d := q.Declared
	if d.OverdueAt.IsZero() || !now.After(d.OverdueAt) {
		return nil
	}
	served, old := 0, 0
	for _, a := range as {
		if a.Leaf.SHA256 == "" {
			continue
		}
		served++
		newer := a.Leaf.NotBefore.After(d.OverdueAt)
		if d.Issued.SHA256 != "" {
			newer = newer || a.Leaf.SHA256 != d.Issued.SHA256 && a.Leaf.NotBefore.After(d.Issued.NotBefore)
		}
		if !newer {
			old++
		}
	}
	if served > 0 && old == 0 {
		return nil
	}
	proof := map[string]string{"certificate": d.Certificate, "overdue_at": stamp(d.OverdueAt), "explanation": d.Explanation}
	return []renew.Finding{found("renewal_overdue", proof, "the certificate of %s should have been renewed by %s, %s ago, and nothing newer is served",
		clean(q.Host, 100), stamp(d.OverdueAt), span(now.Sub(d.OverdueAt)))}
}
