package drill

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// Card is the report card of a drill. Every number is measured.
type Card struct {
	Drill         string     `json:"drill"`
	OK            bool       `json:"ok"` // Problems is empty
	Durations     Durations  `json:"durations"`
	TypedCommands int        `json:"typed_commands"` // lines said in the room, buttons among them
	Hosts         Hosts      `json:"hosts"`
	Facts         Facts      `json:"facts"`
	LeftBehind    []string   `json:"left_behind"` // see Estate.LeftBehind
	Incident      string     `json:"incident"`
	Postmortem    Postmortem `json:"postmortem"`

	challenge string // that the renewal used
	problems  []string
}

// Durations are in seconds.
type Durations struct {
	Detection float64 `json:"failure_to_detection_s"`   // from the certificate's end to the first failing check on record
	Diagnosis float64 `json:"detection_to_diagnosis_s"` // from there to the answer that names the cause
	Verified  float64 `json:"approval_to_verified_s"`   // from the approval, or the order to start where none is needed, to the last host verified
}

// Hosts counts the hosts that the drill itself found to be good.
type Hosts struct {
	Total    int `json:"total"`
	Verified int `json:"verified"`
}

// Facts counts the statements of the draft, and those that nobody typed.
type Facts struct {
	Total   int `json:"total"`
	Unaided int `json:"unaided"`
}

// Postmortem holds the paths of the draft's forms.
type Postmortem struct {
	Markdown string `json:"markdown"`
	HTML     string `json:"html"`
	JSON     string `json:"json"`
}

// Problems says why the card is not OK.
func (c Card) Problems() []string { return c.problems }

// wrong adds a problem.
func (c *Card) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// judge says whether everything is as it must be.
func (c *Card) judge() {
	measured := func(what string, s float64) {
		if s <= 0 {
			c.wrong("the time %s was not measured", what)
		}
	}
	measured("from failure to detection", c.Durations.Detection)
	measured("from detection to diagnosis", c.Durations.Diagnosis)
	measured("from approval to the last host verified", c.Durations.Verified)
	if c.Hosts.Total == 0 || c.Hosts.Verified != c.Hosts.Total {
		c.wrong("%d of %d hosts are verified", c.Hosts.Verified, c.Hosts.Total)
	}
	if c.Facts.Total == 0 || c.Facts.Unaided == 0 {
		c.wrong("the draft holds %d facts, %d of them unaided", c.Facts.Total, c.Facts.Unaided)
	}
	for _, l := range c.LeftBehind {
		c.wrong("left behind: %s", l)
	}
	if c.Postmortem.Markdown == "" || c.Postmortem.HTML == "" || c.Postmortem.JSON == "" {
		c.wrong("a form of the draft is missing")
	}
	c.OK = len(c.problems) == 0
}

// happened is what the drill's outage really was, by row of the card. The
// sources are the postmortems that the drills were made after.
var happened = map[string]map[string]string{
	"hachyderm": {
		"":           "28 February 2023",
		"detection":  "a person reported it at 01:52 UTC; the alert had gone unseen",
		"diagnosis":  "5 min: the cause was named at 01:57 UTC",
		"verified":   "by hand, still at work at 02:30 UTC; over within the hour",
		"hosts":      "4, files copied and links made on each, each looked at through a hosts file",
		"challenge":  "HTTP-01, after the name had been pointed at the origin; pointed back afterwards",
		"commands":   "a session of shell commands, on every host again",
		"facts":      "written down by hand",
		"left":       "certificate files in more disorder than before",
		"postmortem": "published",
	},
}

// Text is the card for people: what was measured and, where the drill is made
// after a real outage, what happened then.
func (c Card) Text() string {
	then := happened[c.Drill]
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(key, label, value string) {
		if then == nil {
			fmt.Fprintf(w, "%s\t%s\n", label, value)
			return
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", label, value, then[key])
	}
	verdict := "passed"
	if !c.OK {
		verdict = "FAILED"
	}
	row("", c.Drill+": "+verdict, "this time")
	row("detection", "failure to detection", seconds(c.Durations.Detection)+", by the bot")
	row("diagnosis", "detection to diagnosis", seconds(c.Durations.Diagnosis))
	row("verified", "approval to every host verified", seconds(c.Durations.Verified))
	row("hosts", "hosts verified", fmt.Sprintf("%d of %d, each by its own address", c.Hosts.Verified, c.Hosts.Total))
	row("challenge", "challenge", c.challenge)
	row("commands", "commands typed", fmt.Sprint(c.TypedCommands))
	row("facts", "facts that nobody typed", fmt.Sprintf("%d of %d", c.Facts.Unaided, c.Facts.Total))
	left := "nothing"
	if len(c.LeftBehind) > 0 {
		left = fmt.Sprintf("%d things", len(c.LeftBehind))
	}
	row("left", "left behind", left)
	draft := "no draft"
	if c.Postmortem.Markdown != "" {
		draft = "drafted for " + c.Incident
	}
	row("postmortem", "postmortem", draft)
	_ = w.Flush() // into memory
	for _, p := range []string{c.Postmortem.Markdown, c.Postmortem.HTML, c.Postmortem.JSON} {
		if p != "" {
			fmt.Fprintf(&b, "  %s\n", p)
		}
	}
	for _, p := range c.problems {
		fmt.Fprintf(&b, "not as it must be: %s\n", p)
	}
	return b.String()
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }

// between is a duration of the card, in seconds to the millisecond; 0 when an
// end is not known. A moment shorter than a millisecond counts as one.
func between(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	d := to.Sub(from)
	if d >= 0 && d < time.Millisecond {
		d = time.Millisecond
	}
	return math.Round(d.Seconds()*1000) / 1000
}
