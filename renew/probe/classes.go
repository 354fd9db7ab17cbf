package probe

import (
	"sync"

	"github.com/certmedic/certmedic/renew"
)

// Class is one row of the table of failure classes.
type Class struct {
	ID       string         // as in renew.Finding.ID
	Severity renew.Severity // usual one; a finding may be milder where its sentence says why
	Meaning  string         // when it is reported
	Next     string         // what to do
}

// Classes returns every class, in the order of docs/checks.md: by stage, then
// by what breaks clients most plainly.
func Classes() []Class { return append([]Class(nil), classes...) }

// class returns the class with this id. An id outside of the table is a
// mistake of this package, which its tests find.
func class(id string) Class {
	if c, ok := byID()[id]; ok {
		return c
	}
	return Class{ID: id, Severity: renew.Critical}
}

var byID = sync.OnceValue(func() map[string]Class {
	m := map[string]Class{}
	for _, c := range classes {
		m[c.ID] = c
	}
	return m
})

const (
	info     = renew.Info
	warning  = renew.Warning
	critical = renew.Critical
)

var classes = []Class{
	// DNS
	{"dns_nxdomain", critical, "the name has no address in DNS", "Correct the name, or add its A or AAAA record."},
	{"dns_timeout", critical, "DNS did not answer in time", "Check the DNS servers of the zone and the resolver used here."},
	{"dns_servfail", critical, "the DNS server answers with a failure", "Check the zone at its servers: delegation, DNSSEC signatures."},
	{"dns_failed", critical, "the look-up failed in another way; the proof has the raw error", "Read the error; check the resolver used here."},
	{"dns_elsewhere", info, "the name also resolves to addresses that the inventory does not name", "Add the addresses to the inventory, or correct DNS."},
	{"addresses_capped", info, "the name has more addresses than are looked at", "Name the addresses to be checked."},

	// connection
	{"refused", critical, "nothing listens on the port", "Start the service, or correct the port."},
	{"unreachable", critical, "no route to the address", "Check the network and the address; for IPv6 also that this host has it."},
	{"connect_timeout", critical, "the address did not accept a connection in time", "Check that the host is up and that no firewall drops the port."},
	{"dial_failed", critical, "the connection failed in another way; the proof has the raw error", "Read the error; check the address and the network here."},
	{"interrupted", warning, "the check was stopped before it could finish", "Check again, with more time."},

	// STARTTLS
	{"starttls_missing", critical, "the server does not offer STARTTLS", "Switch TLS on in the service, or correct the protocol of the endpoint."},
	{"starttls_refused", critical, "the server refuses STARTTLS", "Read the server's words; its TLS set-up (certificate, key file) is the usual reason."},
	{"starttls_leftover", critical, "the server sends plain text after it agreed to TLS, as with a command injection", "Update the service; do not trust this connection."},
	{"starttls_failed", critical, "the talk before TLS failed in another way; the proof has the raw error", "Check that the endpoint speaks the protocol that it is checked with."},

	// handshake
	{"handshake_timeout", critical, "the connection was accepted and the handshake not completed in time", "Check that the service behind the port is alive and not overloaded."},
	{"reset", critical, "the connection was reset during the handshake", "Look for a filter or proxy in the way, and at the service's error log."},
	{"eof", critical, "the connection was closed during the handshake without an alert", "Look for a filter by name, a listener that wants the PROXY protocol, or an access list."},
	{"not_tls", critical, "something other than TLS answers on the port", "Correct the port, or check it with STARTTLS."},
	{"pq_intolerant", critical, "the server fails with the large ClientHello of current clients and works with a small one", "Update the server or the box before it that cannot take a ClientHello in two packets."},
	{"legacy_tls_only", critical, "the server speaks TLS 1.1 at most", "Switch TLS 1.2 and 1.3 on."},
	{"no_common_cipher", critical, "the server has no cipher or key type of current clients", "Allow ECDHE suites, and use an RSA, P-256 or P-384 key."},
	{"sni_unknown", critical, "the server refuses the name asked for", "Add the name to the server's configuration, or correct DNS."},
	{"sni_required", warning, "the server refuses clients that send no name; the target is an IP address", "Check it by its name (--sni NAME)."},
	{"alpn_mismatch", critical, "the server insists on an application protocol", "Let the server accept clients without ALPN."},
	{"client_cert_required", info, "the server asks for a client certificate", "Nothing, when that is meant."},
	{"malformed", critical, "a certificate does not parse", "Issue the certificate anew; see the error in the proof."},
	{"too_big", critical, "the server sends more than clients accept", "Serve the leaf and its intermediates only, with fewer names."},
	{"key_mismatch", critical, "certificate and private key do not belong together", "Put the key of this certificate in place, or renew, and reload."},
	{"handshake_failed", critical, "the handshake failed in another way; the proof has the alert or raw error", "Read the error; look at the service's error log at this time."},

	// the leaf
	{"expired", critical, "the certificate is past its notAfter", "Renew it and reload every host."},
	{"not_yet_valid", critical, "a certificate is before its notBefore", "Check the clocks here and there; then serve the certificate that is valid now."},
	{"name_mismatch", critical, "the certificate does not cover the name", "Serve the certificate of this name (the default one may be answering), or add the name to it."},
	{"ip_san_missing", critical, "the target is an IP address and the certificate has none", "Check it by its name (--sni NAME), or issue with the address as SAN."},
	{"cn_only", critical, "the name stands in the common name only", "Issue it anew with the name as SAN."},
	{"self_signed", critical, "the certificate is signed by its own key", "Put a certificate of a CA in place."},
	{"eku", critical, "the certificate or its CA is not for TLS servers", "Issue it with server authentication among its key usages."},
	{"sha1_or_md5_sig", critical, "a certificate other than the root is signed with SHA-1 or MD5", "Issue it anew; every CA of today signs with SHA-256 or better."},
	{"weak_key", critical, "RSA below 2048 bits, or an unusual curve (a warning)", "Make a new key (P-256, or RSA 2048) and renew."},
	{"must_staple_no_staple", warning, "the certificate demands an OCSP staple and none came", "Renew without must-staple; most CAs stopped OCSP and refuse it."},
	{"validity_too_long", warning, "a public CA's certificate is valid for longer than allowed on the day it begins", "Renew it; browsers refuse it."},
	{"sct_missing", warning, "a public CA's certificate without proof of logging", "Renew it, and ask the CA why it was not logged."},
	{"expiring", warning, "less than a third of the lifetime is left (soon: a sixth) and no renewal window says otherwise", "Renew it now."},

	// the chain
	{"missing_intermediate", critical, "an intermediate is not sent", "Serve the full chain (fullchain.pem) in place of the certificate alone, and reload."},
	{"wrong_intermediate", critical, "the intermediate that is sent did not issue the certificate", "Serve the chain that came with this certificate, and reload."},
	{"untrusted_root", critical, "the chain ends at a root that is not trusted", "Order from a trusted CA; for a private one add its root to trust.roots."},
	{"expired_intermediate", critical, "an intermediate expired and no other path exists", "Serve the CA's current intermediate (renewing brings it), and reload."},
	{"expired_root", critical, "the root expired and no other path exists", "Renew from a CA with a current root, or add its new root to trust.roots."},
	{"name_constraint", critical, "a CA on the path may not issue for these names", "Order from a CA that may issue for them."},
	{"pathlen", critical, "more CAs below another than it allows", "Serve the chain that the CA gave."},
	{"not_ca", critical, "a certificate that is not a CA's issued another", "Do not trust it; order from a CA."},
	{"verify_failed", critical, "the path does not verify for another reason; the proof has the raw error", "Read the error; compare the served chain with what the CA gave."},
	{"leaf_not_first", critical, "a CA certificate is sent before the leaf", "Put the certificate first in the file, then its intermediates, and reload."},
	{"wrong_order", warning, "the chain is sent out of order", "Put each certificate before its issuer, and reload."},
	{"duplicate", warning, "a certificate is sent twice", "Take one out of the file, and reload."},
	{"chain_horizon", warning, "the best path ends before the certificate does", "Renew before that moment, with the CA's newer intermediate."},
	{"root_included", info, "the root is sent along", "Take it out when convenient."},
	{"expired_extra_cert", info, "an expired CA certificate is sent that no client needs", "Take it out when convenient; old clients may stumble over it."},
	{"extra_cert", info, "a certificate is sent that is not on the path", "Take it out when convenient."},

	// revocation
	{"revoked", critical, "the CA revoked the certificate", "Renew with a new key now."},
	{"revocation_unknown", warning, "whether it is revoked cannot be told (only when CRLs are asked for)", "Check again later; see the error in the proof."},

	// several addresses, and what should be served
	{"node_divergence", warning, "addresses of one name serve different certificates", "Deploy the same certificate to all of them, then check again."},
	{"nondeterministic", warning, "one address does not always serve the same", "Look at every server behind this address."},
	{"v6_only_fail", critical, "every IPv6 address fails and IPv4 works", "Mend IPv6 or take the AAAA records out; a CA prefers IPv6, so HTTP-01 will fail too."},
	{"v4_only_fail", critical, "every IPv4 address fails and IPv6 works", "Mend IPv4 or take the A records out."},
	{"declared_mismatch", critical, "not what the inventory or the record says: names lacking, or (a warning) older, of another issuer, or unknown", "Deploy the recorded certificate, or correct the inventory."},
	{"not_deployed", warning, "the last issued certificate is not served everywhere", "Deploy it to the hosts that lack it, and reload them."},
	{"renewal_overdue", warning, "the renewal window is over and nothing newer is served", "Renew it now, and look why the renewal did not run."},
}
