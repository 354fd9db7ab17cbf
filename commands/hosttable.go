package commands

// This file sets the addresses of a certificate in a table, a line an address.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/renew"
)

// hostTable is a line an address, narrow enough for 80 columns in the usual
// case: a column that says the same in every row, or nothing, is left out.
func hostTable(hs []seenHost, max int) (Table, string) {
	issuer := oneIssuer(hs)
	named := slices.ContainsFunc(hs, func(h seenHost) bool { return h.name != h.Address })
	t := Table{Columns: []string{"address", "serves", "until"}}
	if named {
		t.Columns = append([]string{"host"}, t.Columns...)
	}
	if issuer == "" {
		t.Columns = append(t.Columns, "issued by")
	}
	t.Columns = append(t.Columns, "state")
	hs = slices.Clone(hs)
	slices.SortStableFunc(hs, func(a, b seenHost) int { return b.Verdict().Rank() - a.Verdict().Rank() })
	for i, h := range hs {
		if i == max {
			return t, fmt.Sprintf("And %d more: see the page.", len(hs)-max)
		}
		var cells []string
		if named {
			cells = append(cells, h.name)
		}
		cells = append(cells, h.Address, h.servesWord(), minute(h.Leaf.NotAfter))
		if issuer == "" {
			cells = append(cells, clip(commonName(h.Leaf.Issuer), 30))
		}
		t.Rows = append(t.Rows, Row{State: hostState(h), Cells: append(cells, h.cellWord())})
	}
	return t, ""
}

// oneIssuer is who issued every certificate seen, "" when there are several;
// "-" when none was seen.
func oneIssuer(hs []seenHost) string {
	one := "-"
	for _, h := range hs {
		switch cn := clip(commonName(h.Leaf.Issuer), 60); {
		case h.Leaf.NotAfter.IsZero() || cn == one:
		case one == "-":
			one = cn
		default:
			return ""
		}
	}
	return one
}

// servesWord is the certificate of a host in a cell: its serial, and its name
// when that is the fault.
func (h seenHost) servesWord() string {
	if h.Leaf.NotAfter.IsZero() {
		return "nothing"
	}
	if h.has("name_mismatch") || h.has("declared_mismatch") {
		return strings.TrimSpace(clip(commonName(h.Leaf.Subject), 30) + " " + short8(h.Leaf.Serial))
	}
	return short8(h.Leaf.Serial)
}

// cellWord is the worst fault of a host in a cell, and how many more there are.
func (h seenHost) cellWord() string {
	var ids []string
	for _, f := range h.Findings {
		if f.Severity.Rank() > renew.Info.Rank() && !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return "good"
	}
	word := shortFault(h.worst().ID)
	if h.has("expired") { // explains the others
		word = "expired"
	}
	if n := len(ids) - 1; n > 0 {
		word += fmt.Sprintf(" +%d", n)
	}
	return word
}

// shortFault is a fault's name in a cell.
func shortFault(id string) string {
	switch id {
	case "declared_mismatch":
		return "wrong cert"
	case "name_mismatch":
		return "wrong name"
	case "connect_timeout", "handshake_timeout":
		return "timeout"
	case "missing_intermediate", "wrong_intermediate", "expired_intermediate", "wrong_order":
		return "bad chain"
	case "renewal_overdue":
		return "overdue"
	case "node_divergence":
		return "divergence"
	}
	return faultWord(id)
}

// commonName is the CN of a distinguished name as Go writes it, else all of it.
func commonName(dn string) string {
	_, cn, ok := strings.Cut(dn, "CN=")
	if !ok {
		return dn
	}
	for i := 0; i < len(cn); i++ { // commas inside the value are escaped
		if cn[i] == '\\' {
			i++
		} else if cn[i] == ',' || cn[i] == '+' {
			return cn[:i]
		}
	}
	return cn
}

// unreached are findings of an address that nothing could be learned from.
var unreached = []string{"refused", "unreachable", "connect_timeout", "timeout", "reset", "eof", "handshake_timeout"}

func hostState(h seenHost) string {
	if h.Verdict() == renew.Critical && h.Leaf.NotAfter.IsZero() && slices.Contains(unreached, h.worst().ID) {
		return StateUnknown
	}
	return stateOf(h.Verdict())
}
