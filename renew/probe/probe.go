package probe

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// Defaults and bounds.
const (
	DefaultTimeout     = 10 * time.Second
	DefaultConcurrency = 64
	maxAddresses       = 64 // of one endpoint
	maxTries           = 64 // connections per address
)

// Options of a Prober. The zero value is good for public endpoints.
type Options struct {
	Roots   *x509.CertPool   // trusted roots; nil: the system's. See LoadRoots.
	Public  *x509.CertPool   // roots that public rules apply to (validity, SCTs); nil: the system's
	Now     func() time.Time // nil: time.Now
	Timeout time.Duration    // for one look at an address, its retries included; 0: DefaultTimeout

	Resolver *net.Resolver // nil: DNS, or the system's
	DNS      string        // DNS server host:port asked instead of the system's; only when Resolver is nil
	// CompareDNS looks a name up also when the query brings its addresses, and
	// reports addresses in DNS that were not declared (dns_elsewhere).
	CompareDNS bool

	AllowPrivate bool // AIA and CRL fetches may go to loopback and private addresses
	NoAIA        bool // never fetch a missing intermediate
	CRL          bool // fetch the leaf's CRL and report revoked and revocation_unknown

	Concurrency int          // connections at once over all checks; 0: DefaultConcurrency
	Log         *slog.Logger // nil: nothing is logged
}

// Prober checks endpoints. It is safe for concurrent use; all its checks share
// one bound on connections.
type Prober struct {
	o      Options
	dns    *net.Resolver
	slots  chan struct{}
	system func() *x509.CertPool // roots that public rules apply to
}

var _ renew.Prober = (*Prober)(nil)

// New returns a Prober. It opens nothing and starts nothing.
func New(o Options) *Prober {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Prober{o: o, dns: resolver(o), slots: make(chan struct{}, o.Concurrency)}
	p.system = sync.OnceValue(func() *x509.CertPool {
		if o.Public != nil {
			return o.Public
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			return x509.NewCertPool()
		}
		return pool
	})
	if o.Roots == nil {
		p.o.Roots = p.systemRoots()
	}
	return p
}

func (p *Prober) systemRoots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		p.o.Log.Warn("no system roots", "error", err)
		return x509.NewCertPool()
	}
	return pool
}

// Check implements renew.Prober: it looks at every address of q concurrently
// and lists all faults of each, in the order of the addresses, then those of
// the set. A query without a port means 443. Entries of q.Addresses may be
// "ip:port" where an address listens on a port of its own.
func (p *Prober) Check(ctx context.Context, q renew.Query) renew.Report {
	q = tidy(q)
	rep := renew.Report{
		Endpoint:  net.JoinHostPort(q.Host, strconv.Itoa(q.Port)),
		Name:      q.Declared.Certificate,
		Addresses: []renew.AddressReport{},
		Findings:  []renew.Finding{},
	}
	addrs, fs := p.addresses(ctx, q)
	rep.Findings = append(rep.Findings, fs...)

	seen := p.lookAll(ctx, q, addrs)
	now := p.o.Now().UTC()
	rep.At = now
	rep.Addresses = append(rep.Addresses, p.judgeAll(ctx, q, seen, now)...)
	rep.Findings = append(rep.Findings, together(q, rep.Addresses, seen, now)...)
	rep.Verdict = renew.Worst(rep.All())
	return rep
}

// lookAll looks at all addresses at once, as far as the slots allow.
func (p *Prober) lookAll(ctx context.Context, q renew.Query, addrs []place) []sight {
	out := make([]sight, len(addrs))
	var wg sync.WaitGroup
	for i, a := range addrs {
		wg.Go(func() {
			if !a.addr.IsValid() {
				out[i] = sight{place: a}
				return
			}
			select {
			case p.slots <- struct{}{}:
				defer func() { <-p.slots }()
				out[i] = p.watch(ctx, q, a)
			case <-ctx.Done():
				out[i] = sight{place: a, look: look{stage: stageDial, err: context.Cause(ctx)}, stopped: true}
			}
		})
	}
	wg.Wait()
	return out
}

// judgeAll judges what was seen at each address. It may fetch AIA and CRLs.
func (p *Prober) judgeAll(ctx context.Context, q renew.Query, seen []sight, now time.Time) []renew.AddressReport {
	out := make([]renew.AddressReport, len(seen))
	fetch := p.newFetcher()
	var wg sync.WaitGroup
	for i := range seen {
		wg.Go(func() {
			// Judging may fetch, so it takes a slot too; no new look waits on it.
			p.slots <- struct{}{}
			defer func() { <-p.slots }()
			j := judge{p: p, q: q, s: &seen[i], all: seen, now: now, fetch: fetch}
			out[i] = j.report(ctx)
		})
	}
	wg.Wait()
	return out
}

// tidy fills in the defaults of a query.
func tidy(q renew.Query) renew.Query {
	q.Host = strings.TrimSuffix(strings.ToLower(strings.Trim(q.Host, "[]")), ".")
	if q.SNI == "" {
		q.SNI = q.Host
	}
	q.SNI = strings.TrimSuffix(strings.ToLower(q.SNI), ".")
	if q.Port == 0 {
		q.Port = 443
	}
	if q.Tries < 1 {
		q.Tries = 1
	}
	q.Tries = min(q.Tries, maxTries)
	q.StartTLS = strings.ToLower(q.StartTLS)
	return q
}

// place is one address to look at. addr is invalid when text is no address.
type place struct {
	text string // as reports show it
	addr netip.AddrPort
}

// places turns address strings into places, each once, in order.
func places(texts []string, port int) []place {
	var out []place
	known := map[string]bool{}
	for _, t := range texts {
		pl := place{text: clean(t, 80)}
		if a, err := netip.ParseAddr(strings.Trim(t, "[]")); err == nil {
			pl.addr = netip.AddrPortFrom(a.Unmap(), uint16(port))
		} else if ap, err := netip.ParseAddrPort(t); err == nil {
			pl.addr = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		}
		if pl.addr.IsValid() {
			pl.text = pl.addr.String()
		}
		if !known[pl.text] {
			known[pl.text] = true
			out = append(out, pl)
		}
	}
	return out
}
