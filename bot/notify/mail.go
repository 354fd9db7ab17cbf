package notify

// This file is mail: plain text over SMTP (RFC 5321), one message an address,
// so that one that is refused keeps nobody else from it. The mails of an
// incident are one thread: their Message-IDs follow from the incident, the
// update and the address, so that a mail sent a second time (the connection was
// lost before the server had answered) has the id of the first, and mail
// programs show one.

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// How the connection to the server is protected.
const (
	STARTTLS    = "starttls" // must be offered
	ImplicitTLS = "implicit" // TLS from the start (RFC 8314)
	Plain       = "none"     // for a server on this machine alone
)

// SMTP is the server that takes mail.
type SMTP struct {
	Host     string
	Port     int
	TLS      string // STARTTLS, ImplicitTLS or Plain
	User     string // "": without authentication
	Password string
	From     string // RFC 5322 address, "Certmedic <certmedic@example.com>"
	ReplyTo  string // "": none
	Roots    *x509.CertPool
	Timeout  time.Duration // of one step; default 20 s
}

// Mail is the target that sends mail.
type Mail struct {
	SMTP     SMTP
	To       []string  // addresses, each gets a message of its own
	Audience string    // commands.Internal or commands.External
	Site     string    // where the pages are, for those inside; "": no link
	Notes    bot.Notes // which addresses were taken
	Now      func() time.Time
}

// Deliver implements Target.
func (t *Mail) Deliver(ctx context.Context, m commands.Dispatch) (Receipt, error) {
	prefix := taking(m)
	notes, err := t.Notes.List(ctx, prefix)
	if err != nil {
		return Receipt{}, fmt.Errorf("read which addresses were taken: %w", err)
	}
	taken := map[string]bool{}
	for _, n := range notes {
		if n.Key != prefix+begun {
			taken[strings.TrimPrefix(n.Key, prefix)] = true
		}
	}
	var refused []string
	if len(taken) < len(t.To) {
		// Where nothing can be written down, nothing is sent: it would be again.
		if err := t.Notes.Put(ctx, bot.Note{Key: prefix + begun, Value: []byte{'1'}}); err != nil {
			return Receipt{}, fmt.Errorf("write down that mail is sent: %w", err)
		}
		if refused, err = t.send(ctx, m, taken, func(key string) error {
			taken[key] = true
			return t.Notes.Put(context.WithoutCancel(ctx), bot.Note{Key: prefix + key, Value: []byte{'1'}}) // also when the time is over: it was taken
		}); err != nil {
			return Receipt{}, t.words(err)
		}
	}
	if len(refused) > 0 {
		return Receipt{}, &Trouble{Final: true, Text: fmt.Sprintf("%d of %d addresses were refused by %s: %s", len(refused), len(t.To), t.SMTP.Host, strings.Join(refused, "; ")),
			Next: "Correct the addresses under updates.targets and restart certmedic, or tell them another way."}
	}
	return Receipt{Text: fmt.Sprintf("taken by %s for %s", t.SMTP.Host, addresses(len(t.To))), Ref: t.id(m, m.Update, t.To[0])}, nil
}

// begun is the note that a delivery was begun; the others are its addresses'.
const begun = "begun"

// taking is where the notes of a delivery stand: which addresses were taken.
func taking(m commands.Dispatch) string {
	return fmt.Sprintf("mail/%s/%s/%s/", m.Incident, m.Update, m.Target)
}

// Settled implements Settler: the record has it, so the notes may go.
func (t *Mail) Settled(ctx context.Context, m commands.Dispatch) error {
	notes, err := t.Notes.List(ctx, taking(m))
	for n := range notes {
		notes[n].Value = nil
	}
	for part := range slices.Chunk(notes, 50) {
		err = errors.Join(err, t.Notes.Put(ctx, part...))
	}
	return err
}

func addresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}

