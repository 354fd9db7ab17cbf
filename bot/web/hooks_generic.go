package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/certmedic/certmedic/commands"
)

// genericMessage is what POST /hooks/generic takes: one alert, or several
// below alerts. docs/hooks.md is its documentation. A field that is not known
// is refused, so that a slip of the pen is not lost.
type genericMessage struct {
	From   string          `json:"from"`   // what the sender calls itself
	Alerts json.RawMessage `json:"alerts"` // of genericAlert
	genericAlert
}

type genericAlert struct {
	ID          string    `json:"id"`
	Status      string    `json:"status"` // "firing" (or "") or "resolved"
	Title       string    `json:"title"`
	Text        string    `json:"text"`
	Severity    string    `json:"severity"`
	Certificate string    `json:"certificate"`
	Host        string    `json:"host"`
	Hosts       []string  `json:"hosts"`
	Started     time.Time `json:"started"`
	Link        string    `json:"link"`
}

var senderName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]*$`)

// parseGeneric reads our own form.
func parseGeneric(body []byte) ([]commands.Alert, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	var m genericMessage
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("the JSON is not what docs/hooks.md describes: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the JSON object")
	}
	source := m.From
	switch {
	case source == "":
		source = Generic
	case utf8.RuneCountInString(source) > 40, !senderName.MatchString(source), strings.EqualFold(source, Alertmanager), strings.EqualFold(source, PagerDuty):
		return nil, fmt.Errorf("from: %.40q cannot be a sender's name: 1 to 40 letters, digits, spaces, ., _ and -", source)
	}
	list, left, err := several[genericAlert](m.Alerts, true)
	if err != nil {
		return nil, fmt.Errorf("the JSON is not what docs/hooks.md describes: %w", err)
	}
	if len(list) == 0 {
		list = []genericAlert{m.genericAlert}
	} else if m.Title != "" || m.ID != "" || m.Host != "" {
		return nil, errors.New("give either one alert or a list below alerts, not both")
	}
	all := make([]commands.Alert, 0, len(list))
	for n, g := range list {
		a, err := g.alert(source)
		if err != nil {
			return nil, fmt.Errorf("alert %d: %w", n+1, err)
		}
		all = append(all, a)
	}
	if left > 0 {
		all = append(all, leftOut(source, left, source))
	}
	return all, nil
}

// alert is one alert as commands takes it. With started, the same id is the
// same alert as long as started is the same; without, until it is resolved.
func (g genericAlert) alert(source string) (commands.Alert, error) {
	a := commands.Alert{Source: source, State: commands.AlertFiring, Title: g.Title, Text: g.Text, Severity: g.Severity, Certificate: g.Certificate, Link: g.Link, Started: g.Started}
	switch g.Status {
	case "", "firing":
	case "resolved":
		a.State = commands.AlertResolved
	default:
		return a, fmt.Errorf("status %.20q is neither firing nor resolved", g.Status)
	}
	if strings.TrimSpace(g.Title) == "" {
		return a, errors.New("it has no title")
	}
	c := &collected{}
	for _, h := range append([]string{g.Host}, g.Hosts...) {
		c.hosts(h)
		c.name(h)
	}
	c.hosts(g.Certificate)
	c.hosts(g.Title)
	c.hosts(g.Text)
	if aboutTLS(g.Title) {
		for _, w := range strings.FieldsFunc(g.Title, func(r rune) bool { return strings.ContainsRune(" ,;()[]\"'", r) }) {
			c.name(strings.Trim(w, ":."))
		}
	}
	a.Hosts, a.Names = c.h, c.n
	a.ID = g.ID
	if a.ID == "" {
		a.ID = shortSum(strings.Join(append([]string{g.Title, g.Certificate, g.Host}, g.Hosts...), "\x00"))
	}
	if !g.Started.IsZero() {
		a.ID, a.Event = a.ID+"/"+g.Started.UTC().Format(time.RFC3339Nano), a.State
	}
	return a, nil
}
