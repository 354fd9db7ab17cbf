package renew

import (
	"context"
	"crypto"
	"time"
)

// This file holds what the engine asks of its plugs: a CA (renew/acme), a
// Deployer (renew/deploy) and a Prober (renew/probe). cmd wires them.

// CA speaks to one ACME server with one account, one call per protocol step
// (RFC 8555). Every call may be repeated. Errors keep the server's problem
// document (type, detail) in their text; see CAError.
type CA interface {
	// Register makes sure that the account exists and returns its URL.
	Register(ctx context.Context) (accountURL string, err error)
	// NewOrder asks for a new order (section 7.4). One call, one newOrder
	// request (a badNonce answer, which the server did not act on, is repeated).
	NewOrder(ctx context.Context, o OrderRequest) (Order, error)
	// FindOrder looks for an order of this account for exactly these domains
	// that is still pending, ready, processing, or valid and finalized with
	// the key of spki: what a killed process may have left at the CA. It uses
	// the account's orders list (section 7.1.2.1) where the server has one.
	FindOrder(ctx context.Context, domains []string, spki []byte) (Order, bool, error)
	// Order fetches an order by its URL.
	Order(ctx context.Context, url string) (Order, error)
	// Authorize proves control of every identifier of the order with the
	// challenge, waits until all authorizations are valid, and takes every
	// token and record away again, also those that a killed process left for
	// this order. say is told in words what happens, for the timeline.
	Authorize(ctx context.Context, o Order, c Challenge, say func(string)) error
	// Finalize sends the CSR (DER) and waits until the order is valid.
	Finalize(ctx context.Context, o Order, csr []byte) (Order, error)
	// Chain downloads the certificate chain of a valid order: PEM, leaf first.
	Chain(ctx context.Context, o Order) ([]byte, error)
	// RenewalInfo asks when the CA wants the certificate (PEM) renewed (RFC
	// 9773). ok is false when the server has no such resource.
	RenewalInfo(ctx context.Context, leafPEM []byte) (w Window, ok bool, err error)
	// Preflight looks, without ordering anything, whether a renewal would work
	// today: directory reachable, account good, clock, and the challenge's own
	// path for every domain (plant and fetch for HTTP-01 through every address
	// of the name, write and remove a TXT record for DNS-01).
	Preflight(ctx context.Context, cert Certificate, c Challenge) []Proof
}

// CAs returns the CA for an issuer. accountURL is "" before Register.
type CAs func(issuer Issuer, accountKey crypto.Signer, accountURL string) (CA, error)

// OrderRequest is what a new order asks for.
type OrderRequest struct {
	Domains  []string
	Profile  string
	Replaces string // PEM of the leaf that this order replaces (RFC 9773 section 5); left out when the CA refuses it
}

// Order is an ACME order object (RFC 8555 section 7.1.3).
type Order struct {
	URL            string    `json:"url"`
	Status         string    `json:"status"` // pending, ready, processing, valid, invalid
	Domains        []string  `json:"domains"`
	Authorizations []string  `json:"authorizations"`
	Finalize       string    `json:"finalize"`
	Certificate    string    `json:"certificate"`
	Expires        time.Time `json:"expires"`
}

// Window is a suggested renewal window (RFC 9773 section 4.2).
type Window struct {
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Explanation string    `json:"explanation,omitempty"` // explanationURL
	RetryAfter  time.Time `json:"retry_after"`           // when to ask again
}

// Proof is one level of a preflight, good or not.
type Proof struct {
	Level   string    `json:"level"`   // "directory", "account", "clock", "http-01", "dns-01", "targets", "material"
	Subject string    `json:"subject"` // domain, host or URL
	OK      bool      `json:"ok"`
	Text    string    `json:"text"`    // one sentence: what was seen
	Finding Finding   `json:"finding"` // when not OK: for example http01_path
	At      time.Time `json:"at"`
}

// CAError is an error from an ACME server.
type CAError struct {
	Type       string        // for example "urn:ietf:params:acme:error:rateLimited"
	Detail     string        // the server's words
	Status     int           // HTTP status
	RetryAfter time.Duration // 0: not said
	Err        error
}

func (e *CAError) Error() string { return "the CA answers: " + e.Detail + " (" + e.Type + ")" }
func (e *CAError) Unwrap() error { return e.Err }

// Material is a certificate with its key, ready to be placed. Key never leaves
// the process except into a target's key file.
type Material struct {
	Name   string // certificate name of the inventory
	Chain  []byte // PEM, leaf first
	Key    []byte // PEM, PKCS #8
	SHA256 string // fingerprint of the leaf
}

// Held is what a target has on disk.
type Held struct {
	Leaf     Leaf     `json:"leaf"`     // zero: nothing there
	KeyFits  bool     `json:"key_fits"` // the private key in place belongs to Leaf
	Versions []string `json:"versions"` // fingerprints that Restore can put back, newest first
}

// Deployer puts certificates on hosts. Every method may be repeated.
type Deployer interface {
	// Held reads what is in place.
	Held(ctx context.Context, cert string, t Target) (Held, error)
	// Place makes the material the current version, atomically: at no moment
	// does the directory hold a certificate with another certificate's key. It
	// keeps the version that was there.
	Place(ctx context.Context, t Target, m Material) error
	// Restore makes the kept version with this fingerprint current again.
	Restore(ctx context.Context, cert string, t Target, sha256 string) error
	// Run runs one of the target's commands with CERT_NAME, CERT_PATH,
	// KEY_PATH, CHAIN_PATH, FULLCHAIN_PATH and NODE in its environment, no
	// shell, its whole process group ended at the timeout. output is capped,
	// with private keys cut out, also when err is not nil.
	Run(ctx context.Context, cert string, t Target, c Command) (output string, err error)
}

// Query is what a check of one endpoint should look at.
type Query struct {
	Host      string // name or IP address
	Port      int
	SNI       string   // "": Host
	Addresses []string // IP addresses to probe; empty: what Host resolves to
	StartTLS  string
	Declared  Declared // what should be served; the zero value declares nothing
	Tries     int      // connections per address (nondeterministic); default 1
}

// Declared is what an endpoint should serve, by the inventory and the record.
type Declared struct {
	Certificate string    // name in the inventory
	Domains     []string  // SANs
	Issued      Leaf      // last issued by a renewal; zero: none
	Previous    []string  // SHA-256 of what was issued before it
	OverdueAt   time.Time // end of the renewal window; zero: not known
	Explanation string    // the CA's explanation URL for the window
}

// Prober looks at endpoints.
type Prober interface {
	// Check probes every address once (or q.Tries times) and lists all faults.
	// It never fails: what cannot be reached is a finding.
	Check(ctx context.Context, q Query) Report
}
