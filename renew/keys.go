package renew

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// The key layout. Everything of this package is under "renew/". Numbers are
// padded, so that keys sort as numbers do; names are path-escaped.
//
//	renew/count/run            last renewal number
//	renew/count/event          last event number
//	renew/run/<n>              diskRenewal
//	renew/step/<n>/<seq>       diskStep
//	renew/of/<certificate>/<n> "" (index: renewals of a certificate)
//	renew/open/<certificate>   number of the renewal that is not final
//	renew/ask/<key>            number of the renewal that the ask started
//	renew/event/<seq>          diskEvent, until it is delivered
//	renew/key/<n>              private key, sealed under "key/R-<n>"
//	renew/chain/<n>            issued chain, PEM
//	renew/issued/<certificate> diskIssued
//	renew/standing/<certificate> diskStanding
//	renew/account/<issuer>     diskAccount, key sealed under "account/<issuer>"
const (
	keyRunCount   = "renew/count/run"
	keyEventCount = "renew/count/event"
	prefixRun     = "renew/run/"
	prefixEvent   = "renew/event/"
	prefixOpen    = "renew/open/"
)

func keyRun(n int) string         { return fmt.Sprintf("%s%010d", prefixRun, n) }
func prefixStep(n int) string     { return fmt.Sprintf("renew/step/%010d/", n) }
func keyStep(n, seq int) string   { return fmt.Sprintf("%s%06d", prefixStep(n), seq) }
func prefixOf(cert string) string { return "renew/of/" + url.PathEscape(cert) + "/" }
func keyOf(cert string, n int) string {
	return fmt.Sprintf("%s%010d", prefixOf(cert), n)
}
func keyOpen(cert string) string     { return prefixOpen + url.PathEscape(cert) }
func keyAsk(key string) string       { return "renew/ask/" + url.PathEscape(key) }
func keyEvent(n int) string          { return fmt.Sprintf("%s%016d", prefixEvent, n) }
func keyKey(n int) string            { return fmt.Sprintf("renew/key/%010d", n) }
func keyChain(n int) string          { return fmt.Sprintf("renew/chain/%010d", n) }
func keyIssued(cert string) string   { return "renew/issued/" + url.PathEscape(cert) }
func keyStanding(cert string) string { return "renew/standing/" + url.PathEscape(cert) }
func keyAccount(issuer string) string {
	return "renew/account/" + url.PathEscape(issuer)
}

// idOf makes "R-12" from 12.
func idOf(n int) string { return "R-" + strconv.Itoa(n) }

// numberOf makes 12 from "R-12" (or "r-12").
func numberOf(id string) (int, bool) {
	s, ok := strings.CutPrefix(strings.ToUpper(id), "R-")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}

// lastNumber is the number at the end of a key.
func lastNumber(key string) int {
	n, err := strconv.Atoi(key[strings.LastIndexByte(key, '/')+1:])
	if err != nil {
		return 0
	}
	return n
}
