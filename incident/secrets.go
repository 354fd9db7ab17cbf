package incident

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxText  = 4000      // runes of a text on the record
	maxTitle = 200       // runes of a title
	maxRead  = 128 << 10 // bytes looked at; what is longer is cut there first
	tooLong  = " [cut: too long]"
)

// secret is one kind of secret. Group "keep" of re, where it has one, stays.
// re is only tried on a text that has, in lower case, one of the words.
type secret struct {
	words string
	re    *regexp.Regexp
	mark  string
}

// A private key without its end is cut to the end of the text: what follows
// may be the rest of it. Dashes may have been joined by a phone or be missing.
var secrets = []secret{
	{"private", regexp.MustCompile(`(?is)[-—–]*[ \t]*\bBEGIN[ \t\n]+[A-Z0-9 ]{0,40}PRIVATE[ \t]+KEY\b.*?(?:\bEND[ \t\n]+[A-Z0-9 ]{0,40}PRIVATE[ \t]+KEY(?:[ \t]+BLOCK)?[ \t]*[-—–]*|\z)`), "private key"},
	{"private", regexp.MustCompile(`(?i)(?:[a-z0-9+/=]{16,}(?:\s|\\[nr])+)*[a-z0-9+/=]*(?:\s|\\[nr])*[-—–]*[ \t]*\bEND[ \t\n]+[A-Z0-9 ]{0,40}PRIVATE[ \t]+KEY(?:[ \t]+BLOCK)?\b[ \t]*[-—–]*`), "private key"},
	{"putty-user-key", regexp.MustCompile(`(?is)PuTTY-User-Key-File-\d.*`), "private key"},
	// Bare DER in base64: PKCS #8 and PKCS #1 RSA, SEC 1 and PKCS #8 EC, Ed25519.
	{"mii mhccaqee mig mihcage mc4caq", regexp.MustCompile(`\b(?:MII[A-Za-z0-9+/]{3}IBADANBgkqhkiG9w0BAQEFAASC|MII[A-Za-z0-9+/]{2,3}IBAAKCA|MHcCAQEE|MIGkAgEBBD|MIHcAgEBBE|MIG[A-Za-z0-9+/]AgEAMB[A-Za-z0-9+/]GByqGSM49|MC4CAQAwBQYDK2Vw)(?:[A-Za-z0-9+/=]|\s|\\[nr])*`), "private key"},
	{"age-secret", regexp.MustCompile(`(?i)\bAGE-SECRET-KEY-1[a-z0-9]+`), "private key"},
	{"akia asia abia acca", regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b`), "AWS key"},
	{"aws", regexp.MustCompile(`(?i)(?P<keep>\baws_?(?:secret_?access_?key|session_?token)["']?\s*[:=]\s*)["']?[A-Za-z0-9/+=]{16,}["']?`), "AWS key"},
	{"xox xapp-", regexp.MustCompile(`\b(?:xox[a-z](?:\.xox[a-z])?-|xapp-)[A-Za-z0-9.-]{6,}`), "Slack token"},
	{"hooks.slack", regexp.MustCompile(`(?P<keep>https://hooks\.slack\.com/)(?:services|workflows|triggers)/[^\s>|)"']+`), "Slack token"},
	{"ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})`), "GitHub token"},
	{"glpat-", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{16,}`), "GitLab token"},
	{"hvs. hvb. hvr.", regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{20,}`), "Vault token"},
	{"eyj", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*`), "JWT"},
	{"authorization", regexp.MustCompile(`(?i)(?P<keep>\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?)(?:(?:bearer|basic|token|digest|negotiate)\s+)?[^\s"'\[][^\s"']*`), "credentials"},
	{"bearer", regexp.MustCompile(`(?i)(?P<keep>\bbearer\s+)[A-Za-z0-9._~+/=-]{12,}`), "credentials"},
	{"://", regexp.MustCompile(`(?P<keep>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@\[\]]*:)[^\s/@\[\]]+(?P<after>@)`), "password"},
	{"passw passphrase pwd key secret", regexp.MustCompile(`(?i)(?P<keep>(?:\b|_)(?:password|passwd|passphrase|pwd|api[_-]?key|client[_-]?secret)["']?\s*[:=]\s*)(?:"[^"\n\[]*"?|'[^'\n\[]*'?|[^\s"'\[,;&][^\s,;&]*)`), "password"},
	{"token secret", regexp.MustCompile(`(?i)(?P<keep>(?:\b|_)(?:token|secret)["']?=)(?:"[^"\n\[]*"?|'[^'\n\[]*'?|[^\s"'\[,;&][^\s,;&]*)`), "token"},
}

// Clean makes a stranger's text fit for the record: valid UTF-8, without
// control characters and marks that turn the reading direction, at most limit
// runes, and with private keys, tokens and passwords replaced by what they
// were ("[cut: private key]"). cut says that a secret was replaced. Cleaning
// twice changes nothing more.
func Clean(text string, limit int) (clean string, cut bool) {
	if len(text) > maxRead {
		text = text[:maxRead]
	}
	text = printable(text)
	lower := strings.ToLower(text)
	for _, s := range secrets {
		if slices.ContainsFunc(strings.Fields(s.words), func(w string) bool { return strings.Contains(lower, w) }) {
			text = s.cut(text, &cut)
		}
	}
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > limit {
		runes := []rune(text)
		kept := strings.TrimSpace(string(runes[:limit-len(tooLong)]))
		// The cut must not leave half of a mark that a second cleaning reads otherwise.
		if open := strings.LastIndex(kept, "[cut: "); open >= 0 && !strings.Contains(kept[open:], "]") {
			kept = strings.TrimSpace(kept[:open])
		}
		text = kept + tooLong
	}
	return text, cut
}

// cut replaces every match of s in text.
func (s secret) cut(text string, found *bool) string {
	mark := "[cut: " + s.mark + "]"
	keep, after := s.re.SubexpIndex("keep"), s.re.SubexpIndex("after")
	var out strings.Builder
	last := 0
	for _, m := range s.re.FindAllStringSubmatchIndex(text, -1) {
		*found = true
		out.WriteString(text[last:m[0]])
		if keep > 0 {
			out.WriteString(text[m[2*keep]:m[2*keep+1]])
		}
		out.WriteString(mark)
		if after > 0 {
			out.WriteString(text[m[2*after]:m[2*after+1]])
		}
		last = m[1]
	}
	if last == 0 {
		return text
	}
	return out.String() + text[last:]
}

// printable drops what cannot be seen and could mislead; line ends become \n,
// tabs a space.
func printable(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\u2028', r == '\u2029', r == '\u0085':
			return '\n'
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r == '\u200b', r == '\u200e', r == '\u200f', r == '\u061c', r == '\ufeff',
			r >= '\u202a' && r <= '\u202e', r >= '\u2060' && r <= '\u206f':
			return -1
		}
		return r
	}, text)
}

// cleanEvidence cleans every text of strangers in e.
func cleanEvidence(e Evidence) (clean Evidence, cut bool) {
	fix := func(s *string) {
		var c bool
		*s, c = Clean(*s, maxText)
		cut = cut || c
	}
	fix(&e.Check.Cause)
	e.Check.Hosts = append([]HostCheck(nil), e.Check.Hosts...)
	for n := range e.Check.Hosts {
		fix(&e.Check.Hosts[n].Cause)
	}
	e.Rehearsal.Faults = append([]RehearsalFault(nil), e.Rehearsal.Faults...)
	for n := range e.Rehearsal.Faults {
		f := &e.Rehearsal.Faults[n]
		fix(&f.Subject)
		fix(&f.Addresses)
		fix(&f.Cause)
	}
	fix(&e.Pin.Said)
	fix(&e.Pin.Why)
	for _, s := range []*string{&e.Step.Output, &e.Step.Order, &e.Approval.Reason, &e.Change.From, &e.Change.To,
		&e.Alert.Source, &e.Alert.ID, &e.Alert.Link, &e.Alert.Severity} {
		fix(s)
	}
	return e, cut
}

// oneLine is Clean for a title or name: no line ends.
func oneLine(text string, limit int) string {
	text, _ = Clean(text, limit)
	return strings.Join(strings.Fields(text), " ")
}
