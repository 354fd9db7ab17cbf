package commands

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/certmedic/certmedic/renew"
)

// maxRows is how many rows of a table a reply has: no more than a screen.
const maxRows = 15

// ports are where a protocol with STARTTLS listens.
var ports = map[string]int{"smtp": 25, "submission": 587, "imap": 143, "pop3": 110, "ftp": 21, "ldap": 389, "postgres": 5432, "mysql": 3306, "xmpp": 5222, "sieve": 4190, "nntp": 119}

func certcheckVerb() *verb {
	return &verb{Verb: Verb{Name: "certcheck", Args: "[certificate | host:port]", Summary: "how the certificates stand, worst first; or what is wrong with one, address by address",
		Example: "/certcheck media", Flags: []Flag{
			{"starttls", "protocol", "speak this protocol first: smtp, imap, ldap, postgres, ..."},
			{"sni", "name", "ask for this name"},
			{"addr", "ip", "look at this address alone"},
			{"all", "", "every certificate, address and finding"},
			{"public", "", "everybody in the room sees the answer"},
		}}, max: 1, run: publicly(certcheck)}
}

// publicly shows a verb's answer to everybody when --public was given.
func publicly(run func(context.Context, *call) (Reply, error)) func(context.Context, *call) (Reply, error) {
	return func(ctx context.Context, c *call) (Reply, error) {
		r, err := run(ctx, c)
		if err == nil && c.args.has("public") {
			r.Public = true
		}
		return r, err
	}
}

func certcheck(ctx context.Context, c *call) (Reply, error) {
	what, ok := c.args.take()
	if !ok {
		return c.estate(ctx)
	}
	narrow := c.args.has("starttls") || c.args.has("sni") || c.args.has("addr")
	cert, err := c.d.certificate(what)
	if err == nil && !narrow {
		return c.checkCertificate(ctx, cert, "")
	}
	if err == nil {
		return c.checkNarrow(ctx, cert)
	}
	q, perr := c.query(what, err)
	if perr != nil {
		return Reply{}, perr
	}
	for _, cert := range c.d.o.Renewer.Inventory().Certificates {
		for _, e := range cert.Endpoints {
			if strings.EqualFold(e.Host, q.Host) && e.Port == q.Port && !narrow {
				return c.checkCertificate(ctx, cert, net.JoinHostPort(e.Host, strconv.Itoa(e.Port)))
			}
		}
	}
	return c.checkEndpoints(ctx, net.JoinHostPort(q.Host, strconv.Itoa(q.Port)), renew.Certificate{}, []renew.Query{q})
}

// checkCertificate looks at a certificate's endpoints now; endpoint, when not
// "", is the one to be shown.
func (c *call) checkCertificate(ctx context.Context, cert renew.Certificate, endpoint string) (Reply, error) {
	s, err := c.d.o.Renewer.Check(ctx, cert.Name)
	if err != nil {
		return Reply{}, fmt.Errorf("check %s: %w", cert.Name, err)
	}
	reports, name := s.Reports, cert.Name
	if endpoint != "" {
		name = endpoint
		reports = slices.DeleteFunc(slices.Clone(reports), func(r renew.Report) bool { return !strings.EqualFold(r.Endpoint, endpoint) })
	}
	r := c.draw(name, cert, reports)
	r.Facts = append([]Fact{{"checked", stamp(s.Checked)}}, r.Facts...)
	if !s.LastGood.IsZero() && verdictOf(reports) != renew.Good {
		r.Facts = append(r.Facts, Fact{"last good", stamp(s.LastGood)})
	}
	r.Facts = append(r.Facts, Fact{"rehearsal", rehearsalWord(s, c.now())})
	r.Buttons, err = c.checkButtons(ctx, s)
	r.Links = []Link{{cert.Name, certificatePath(cert.Name)}}
	return r, err
}

// checkNarrow looks at a certificate's endpoints with --sni, --addr or --starttls.
func (c *call) checkNarrow(ctx context.Context, cert renew.Certificate) (Reply, error) {
	var qs []renew.Query
	for _, e := range cert.Endpoints {
		q := renew.Query{Host: e.Host, Port: e.Port, Addresses: e.Addresses, StartTLS: e.StartTLS, Declared: renew.Declared{Certificate: cert.Name, Domains: cert.Domains}}
		if err := c.narrow(&q); err != nil {
			return Reply{}, err
		}
		qs = append(qs, q)
	}
	return c.checkEndpoints(ctx, cert.Name, cert, qs)
}

func (c *call) checkEndpoints(ctx context.Context, name string, cert renew.Certificate, qs []renew.Query) (Reply, error) {
	var reports []renew.Report
	for _, q := range qs {
		reports = append(reports, c.d.o.Renewer.CheckEndpoint(ctx, q))
	}
	if err := ctx.Err(); err != nil {
		return Reply{}, err
	}
	r := c.draw(name, cert, reports)
	r.Buttons = []Button{{Label: "Check again", Command: c.retype()}}
	return r, nil
}

// retype is the line as it was typed, for a button that does it again.
func (c *call) retype() string {
	line := oneLine(undo(c.r.Text))
	if !strings.HasPrefix(line, "/") {
		line = "/" + line
	}
	return line
}

