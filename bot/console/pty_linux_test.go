package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/bottest"
	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/commands"
	"golang.org/x/sys/unix"
)

// openPty opens a terminal pair of the given size.
func openPty(t testing.TB, cols, rows int) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: a terminal needs /dev/ptmx: %v", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	resize(t, master, cols, rows)
	return master, slave
}

func resize(t testing.TB, master *os.File, cols, rows int) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(cols), Row: uint16(rows)}); err != nil {
		t.Fatal(err)
	}
}

// typist is a person at a terminal.
type typist struct {
	t      testing.TB
	master *os.File
	slave  *os.File
	before unix.Termios
	done   chan struct{} // closed when Run has returned err
	err    error
	cancel context.CancelFunc

	mu     sync.Mutex
	screen *vt
	raw    strings.Builder
}

// sit opens a console on a terminal of 80 columns.
func sit(t testing.TB, rooms *bot.Rooms, name, history string) *typist {
	t.Helper()
	p := &typist{t: t, done: make(chan struct{}), screen: newVT(80)}
	p.master, p.slave = openPty(t, 80, 40)
	was, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	p.before = *was
	var read sync.WaitGroup
	read.Go(func() {
		b := make([]byte, 4096)
		for {
			n, err := p.master.Read(b)
			p.mu.Lock()
			p.screen.write(b[:n])
			p.raw.Write(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.done)
		defer func() {
			if v := recover(); v != nil {
				p.err = fmt.Errorf("panic: %v", v)
			}
		}()
		p.err = console.Run(ctx, console.Options{Rooms: rooms, By: person(name), In: p.slave, Out: p.slave, History: history})
	}()
	t.Cleanup(func() {
		cancel()
		<-p.done
		_ = p.slave.Close() // the last end of it: the reader above ends
		read.Wait()
		_ = p.master.Close()
	})
	p.sees("Room main, you are " + name)
	p.line("main>")
	return p
}

func (p *typist) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.master, keys); err != nil {
		p.t.Fatal(err)
	}
}

func (p *typist) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// sees waits until the screen holds s.
func (p *typist) sees(s string) {
	p.t.Helper()
	eventually(p.t, func() string { return fmt.Sprintf("no %q on the screen:\n%s", s, p.text()) }, func() bool { return strings.Contains(p.text(), s) })
}

// line waits until the last line of the screen is s.
func (p *typist) line(s string) {
	p.t.Helper()
	eventually(p.t, func() string { return fmt.Sprintf("the last line is not %q:\n%s", s, p.text()) }, func() bool {
		return strings.HasSuffix("\n"+strings.TrimRight(p.text(), " \n"), "\n"+s)
	})
}

// left waits until Run has returned, and checks that the terminal is as it was.
func (p *typist) left() error {
	p.t.Helper()
	<-p.done
	now, terr := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if terr != nil {
		p.t.Fatal(terr)
	}
	if *now != p.before {
		p.t.Errorf("the terminal is left in another mode: %+v, was %+v", *now, p.before)
	}
	return p.err
}

// TestSuiteTerminal: the same suite, typed at a terminal and read off its screen.
func TestSuiteTerminal(t *testing.T) {
	t.Parallel()
	bottest.Run(t, func(t *testing.T, rooms *bot.Rooms) bottest.Adapter {
		people := map[string]*typist{"ana": sit(t, rooms, "ana", ""), "ben": sit(t, rooms, "ben", "")}
		return bottest.Adapter{
			Say:  func(_ testing.TB, person, _, line string) { people[person].types(line + "\r") },
			Seen: func(_ testing.TB, person, _ string) string { return people[person].text() },
			Raw: func(_ testing.TB, person, _ string) string {
				p := people[person]
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.raw.String()
			},
			Never: []string{"\x1b]", "\a", "\x1b[31mred"},
		}
	})
}

