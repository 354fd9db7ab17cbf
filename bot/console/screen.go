package console

import (
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/commands"
)

// screen is where blocks of text go, one below the other. A block that is
// drawn again is edited in place while it is the last one on a terminal;
// otherwise only what is new of it is written.
type screen struct {
	out    io.Writer                  // on a terminal it keeps the prompt below what is written
	size   func() (width, height int) // nil: no terminal
	colour bool
	site   string
	echo   bool // show the own lines too: nobody typed them on this screen

	mu    sync.Mutex
	last  string // id of the block right above the prompt; "": none
	rows  int    // that it takes
	wide  int    // the width that it was drawn for
	texts map[string]string
	order []string
}

// promptRows is the room left for the line being typed when a block above it is
// edited in place.
const promptRows = 3

// textsKept is how many blocks are known again when they change.
const textsKept = 500

func newScreen(out io.Writer) *screen { return &screen{out: out, texts: map[string]string{}} }

func (s *screen) width() (width, height int) {
	if s.size == nil {
		return fallbackWidth, 0
	}
	return s.size()
}

// message shows a room's message. mine: its request was typed here.
func (s *screen) message(m bot.Message, mine bool) error {
	if mine && m.By.Platform != bot.Bot.Platform && !s.echo {
		return nil // it stands where it was typed
	}
	w, h := s.width()
	return s.block(m.ID, drawn(m, mine, w, s.colour, s.site), w, h, m.Reply.State == commands.StateRunning)
}

// reply shows a reply that is not a message of the room.
func (s *screen) reply(r commands.Reply) error {
	w, h := s.width()
	p := &pen{width: max(w, minWidth), colour: s.colour, site: s.site}
	p.reply(r)
	return s.block("", p.String(), w, h, false)
}

// note shows text.
func (s *screen) note(text string) error {
	w, h := s.width()
	return s.block("", text, w, h, false)
}

// moved says that something else was written below the last block.
func (s *screen) moved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = ""
}

func (s *screen) block(id, text string, width, height int, running bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.texts[id]
	if id != "" && known && old == text {
		return nil
	}
	write, rows := text, rowsOf(text, width)
	switch {
	case id != "" && id == s.last && s.rows+promptRows < height && s.wide == width:
		write = "\x1b[" + strconv.Itoa(s.rows) + "A\r\x1b[J" + text
	case known && !newsworthy(old, text):
		s.keep(id, text)
		return nil
	case known && running:
		write = news(old, text)
		rows = height // not all of it stands there, so it cannot be edited in place
	}
	s.keep(id, text)
	s.last, s.rows, s.wide = id, rows, width
	_, err := io.WriteString(s.out, write)
	return err
}

// keep remembers a block's text.
func (s *screen) keep(id, text string) {
	if id == "" {
		return
	}
	if _, known := s.texts[id]; !known {
		if s.order = append(s.order, id); len(s.order) > textsKept {
			delete(s.texts, s.order[0])
			s.order = s.order[1:]
		}
	}
	s.texts[id] = text
}

// news is the first line of a changed block, and those that it did not have.
func news(old, text string) string {
	had := strings.Split(old, "\n")
	var b strings.Builder
	for i, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if i == 0 || !slices.Contains(had, l) {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

// ages are how long ago something was.
var ages = regexp.MustCompile(`[0-9][0-9.]* (ms|s|min|h|d) ago`)

// newsworthy says whether a changed block that stands further up is worth
// writing again: not for other buttons, nor for being older.
func newsworthy(old, text string) bool {
	told := func(s string) []string {
		return slices.DeleteFunc(strings.Split(ages.ReplaceAllString(s, "ago"), "\n"), func(l string) bool {
			return strings.HasPrefix(l, "next: ") || strings.HasPrefix(l, "or:   ") || strings.HasPrefix(l, "page: ")
		})
	}
	return !slices.Equal(told(old), told(text))
}

// rowsOf is the number of rows that text takes on a terminal.
func rowsOf(text string, width int) int {
	n := 0
	for l := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		n += max(1, (length(l)+width-1)/max(width, 1))
	}
	return n
}