// draw draws reports: the cause, a line an address, then the findings.
func (c *call) draw(name string, cert renew.Certificate, reports []renew.Report) Reply {
	rows, lines := maxRows, 5
	if c.args.has("all") {
		rows, lines = 200, 50
	}
	r := Reply{State: stateOf(verdictOf(reports)), Headline: diagnosis(name, cert, reports, c.now())}
	var more string
	hs := hostsOf(cert, reports)
	r.Table, more = hostTable(hs, rows)
	r.Body = strings.TrimSpace(findingLines(reports, lines, saidInHead(cert, reports)) + "\n" + more)
	if by := oneIssuer(hs); by != "" && by != "-" {
		r.Facts = []Fact{{"issued by", by}}
	}
	return r
}

// checkButtons are what can be done about a standing.
func (c *call) checkButtons(ctx context.Context, s renew.Standing) ([]Button, error) {
	name := s.Certificate.Name
	open, err := c.d.openFor(ctx, name)
	if err != nil {
		return nil, err
	}
	open = c.d.visibleOnly(open, c.r.By)
	if c.args.has("public") {
		open = withoutPrivate(open)
	}
	var b []Button
	bad := s.Verdict == renew.Critical
	switch {
	case len(open) > 0:
		b = append(b, Button{Label: "Open " + open[0].ID, Command: "/incident show " + open[0].ID})
	case bad:
		b = append(b, declareButton(s))
	}
	renewButton := Button{Label: "Renew", Command: "/renew " + name}
	if bad || s.Overdue {
		renewButton.Style = "primary"
	}
	if s.Renewal != "" {
		renewButton = Button{Label: "Show " + s.Renewal, Command: "/renew status " + s.Renewal}
	}
	return append(b, renewButton,
		Button{Label: "Rehearse", Command: "/certcheck rehearse " + name},
		Button{Label: "Check again", Command: "/certcheck " + name}), nil
}

// declareButton declares with a ready title: SEV1 when every host fails, or none
// can be found, else SEV2.
func declareButton(s renew.Standing) Button {
	name, level, fault, on := s.Certificate.Name, "sev2", "", ""
	hs := hostsOf(s.Certificate, s.Reports)
	bad := with(hs, renew.Critical)
	if len(bad) == len(hs) {
		level = "sev1"
	}
	if len(bad) > 0 {
		fault, on = faultWord(bad[0].worst().ID), fmt.Sprintf(" on %d of %s", len(bad), plural(len(hs), "host"))
	} else if f := worstOf(ofSet(s.Reports)); f.ID != "" { // of the set of addresses: a name that does not resolve
		fault = faultWord(f.ID)
	}
	word := "fails"
	if fault != "" {
		word = "fails (" + fault + ")"
	}
	if len(bad) > 0 && bad[0].has("expired") {
		word = "expired"
	}
	return Button{Label: "Declare incident", Style: "danger", Command: fmt.Sprintf("/incident declare %s %s %s%s --cert %s", level, name, word, on, name)}
}

// query makes a Query of what was typed; unknown is what was wrong with it as
// a certificate's name.
func (c *call) query(what string, unknown error) (renew.Query, error) {
	s := what
	for _, scheme := range []string{"https://", "http://"} {
		s = strings.TrimPrefix(s, scheme)
	}
	s = strings.TrimSuffix(s, "/")
	host, port := s, ""
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		host = ip.String()
	} else if !strings.Contains(s, ".") || c.isNear(unknown) {
		return renew.Query{}, unknown
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	q := renew.Query{Host: host, Port: 443}
	if p := ports[strings.ToLower(c.args.value("starttls"))]; p != 0 {
		q.Port = p
	}
	if port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return q, c.v.problem("bad_port", quote(port)+" is not a port: it is a number from 1 to 65535.")
		}
		q.Port = n
	}
	if !validHost(host) {
		return q, Problem{Code: "bad_host", Message: quote(what) + " is not a host: a name or an IP address is wanted, without a path.", Hint: "For example: /certcheck example.com:443"}
	}
	return q, c.narrow(&q)
}

// isNear reports that a Problem names something nearly typed.
func (c *call) isNear(err error) bool {
	p, ok := err.(Problem)
	return ok && strings.HasPrefix(p.Hint, "Did you mean")
}

// narrow applies --sni, --addr and --starttls.
func (c *call) narrow(q *renew.Query) error {
	if s := c.args.value("sni"); s != "" {
		if !validHost(s) {
			return c.v.problem("bad_host", quote(s)+" is not a name to ask for.")
		}
		q.SNI = strings.ToLower(s)
	}
	if s := c.args.value("addr"); s != "" {
		ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
		if err != nil {
			return Problem{Code: "bad_address", Message: quote(s) + " is not an IP address.", Hint: "For example: /certcheck media --addr 192.0.2.7"}
		}
		q.Addresses = []string{ip.String()}
	}
	if s := strings.ToLower(c.args.value("starttls")); s != "" {
		if ports[s] == 0 {
			var known []string
			for p := range ports {
				known = append(known, p)
			}
			slices.Sort(known)
			return Problem{Code: "bad_starttls", Message: quote(s) + " is not a protocol with STARTTLS that is known here.",
				Hint: "There are " + listed(known, 20) + ". For example: /certcheck mail.example.com:25 --starttls smtp"}
		}
		q.StartTLS = s
	}
	return nil
}

// validHost reports a host name (letters, digits, hyphens, underscores, dots;
// other scripts too) or an IP address.
func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if s == "" || len(s) > 253 {
		return false
	}
	for _, l := range strings.Split(s, ".") {
		if l == "" || len(l) > 63 || strings.ContainsAny(l, " /\\?#@:<>\"'`;|&$()[]{}*%\n") {
			return false
		}
	}
	return true
}