// send sends to every address that was not taken yet, in one connection. It
// returns those that the server refuses for good; any other error ends it.
func (t *Mail) send(ctx context.Context, m commands.Dispatch, taken map[string]bool, note func(key string) error) (refused []string, err error) {
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var later error // of an address that the server does not take now
	for _, to := range t.To {
		if taken[short(to)] {
			continue
		}
		if ctx.Err() != nil {
			return nil, &Trouble{Text: fmt.Sprintf("%s is slow: it has taken %d of %d addresses so far", t.SMTP.Host, len(taken), len(t.To)), After: time.Second}
		}
		if err := c.UpdateDeadline(t.timeout()); err != nil {
			return nil, err
		}
		err := t.one(c, m, to)
		var said *textproto.Error
		switch {
		case err == nil:
			if err := note(short(to)); err != nil {
				return nil, fmt.Errorf("write down that %s was taken: %w", to, err)
			}
		case errors.As(err, &said) && said.Code/100 == 5:
			refused = append(refused, to+": "+answer(said))
			if err := c.Reset(); err != nil {
				return nil, err
			}
		case errors.As(err, &said) && said.Code != serviceClosing:
			later = fmt.Errorf("%s: %w", to, err)
			if err := c.Reset(); err != nil {
				return nil, err
			}
		default:
			return nil, err
		}
	}
	_ = c.Quit() // what is taken is taken
	if later != nil {
		return nil, later
	}
	return refused, nil
}

// serviceClosing is the answer of a server that ends the connection (RFC 5321
// section 3.8).
const serviceClosing = 421

func (t *Mail) timeout() time.Duration {
	if t.SMTP.Timeout > 0 {
		return t.SMTP.Timeout
	}
	return 20 * time.Second
}

// dial connects, protects the connection and logs in.
func (t *Mail) dial(ctx context.Context) (*smtp.Client, error) {
	s := t.SMTP
	opts := []gomail.Option{gomail.WithPort(s.Port), gomail.WithTimeout(t.timeout()), gomail.WithTLSConfig(&tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12})}
	switch s.TLS {
	case STARTTLS:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case ImplicitTLS:
		opts = append(opts, gomail.WithSSL())
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.User != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	c, err := gomail.NewClient(s.Host, opts...)
	if err != nil {
		return nil, fmt.Errorf("set up the mail client: %w", err)
	}
	client, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// one sends one message to one address.
func (t *Mail) one(c *smtp.Client, m commands.Dispatch, to string) error {
	msg, err := t.message(m, to)
	if err != nil {
		return err
	}
	from, err := mail.ParseAddress(t.SMTP.From)
	if err != nil {
		return err
	}
	if err := c.Mail((&mail.Address{Address: from.Address}).String()); err != nil { // in angle brackets
		return err
	}
	if err := c.Rcpt((&mail.Address{Address: to}).String()); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := msg.WriteTo(w); err != nil {
		return fmt.Errorf("write the mail: %w", err)
	}
	return w.(io.Closer).Close()
}

// message is the mail for one address. What strangers wrote stands in the
// subject, as one line, and in the text.
func (t *Mail) message(m commands.Dispatch, to string) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP), gomail.WithCharset(gomail.CharsetUTF8))
	if err := errors.Join(msg.From(t.SMTP.From), msg.To(to)); err != nil {
		return nil, fmt.Errorf("addresses of the mail: %w", err)
	}
	if t.SMTP.ReplyTo != "" {
		if err := msg.ReplyTo(t.SMTP.ReplyTo); err != nil {
			return nil, fmt.Errorf("reply_to of the mail: %w", err)
		}
	}
	if s := t.subject(m); strings.Contains(s, "=?") { // typed like an encoded word (RFC 2047), which mail programs would decode
		msg.SetGenHeaderPreformatted(gomail.HeaderSubject, encodedWords(s))
	} else {
		msg.Subject(s)
	}
	msg.SetDateWithValue(m.At.UTC())
	msg.SetMessageIDWithValue(t.id(m, m.Update, to))
	if n := len(m.Earlier); n > 0 {
		var refs []string
		for i, u := range m.Earlier {
			if i == 0 || i > n-20 { // RFC 5322 section 3.6.4: the first and the last ones
				refs = append(refs, "<"+t.id(m, u, to)+">")
			}
		}
		msg.SetGenHeader(gomail.HeaderInReplyTo, refs[len(refs)-1])
		msg.SetGenHeader(gomail.HeaderReferences, strings.Join(refs, " "))
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	msg.SetGenHeader("X-Certmedic-Incident", m.Incident)
	msg.SetBodyString(gomail.TypeTextPlain, t.text(m))
	return msg, nil
}

