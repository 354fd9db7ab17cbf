package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/store"
)

func runCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   `run "/verb ..."`,
		Short: "say one line and print the answer",
		Long: `run says one line as if it were typed in a room and prints the answer. It goes
through the running server when there is one, else it works on the record
itself. Exit 0: done; 1: refused or failed; 2: wrong use.`,
		Example: `  certmedic run "/incident list"
  certmedic run --as ana "/renew media --yes"`,
		Args: cobra.MinimumNArgs(1),
	}
	file := configFlag(c)
	as := c.Flags().String("as", "", "the `name` of who says it (default: the login name)")
	room := c.Flags().String("room", "main", "the `room` it is said in, for example INC-7")
	asJSON := c.Flags().Bool("json", false, "print the answer as JSON, also when there is none: then its problem says why")
	c.RunE = func(c *cobra.Command, args []string) error {
		failed := func(err error) error {
			if *asJSON {
				p := commands.Problem{Code: "failed", Message: err.Error()}
				err = errors.Join(err, printReply(c.OutOrStdout(), commands.Reply{State: commands.StateCritical, Headline: p.Message, Problem: p}, true))
			}
			return err
		}
		cfg, err := loadConfig(*file)
		if err != nil {
			return failed(err)
		}
		q := commands.Request{Text: strings.Join(args, " "), By: terminalPerson("cli"), Room: *room, At: time.Now(), Wait: true}
		if *as != "" && !bot.ValidName(*as) {
			return usageError{fmt.Errorf("%q is not a name: give 1 to 40 letters, for example --as ana", *as)}
		}
		if *as != "" {
			q.By = commands.Person{ID: "cli:" + *as, Name: *as, Platform: "cli", Zone: q.By.Zone}
		}
		reply, err := sayOnce(c.Context(), cfg, q, newLog(c.ErrOrStderr(), false))
		if err != nil && reply.Headline == "" {
			return failed(err)
		}
		if bot.Late(reply) {
			reply.Headline = "It was not waited for until its end."
			reply.Problem = commands.Problem{Code: "interrupted", Message: reply.Headline, Hint: "A renewal that was begun goes on at the next start of certmedic. Look how it stands: certmedic run \"/renew\""}
		}
		if err := errors.Join(err, printReply(c.OutOrStdout(), reply, *asJSON)); err != nil {
			return err
		}
		switch {
		case wrongWords(reply.Problem.Code):
			return &exitError{code: exitMisused}
		case !reply.Problem.IsZero():
			return &exitError{code: exitFailed}
		}
		return nil
	}
	return c
}

// wrongWords reports a problem with the line itself, whatever the record holds.
func wrongWords(code string) bool {
	switch code {
	case "unknown_verb", "unknown_flag", "flag_twice", "extra_words":
		return true
	}
	return strings.HasPrefix(code, "bad_") || strings.HasPrefix(code, "missing_")
}

// sayOnce answers one request: on the record itself, or through the server
// that has it open.
func sayOnce(ctx context.Context, cfg config, q commands.Request, log *slog.Logger) (commands.Reply, error) {
	p, err := open(ctx, cfg, programOptions{Name: "certmedic run", Log: log})
	var used *store.InUseError
	if errors.As(err, &used) {
		if used.Holder.Address == "" {
			return commands.Reply{}, fmt.Errorf("%w: wait for it to end, then say it again", err)
		}
		return sayToServer(ctx, used.Holder.Address, q)
	}
	if err != nil {
		return commands.Reply{}, err
	}
	engine, stopEngine := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { _, err := p.Run(engine); ended <- err }()
	reply := p.rooms.Say(ctx, q)
	stopEngine()
	return reply, errors.Join(<-ended, p.Close())
}

// sayToServer posts the request to the running server and reads its answer.
func sayToServer(ctx context.Context, address string, q commands.Request) (commands.Reply, error) {
	if err := checkServer(address); err != nil {
		return commands.Reply{}, err
	}
	token, err := webToken()
	if err != nil {
		return commands.Reply{}, err
	}
	body, err := json.Marshal(map[string]any{"text": q.Text, "as": q.By.Name, "room": q.Room, "wait": q.Wait, "id": q.ID, "zone": q.By.Zone})
	if err != nil {
		return commands.Reply{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/api/run", bytes.NewReader(body))
	if err != nil {
		return commands.Reply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Certmedic", "1")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := toServer.Do(r)
	if err != nil {
		return commands.Reply{}, fmt.Errorf("reach the running server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		var refused commands.Reply
		if json.Unmarshal(said, &refused) == nil && !refused.Problem.IsZero() {
			return refused, nil
		}
		said = said[:min(len(said), 2000)]
		return commands.Reply{}, fmt.Errorf("the server at %s answers %s: %s", address, resp.Status, strings.TrimSpace(string(said)))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 64<<10), 64<<20)
	for lines.Scan() {
		var line struct {
			Reply *commands.Reply `json:"reply"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return commands.Reply{}, fmt.Errorf("read the server's answer: %w", err)
		}
		if line.Reply != nil {
			return *line.Reply, nil
		}
	}
	return commands.Reply{}, fmt.Errorf("the server ended before it had answered: look with `certmedic run \"/renew\"` what it did: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}

// printReply prints a reply for people, or as one JSON object.
func printReply(out io.Writer, reply commands.Reply, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(reply)
	}
	width, colour := terminalOf(out)
	text := console.Render(reply, width, colour)
	for _, f := range reply.Files {
		if strings.HasPrefix(f.Type, "text/markdown") {
			text += "\n" + bot.Clean(string(f.Data)) // what hooks and strangers wrote is in it
		}
	}
	_, err := fmt.Fprintln(out, strings.TrimRight(text, "\n"))
	return err
}

// terminalOf returns the width to draw for, and whether colour is welcome.
func terminalOf(out io.Writer) (width int, colour bool) {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 80, false
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 80 {
		return w, os.Getenv("NO_COLOR") == ""
	}
	return 80, os.Getenv("NO_COLOR") == ""
}
