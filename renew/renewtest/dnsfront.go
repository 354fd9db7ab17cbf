package renewtest

import (
	"strings"

	"github.com/miekg/dns"
)

// serve answers one message.
func (d *DNS) serve(w dns.ResponseWriter, r *dns.Msg) {
	switch {
	case r.Opcode == dns.OpcodeUpdate:
		d.update(w, r)
	case len(r.Question) != 1:
		_ = w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeFormatError))
	default:
		d.query(w, r)
	}
}

// query answers a question: SOA and NS here, everything else by challtestsrv,
// whose answers are completed with longer CNAME chains and NXDOMAIN.
func (d *DNS) query(w dns.ResponseWriter, r *dns.Msg) {
	q := r.Question[0]
	q.Name = canonical(q.Name)
	d.mu.Lock()
	d.asked = append(d.asked, q)
	d.mu.Unlock()
	m := new(dns.Msg).SetReply(r)
	m.Authoritative, m.RecursionAvailable = true, true
	zone := d.zoneOf(q.Name)
	switch {
	case d.chall.GetDNSServFailRecord(q.Name):
		m.Rcode = dns.RcodeServerFailure
	case q.Qtype == dns.TypeSOA || q.Qtype == dns.TypeNS:
		if q.Name == zone {
			m.Answer = []dns.RR{d.apex(zone, q.Qtype)}
		} else if !d.exists(q.Name) {
			m.Rcode = dns.RcodeNameError
		}
	default:
		m.Rcode, m.Answer = d.chase(q)
		if m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 && !d.exists(q.Name) {
			m.Rcode = dns.RcodeNameError
		}
	}
	if zone != "" && len(m.Answer) == 0 {
		m.Ns = []dns.RR{d.apex(zone, dns.TypeSOA)}
	}
	if w.RemoteAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if o := r.IsEdns0(); o != nil {
			size = max(size, int(o.UDPSize()))
		}
		m.Truncate(size)
	}
	_ = w.WriteMsg(m)
}

// apex makes the SOA or NS record of a zone.
func (d *DNS) apex(zone string, typ uint16) dns.RR {
	h := dns.RR_Header{Name: zone, Rrtype: typ, Class: dns.ClassINET, Ttl: 1}
	if typ == dns.TypeNS {
		return &dns.NS{Hdr: h, Ns: "ns." + zone}
	}
	return &dns.SOA{Hdr: h, Ns: "ns." + zone, Mbox: "hostmaster." + zone, Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: 0}
}

// exists says whether a name or one below it has, or had, a record, or is an apex.
func (d *DNS) exists(name string) bool {
	if d.zoneOf(name) == name {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := range d.names {
		if n == name || strings.HasSuffix(n, "."+name) {
			return true
		}
	}
	return false
}

// chase asks challtestsrv, which follows one CNAME, until there is an answer
// or the chain ends; at most 16 steps, so that a loop ends too.
func (d *DNS) chase(q dns.Question) (rcode int, answer []dns.RR) {
	name := q.Name
	for range 16 {
		m := d.ask(dns.Question{Name: name, Qtype: q.Qtype, Qclass: dns.ClassINET})
		if m == nil {
			return dns.RcodeServerFailure, answer
		}
		if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNotImplemented {
			return m.Rcode, answer
		}
		answer = append(answer, m.Answer...)
		next := d.chall.GetDNSCNAMERecord(name)
		if next == "" || q.Qtype == dns.TypeCNAME || len(m.Answer) == 0 || m.Answer[len(m.Answer)-1].Header().Rrtype == q.Qtype {
			return dns.RcodeSuccess, answer
		}
		name = next
	}
	return dns.RcodeServerFailure, nil
}

// ask hands a question to challtestsrv and returns its answer.
func (d *DNS) ask(q dns.Question) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.Name, q.Qtype)
	var c capture
	d.mux.ServeDNS(&c, m)
	return c.m
}

// capture is a ResponseWriter that keeps the message. challtestsrv's handler
// calls nothing but WriteMsg.
type capture struct {
	dns.ResponseWriter
	m *dns.Msg
}

func (c *capture) WriteMsg(m *dns.Msg) error {
	c.m = m
	return nil
}

// update takes a dynamic update (RFC 2136) of TXT records.
func (d *DNS) update(w dns.ResponseWriter, r *dns.Msg) {
	d.mu.Lock()
	mode := d.mode
	d.mu.Unlock()
	if mode == UpdateSilent {
		return
	}
	m := new(dns.Msg).SetReply(r)
	m.Rcode = d.apply(w, r, mode)
	if t := r.IsTsig(); t != nil && d.key != "" {
		m.SetTsig(t.Hdr.Name, t.Algorithm, 300, int64(t.TimeSigned))
		switch { // RFC 8945 section 5.2
		case canonical(t.Hdr.Name) != d.key:
			m.IsTsig().Error = dns.RcodeBadKey
		case w.TsigStatus() != nil:
			m.IsTsig().Error = dns.RcodeBadSig
		}
	}
	_ = w.WriteMsg(m)
}

func (d *DNS) apply(w dns.ResponseWriter, r *dns.Msg, mode UpdateMode) int {
	if d.key != "" {
		t := r.IsTsig()
		switch {
		case t == nil:
			return dns.RcodeRefused
		case w.TsigStatus() != nil || canonical(t.Hdr.Name) != d.key || t.Algorithm != dns.HmacSHA256:
			return dns.RcodeNotAuth
		}
	}
	if len(r.Question) != 1 {
		return dns.RcodeFormatError
	}
	zone := canonical(r.Question[0].Name)
	if d.zoneOf(zone) != zone {
		return dns.RcodeNotAuth
	}
	for _, rr := range r.Ns {
		if d.zoneOf(canonical(rr.Header().Name)) != zone {
			return dns.RcodeNotZone
		}
	}
	switch mode {
	case UpdateRefuse:
		return dns.RcodeRefused
	case UpdateFail:
		return dns.RcodeServerFailure
	case UpdatePretend:
		return dns.RcodeSuccess
	}
	for _, rr := range r.Ns {
		d.change(rr)
	}
	d.mu.Lock()
	d.updates++
	d.mu.Unlock()
	return dns.RcodeSuccess
}

// change does one line of an update: add, remove one value, remove all.
func (d *DNS) change(rr dns.RR) {
	h := rr.Header()
	if h.Class == dns.ClassANY && (h.Rrtype == dns.TypeTXT || h.Rrtype == dns.TypeANY) {
		for _, v := range d.TXTRecords(h.Name) {
			d.RemoveTXT(h.Name, v)
		}
		return
	}
	txt, ok := rr.(*dns.TXT)
	if !ok {
		return
	}
	if v := strings.Join(txt.Txt, ""); h.Class == dns.ClassNONE {
		d.RemoveTXT(h.Name, v)
	} else {
		d.AddTXT(h.Name, v)
	}
}
