package renew

import "time"

// Severity of a finding, and verdict of a report.
type Severity string

// From best to worst. A Finding is never Good; a report without findings is.
const (
	Good     Severity = "good"
	Info     Severity = "info" // worth saying, no fault; does not change a verdict
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Rank orders severities: 0 for Good up to 3 for Critical.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 3
	case Warning:
		return 2
	case Info:
		return 1
	}
	return 0
}

// Finding is one fault. ID is from the table of failure classes in docs/checks.md.
type Finding struct {
	ID       string            `json:"id"`
	Severity Severity          `json:"severity"`
	Cause    string            `json:"cause"` // one sentence
	Proof    map[string]string `json:"proof"` // address, fingerprint, serial, dates, bytes seen
	Next     string            `json:"next"`  // what to do
}

// Leaf describes a leaf certificate. Dates are RFC 3339 in JSON, fingerprints
// lower-case hexadecimal.
type Leaf struct {
	Subject   string    `json:"subject"`
	SANs      []string  `json:"sans"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"` // hexadecimal
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`      // of the DER certificate
	SPKI      string    `json:"spki_sha256"` // of the DER SubjectPublicKeyInfo (RFC 7469)
}

// TLS describes a handshake.
type TLS struct {
	Version string `json:"version"` // for example "TLS 1.3"
	Cipher  string `json:"cipher"`
}

// AddressReport is what one address of an endpoint served.
type AddressReport struct {
	Address  string    `json:"address"` // ip:port
	Findings []Finding `json:"findings"`
	Leaf     Leaf      `json:"leaf"` // zero when no certificate was seen
	TLS      TLS       `json:"tls"`
}

// Report is a check of one endpoint: every address, judged apart, and what
// concerns the set of them.
type Report struct {
	Endpoint  string          `json:"endpoint"` // host:port
	Name      string          `json:"name"`     // certificate of the inventory, "" when it is not in it
	Verdict   Severity        `json:"verdict"`  // Good, Warning or Critical
	Addresses []AddressReport `json:"addresses"`
	Findings  []Finding       `json:"findings"`
	At        time.Time       `json:"at"` // when it was measured
}

// Verdict of an address: its worst finding, Info aside.
func (a AddressReport) Verdict() Severity { return Worst(a.Findings) }

// Worst returns the worst severity among findings: Good, Warning or Critical.
func Worst(fs []Finding) Severity {
	w := Good
	for _, f := range fs {
		if f.Severity.Rank() > w.Rank() && f.Severity != Info {
			w = f.Severity
		}
	}
	return w
}

// All returns every finding of the report, the worst first, otherwise in order.
func (r Report) All() []Finding {
	var all []Finding
	for _, s := range []Severity{Critical, Warning, Info} {
		for _, f := range r.Findings {
			if f.Severity == s {
				all = append(all, f)
			}
		}
		for _, a := range r.Addresses {
			for _, f := range a.Findings {
				if f.Severity == s {
					all = append(all, f)
				}
			}
		}
	}
	return all
}