func TestTerminalKeys(t *testing.T) {
	t.Parallel()
	history := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(history, []byte("/echo from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := sit(t, newRooms(t, bottest.NewDesk()), "ana", history)
	p.types("/echo good\x02\x02\x02\x02\x7fX\x05 day\r") // moved back, one erased, one put in, to the end
	p.sees("There is no verb /echoXgood.")
	p.line("main>")
	p.types("half a li\x03") // Ctrl-C
	p.line("main>")
	p.types("\x03")
	p.sees("Ctrl-D or /quit leaves.")
	p.types("\x1b[A") // up
	p.line("main> /echoXgood day")
	p.types("\x1b[A")
	p.line("main> /echo from the file")
	p.types("\r")
	p.sees("echo: from the file")
	p.types("/echo my password is hunter2\r")
	p.sees("echo: my password")
	p.types("\x1b[A")
	p.line("main> /echo my password is hunter2")
	p.types("\x03")
	p.line("main>")
	p.types("\x04") // Ctrl-D
	if err := p.left(); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(history)
	if err != nil || string(data) != "/echo from the file\n/echoXgood day\n/echo from the file\n" {
		t.Errorf("history file: %q, %v", data, err)
	}
}

func TestTerminalCompletes(t *testing.T) {
	t.Parallel()
	p := sit(t, newRooms(t, bottest.NewDesk()), "ana", "")
	p.types("/c\t")
	p.line("main> /certcheck media")
	p.types("\x03/\t") // three choices, none certain
	p.sees("  /certcheck media\n  /incident declare\n  /renew media\n")
	p.line("main> /")
	p.types("x\t") // none
	p.line("main> /x")
	p.types("\x03/quit\r")
	if err := p.left(); err != nil {
		t.Error(err)
	}
}

// TestTerminalOthers: what others say appears above the line being typed, and
// progress is edited where it stands.
func TestTerminalOthers(t *testing.T) {
	t.Parallel()
	rooms := newRooms(t, bottest.NewDesk())
	rooms.Say(context.Background(), commands.Request{Text: "/public early", By: person("ben")})
	p := sit(t, rooms, "ana", "")
	p.sees("ben: /public early") // what was said before
	p.types("/echo half")
	p.line("main> /echo half")
	rooms.Say(context.Background(), commands.Request{Text: "/public hello", By: person("ben")})
	p.sees("2026-11-21 02:11 UTC ben: /public hello\n")
	p.line("main> /echo half")
	r := replies["progress"]
	r.Key = "renewal/R-12"
	post := func(done int) {
		t.Helper()
		r.Done, r.Headline = done, fmt.Sprintf("R-12: %d of 4.", done)
		if err := rooms.Post(context.Background(), commands.Post{Room: "main", Reply: r}); err != nil {
			t.Fatal(err)
		}
		p.sees(r.Headline)
		p.line("main> /echo half")
	}
	for done := range 4 {
		post(done)
	}
	if n := strings.Count(p.text(), "R-12: "); n != 1 {
		t.Errorf("the progress stands there %d times:\n%s", n, p.text())
	}
	if !strings.Contains(p.text(), "public: hello") || !strings.Contains(p.text(), "[=========---] 3 of 4 hosts\n") {
		t.Errorf("the edit harmed what stands above:\n%s", p.text())
	}
	p.types("\x03\r") // now a line stands below it, and it must not be written over
	p.sees("main>\nmain>")
	r.Done, r.Headline = 3, "R-12: still 3 of 4."
	if err := rooms.Post(context.Background(), commands.Post{Room: "main", Reply: r}); err != nil {
		t.Fatal(err)
	}
	p.sees("main>\n2026-11-21 02:11 UTC certmedic\n… running  R-12: still 3 of 4.\nmain>")
	if !strings.Contains(p.text(), "R-12: 3 of 4.") {
		t.Errorf("the edit wrote over the earlier state:\n%s", p.text())
	}
	p.types("/echo half done\r")
	p.sees("echo: half done")
	post2 := r
	post2.State, post2.Headline, post2.Done = commands.StateGood, "R-12 is done.", 4
	if err := rooms.Post(context.Background(), commands.Post{Room: "main", Reply: post2}); err != nil {
		t.Fatal(err)
	}
	p.sees("R-12 is done.")
	p.line("main>")
	if s := p.text(); strings.Count(s, "R-12: 3 of 4.") != 1 || strings.Index(s, "echo: half done") > strings.Index(s, "R-12 is done.") {
		t.Errorf("the final state does not stand below:\n%s", s)
	}
	resize(t, p.master, 60, 40)
	p.types("x")
	p.line("main> x")
	p.types("\x03\x04")
	if err := p.left(); err != nil {
		t.Error(err)
	}
}

// TestTerminalEditsItsAnswer: "Working on it" gives way to the answer.
func TestTerminalEditsItsAnswer(t *testing.T) {
	t.Parallel()
	desk := bottest.NewDesk()
	p := sit(t, newRooms(t, desk), "ana", "")
	p.types("/slow fish\r")
	p.sees("… running  Working on it.\n")
	desk.Release("fish")
	p.sees("main> /slow fish\nslow: fish\nmain>")
	if strings.Contains(p.text(), "Working") {
		t.Errorf("the placeholder is still there:\n%s", p.text())
	}
}

// panicky panics when it is asked for completions.
type panicky struct{ *bottest.Desk }

func (panicky) Complete(context.Context, string, string) []string { panic("broken completion") }

func TestTerminalIsGivenBack(t *testing.T) {
	t.Parallel()
	t.Run("ctx", func(t *testing.T) {
		t.Parallel()
		p := sit(t, newRooms(t, bottest.NewDesk()), "ana", "")
		p.types("half")
		p.line("main> half")
		p.cancel()
		if err := p.left(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		p := sit(t, newRooms(t, panicky{bottest.NewDesk()}), "ana", "")
		p.types("/\t")
		if err := p.left(); err == nil || !strings.Contains(err.Error(), "broken completion") {
			t.Errorf("the panic did not come through: %v", err)
		}
	})
	t.Run("room closed", func(t *testing.T) {
		t.Parallel()
		rooms := bot.New(bot.Options{Desk: bottest.NewDesk(), Log: bottest.NewLog()})
		p := sit(t, rooms, "ana", "")
		if err := rooms.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := p.left(); !errors.Is(err, console.ErrRoomClosed) {
			t.Error(err)
		}
	})
	t.Run("answer pending", func(t *testing.T) {
		t.Parallel()
		p := sit(t, newRooms(t, bottest.NewDesk()), "ana", "")
		p.types("/slow forever\r")
		p.sees("Working on it.")
		p.types("\x04")
		if err := p.left(); err != nil {
			t.Error(err)
		}
	})
}
