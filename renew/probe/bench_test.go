package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/certmedic/certmedic/renew"
)

// BenchmarkCheck checks 1,000 endpoints on loopback, 64 at once. The servers
// run in the same process, so their half of each handshake is in the numbers.
func BenchmarkCheck(b *testing.B) {
	const endpoints, listeners = 1000, 20
	e := newEstate(b)
	cert := e.inter.leaf(b).with(e.inter)
	var ats []netip.AddrPort
	for range listeners {
		ats = append(ats, serve(b, &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true}))
	}
	p := prober(Options{Concurrency: 64}, e.root)
	b.ReportAllocs()
	for b.Loop() {
		var wg sync.WaitGroup
		bad := make(chan string, endpoints)
		for i := range endpoints {
			wg.Go(func() {
				q := renew.Query{Host: site, Port: int(ats[i%listeners].Port()), Addresses: []string{fmt.Sprintf("127.0.0.%d", 1)}}
				if r := p.Check(context.Background(), q); r.Verdict != renew.Good {
					bad <- r.All()[0].Cause
				}
			})
		}
		wg.Wait()
		if len(bad) > 0 {
			b.Fatalf("%d bad: %s", len(bad), <-bad)
		}
	}
	b.ReportMetric(float64(endpoints*b.N)/b.Elapsed().Seconds(), "endpoints/s")
}
