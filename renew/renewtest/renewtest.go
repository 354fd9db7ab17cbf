// Package renewtest holds real things on loopback for tests and drills: a
// certification authority (Pebble in-process), a DNS server (challtestsrv
// in-process with dynamic updates in front of it) and free ports. Nothing here
// needs a *testing.T: constructors return (x, error) and x has Close. The
// t-helpers (StartCA, StartDNS) only fail the test and close at its end.
//
// It is imported from _test files and cmd/certmedic/drill alone.
package renewtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// T is the part of *testing.T and *testing.B that the helpers use.
type T interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// StartCA starts a CA that is closed at the end of the test.
func StartCA(t T, o CAOptions) *CA {
	t.Helper()
	c, err := NewCA(o)
	if err != nil {
		t.Fatalf("start the CA: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// StartDNS starts a DNS server that is closed at the end of the test.
func StartDNS(t T, o DNSOptions) *DNS {
	t.Helper()
	d, err := NewDNS(o)
	if err != nil {
		t.Fatalf("start the DNS server: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

// Ports come from below the range that systems choose from by themselves (for
// port 0 and for outgoing connections), so that one which is not in use now is
// not taken a moment later by a connection of another test.
const firstPort, lastPort = 10000, 32000

var (
	portMu sync.Mutex
	given  = map[int]bool{} // ports that this process has given out
)

func randomPort() int {
	portMu.Lock()
	defer portMu.Unlock()
	for {
		p := firstPort + rand.IntN(lastPort-firstPort)
		if !given[p] || len(given) > (lastPort-firstPort)/2 {
			given[p] = true
			return p
		}
	}
}

// Listen listens on one port on every one of ips (TCP). Without ips it listens
// on 127.0.0.1. The listeners are in the order of ips. Addresses beside
// 127.0.0.1 exist on Linux without further ado; elsewhere the error says which
// one is missing.
func Listen(ips ...string) ([]net.Listener, int, error) {
	if len(ips) == 0 {
		ips = []string{"127.0.0.1"}
	}
	var last error
	for range 50 {
		port := randomPort()
		ls, err := listenOnce(ips, port)
		if err == nil {
			return ls, port, nil
		}
		last = err
	}
	return nil, 0, fmt.Errorf("one port on %v: %w", ips, last)
}

func listenOnce(ips []string, port int) ([]net.Listener, error) {
	var ls []net.Listener
	for _, ip := range ips {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			for _, l := range ls {
				l.Close()
			}
			return nil, err
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// FreePort returns a TCP port that was free on every one of ips a moment ago
// and that this process has given to nobody else. Another process may take it
// before it is used; prefer Listen.
func FreePort(ips ...string) (int, error) {
	ls, port, err := Listen(ips...)
	if err != nil {
		return 0, err
	}
	for _, l := range ls {
		l.Close()
	}
	return port, nil
}

// FreePorts returns n different free ports of 127.0.0.1.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		p, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// listenBoth listens on the same port for UDP and TCP, as a DNS server does.
func listenBoth(addr string) (net.PacketConn, net.Listener, error) {
	var last error
	for range 50 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return p, l, nil
		}
		l.Close()
		last = err
	}
	return nil, nil, last
}
