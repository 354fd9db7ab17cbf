package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

// This file holds how certmedic run and backup reach the server that has the
// record open. Its address stands in a file beside the record, and the token is
// sent there, so it must be of this machine.

// toServer asks the running server: no proxy may see the token, and no redirect
// takes it elsewhere.
var toServer = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("it redirects, which is not followed")
	},
}

// checkServer refuses an address that is not this machine's own.
func checkServer(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Port() == "" || u.Path != "" {
		return fmt.Errorf("the file beside the record names %q as the server's address, which is none: stop what uses the record, then say it again", address)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err == nil && ownAddress(ip) {
		return nil
	}
	return fmt.Errorf("the file beside the record names %s as the server's address, which is not of this machine, so nothing is sent there: stop what uses the record, then say it again", u.Host)
}

// ownAddress reports a loopback address or one of this machine's interfaces.
func ownAddress(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if ip.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap().WithZone("") == ip {
			return true
		}
	}
	return false
}