// subject is one line: for those outside without the incident's number.
func (t *Mail) subject(m commands.Dispatch) string {
	title := strings.Join(strings.Fields(bot.Clean(m.Title)), " ")
	if t.Audience == commands.External {
		return strings.ToUpper(m.Status[:1]) + m.Status[1:] + ": " + title
	}
	return fmt.Sprintf("[%s SEV%d %s] %s", m.Incident, m.Severity, m.Status, title)
}

// encodedWords writes a text as encoded words alone (RFC 2047 section 2), each
// at most 75 characters long and whole characters in each, on folded lines.
func encodedWords(s string) string {
	var words []string
	part := ""
	for _, r := range s {
		if len(part)+len(string(r)) > 45 {
			words, part = append(words, part), ""
		}
		part += string(r)
	}
	words = append(words, part)
	for i, w := range words {
		words[i] = "=?UTF-8?B?" + base64.StdEncoding.EncodeToString([]byte(w)) + "?="
	}
	return strings.Join(words, "\r\n ")
}

// text is what was said, and below it who said it when.
func (t *Mail) text(m commands.Dispatch) string {
	foot := "Status: " + m.Status + ", " + m.At.UTC().Format("2006-01-02 15:04 UTC") + "."
	if t.Audience != commands.External {
		foot = fmt.Sprintf("%s of %s (SEV%d, %s) by %s at %s.", m.Update, m.Incident, m.Severity, m.Status, bot.Clean(m.By), m.At.UTC().Format("2006-01-02 15:04 UTC"))
		if t.Site != "" {
			foot += "\n" + t.Site + "/incident/" + m.Incident
		}
	}
	return bot.Clean(m.Text) + "\n\n-- \n" + foot + "\n"
}

// id is the Message-ID of an update's mail to an address, without brackets.
func (t *Mail) id(m commands.Dispatch, update, to string) string {
	sum := sha256.Sum256([]byte(m.Declared.UTC().Format(time.RFC3339Nano) + "\n" + m.Target + "\n" + strings.ToLower(to)))
	domain := "localhost"
	if a, err := mail.ParseAddress(t.SMTP.From); err == nil {
		domain = a.Address[strings.LastIndexByte(a.Address, '@')+1:]
	}
	return strings.ToLower(m.Incident+"."+update) + "." + hex.EncodeToString(sum[:10]) + "@" + domain
}

// short names an address in the notes.
func short(address string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(address)))
	return hex.EncodeToString(sum[:8])
}

// answer is what the server said, on one line.
func answer(e *textproto.Error) string {
	return fmt.Sprintf("%d %s", e.Code, strings.Join(strings.Fields(bot.Clean(e.Msg)), " "))
}

// words says what went wrong with the server, and what helps.
func (t *Mail) words(err error) error {
	var own *Trouble
	if errors.As(err, &own) {
		return own
	}
	var said *textproto.Error
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	trouble := &Trouble{Text: t.SMTP.Host + ": " + bot.TroubleText(err)}
	switch text := err.Error(); {
	case errors.As(err, &said) && said.Code/100 == 4:
		trouble.Text = fmt.Sprintf("%s does not take it now: %s", t.SMTP.Host, answer(said))
	case errors.As(err, &said) && said.Code == 535, strings.Contains(text, "SMTP A"):
		trouble.Final, trouble.Text, trouble.Next = true, t.SMTP.Host+" refuses the login: "+strings.TrimPrefix(bot.TroubleText(err), "connect: "), "See that updates.smtp.user and SMTP_PASSWORD are right, and restart certmedic."
	case errors.As(err, &said) && said.Code/100 == 5:
		trouble.Final, trouble.Text, trouble.Next = true, fmt.Sprintf("%s refuses it: %s", t.SMTP.Host, answer(said)), "Ask who looks after "+t.SMTP.Host+" why, with that number."
	case strings.Contains(text, "does not support STARTTLS"):
		trouble.Final, trouble.Text, trouble.Next = true, t.SMTP.Host+" offers no STARTTLS, so nothing was sent", "Set updates.smtp.tls to implicit with its port (465), or mend the server."
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &name):
		trouble.Final, trouble.Next = true, "Add the server's CA under trust.roots, or mend its certificate: /certcheck "+net.JoinHostPort(t.SMTP.Host, fmt.Sprint(t.SMTP.Port))
	}
	return trouble
}
