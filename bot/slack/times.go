package slack

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/certmedic/certmedic/bot"
)

// This file puts the reader's own time beside the UTC times in a text
// (https://docs.slack.dev/messaging/formatting-message-text#date-formatting).
//
// Slack reads time tags only where it reads formatting, and texts may hold what
// strangers wrote. So a text is given to be read only when nothing in it can
// format, mention, link or be an emoji; everything between < and > is then a
// tag made here of a time that was parsed. A stranger who types a time gets
// that time as a tag, and nothing else.

var (
	utcStamp = regexp.MustCompile(`\b(\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?) UTC\b`)
	markup   = regexp.MustCompile("[<>&*_~`|@#\\\\]|:[^\\s:]+:")
)

// mostTags is how many times of one text get a tag.
const mostTags = 3

// timed is a text with the reader's time after each UTC time; plain where that
// is not safe or there is none.
func timed(s string) *slack.TextBlockObject {
	s = bot.Clean(s)
	if !utcStamp.MatchString(s) || markup.MatchString(utcStamp.ReplaceAllString(s, "0")) {
		return text(s)
	}
	n := 0
	tagged := utcStamp.ReplaceAllStringFunc(s, func(stamp string) string {
		at, err := parseStamp(stamp)
		if err != nil || n == mostTags || at.Year() < 2000 || at.Year() > 2100 {
			return stamp
		}
		n++
		return fmt.Sprintf("%s (<!date^%d^{date_short_pretty} {time}|%s>)", stamp, at.Unix(), stamp)
	})
	if n == 0 || utf8.RuneCountInString(tagged) > maxField {
		return text(s)
	}
	return slack.NewTextBlockObject(slack.MarkdownType, tagged, false, true)
}

func parseStamp(s string) (time.Time, error) {
	s = strings.TrimSuffix(s, " UTC")
	if len(s) == len("2006-01-02 15:04") {
		return time.Parse("2006-01-02 15:04", s)
	}
	return time.Parse(time.DateTime, s)
}
