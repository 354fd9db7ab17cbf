package renew

import "time"

// Inventory is what certmedic looks after, as configured.
type Inventory struct {
	Issuers      []Issuer      `json:"issuers"`
	Certificates []Certificate `json:"certificates"`
}

// Issuer is an ACME certification authority.
type Issuer struct {
	Name      string   `json:"name"`
	Directory string   `json:"directory"`       // URL of the ACME directory (RFC 8555 section 7.1.1), https
	Email     string   `json:"email,omitempty"` // contact of the account
	Roots     []string `json:"roots,omitempty"` // PEM files that the directory's own HTTPS certificate is verified with; empty: the system's
	EABKeyID  string   `json:"eab_key_id,omitempty"`
	EABKey    string   `json:"-"` // HMAC key of external account binding (RFC 8555 section 7.3.4), base64url; secret
}

// Certificate is one certificate of the inventory: what it is for, who owns
// it, how it is issued and where it goes.
type Certificate struct {
	Name       string      `json:"name"`
	Domains    []string    `json:"domains"`    // SANs, lower case, IDN in A-label form; the first is the subject
	Owner      string      `json:"owner"`      // team
	Issuer     string      `json:"issuer"`     // name of an Issuer
	Challenges []Challenge `json:"challenges"` // in order of preference; the first is used unless a person names another
	Endpoints  []Endpoint  `json:"endpoints"`
	Waves      [][]Target  `json:"waves"`             // hosts in order; the first host of the first wave is the canary
	Key        string      `json:"key"`               // "ecdsa-p256" (default), "ecdsa-p384", "rsa-2048", "rsa-4096"
	Profile    string      `json:"profile,omitempty"` // ACME profile asked for
	Approval   Approval    `json:"approval"`
	Runbook    string      `json:"runbook,omitempty"` // URL
}

// Approval is the policy for a renewal. The zero value needs none.
type Approval struct {
	Teams []string `json:"teams,omitempty"` // members of these may approve; empty: no approval is needed
	Self  bool     `json:"self,omitempty"`  // a person may approve a renewal they asked for
}

// Kinds of challenge (RFC 8555 section 8).
const (
	HTTP01 = "http-01"
	DNS01  = "dns-01"
)

// Challenge says how control of the domains is proved.
type Challenge struct {
	Type      string            `json:"type"`                // HTTP01 or DNS01
	Listen    string            `json:"listen,omitempty"`    // HTTP01: own listener, host:port
	Webroot   string            `json:"webroot,omitempty"`   // HTTP01: directory served as the site's root, instead of Listen
	Port      int               `json:"port,omitempty"`      // HTTP01: port that the CA asks; default 80. Only a rehearsal uses it.
	Provider  string            `json:"provider,omitempty"`  // DNS01: "rfc2136" or "exec"
	Resolvers []string          `json:"resolvers,omitempty"` // DNS resolvers host:port for this certificate's look-ups; empty: the system's
	Settings  map[string]string `json:"-"`                   // DNS01: the provider's settings (may hold secrets)
}

// Endpoint is a TLS service that serves the certificate.
type Endpoint struct {
	Host      string   `json:"host"` // name asked for (SNI) and verified
	Port      int      `json:"port"`
	Addresses []string `json:"addresses,omitempty"` // IP addresses; empty: what Host resolves to
	StartTLS  string   `json:"starttls,omitempty"`  // "smtp", "imap", ...; empty: TLS from the first byte
}

// Target is one host that gets the certificate.
type Target struct {
	Name      string    `json:"name"`
	Directory Directory `json:"directory"`
	Test      Command   `json:"test"`   // run before Reload; a failure puts the old files back
	Reload    Command   `json:"reload"` // makes the service read the new files
	Verify    []string  `json:"verify"` // addresses ip:port where this host serves the certificate
}

// Layouts of a Directory.
const (
	Flat    = "flat"    // path/{cert,chain,fullchain,privkey}.pem
	Certbot = "certbot" // path/live/<certificate>/*.pem, symbolic links into path/archive/<certificate>/
)

// Directory is a place for certificate files.
type Directory struct {
	Path   string `json:"path"`
	Layout string `json:"layout"` // Flat or Certbot
}

// Command is a program with arguments, run without a shell. Empty: nothing is run.
type Command struct {
	Argv    []string      `json:"argv,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"` // default 30 s
}

// Certificate returns the certificate with this name or with this domain.
func (v Inventory) Certificate(nameOrDomain string) (Certificate, bool) {
	for _, c := range v.Certificates {
		if c.Name == nameOrDomain {
			return c, true
		}
	}
	for _, c := range v.Certificates {
		for _, d := range c.Domains {
			if d == nameOrDomain {
				return c, true
			}
		}
	}
	return Certificate{}, false
}

// Hosts returns the targets of all waves in order.
func (c Certificate) Hosts() []Target {
	var all []Target
	for _, w := range c.Waves {
		all = append(all, w...)
	}
	return all
}
