package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/certmedic/certmedic/bot/console"
	"github.com/certmedic/certmedic/cmd/certmedic/drill"
	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// scriptLimit bounds a play that runs by itself.
const scriptLimit = 2 * time.Minute

// estateFlags are the flags that demo and drill share.
type estateFlags struct {
	dir      string
	lifetime time.Duration
	listen   string
	verbose  bool
}

func (f *estateFlags) add(c *cobra.Command, lifetime time.Duration, listen string) {
	c.Flags().StringVar(&f.dir, "dir", "", "`directory` to keep the estate and the draft in (default: a new one in the temporary directory)")
	c.Flags().DurationVar(&f.lifetime, "lifetime", lifetime, "how long until the certificate expires")
	c.Flags().StringVar(&f.listen, "listen", listen, "`address` of the pages")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log to standard error")
}

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "an estate on loopback that goes wrong, and a room to handle it in",
		Long: `demo starts a real ACME CA, a DNS server and four TLS hosts on loopback. Their
certificate really expires within a minute. Handle the outage in the browser or
here in the terminal; nothing leaves this machine. With --script it plays the
outage by itself and ends with 0 only if every host was verified.`,
		Args: cobra.NoArgs,
	}
	var f estateFlags
	f.add(c, 40*time.Second, "127.0.0.1:8080")
	script := c.Flags().Bool("script", false, "play the outage, print the transcript, write the draft")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *script {
			if !c.Flags().Changed("lifetime") {
				f.lifetime = 4 * time.Second
			}
			if !c.Flags().Changed("listen") {
				f.listen = "127.0.0.1:0"
			}
			card, err := f.play(c.Context(), drill.Options{}, drill.Demo, c.OutOrStdout(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "\n%s", card.Text())
			return cardError(card)
		}
		return f.live(c.Context(), c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

func drillCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "drill NAME",
		Short: "play a real outage on loopback and print a report card (hachyderm)",
		Long: `drill builds an estate on loopback that goes wrong the way a real one did, plays
the responder and prints a report card. Drills:

  hachyderm   one name behind four proxies; HTTP-01 lands on a proxy that does
              not answer for it; the certificate expires`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"hachyderm"},
	}
	var f estateFlags
	f.add(c, 6*time.Second, "127.0.0.1:0")
	asJSON := c.Flags().Bool("json", false, "print the card alone, as JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		transcript := c.OutOrStdout()
		if *asJSON {
			transcript = io.Discard
		}
		card, err := f.play(c.Context(), drill.Options{Broken: true}, drill.Hachyderm, transcript, c.ErrOrStderr())
		if err != nil {
			return err
		}
		if *asJSON {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			if err := e.Encode(card); err != nil {
				return err
			}
			return cardError(card)
		}
		fmt.Fprintf(c.OutOrStdout(), "\n%s", card.Text())
		return cardError(card)
	}
	return c
}

// cardError is the exit of a play: failed when anything is not as it must be.
func cardError(card drill.Card) error {
	if card.OK {
		return nil
	}
	text := fmt.Sprintf("%s did not end as it must", card.Drill)
	for _, p := range card.Problems() {
		text += "\n  " + p
	}
	return &exitError{code: exitFailed, text: text}
}

// estateCommand is what the hosts of a demo or drill are tested and reloaded
// with; it is not for people.
func estateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "estate test|reload SOCKET", Hidden: true, Args: cobra.ExactArgs(2), Short: "test or reload a host of the demo",
		RunE: func(c *cobra.Command, args []string) error {
			if code := drill.Helper(args, c.OutOrStdout(), c.ErrOrStderr()); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

// start builds the estate and the program that looks after it.
func (f *estateFlags) start(ctx context.Context, o drill.Options, po programOptions) (_ *drill.Estate, _ *program, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	if po.Token, err = webToken(); err != nil {
		return nil, nil, err
	}
	if o.Dir = f.dir; o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "certmedic-"); err != nil {
			return nil, nil, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, os.RemoveAll(o.Dir))
			}
		}()
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "certmedic.yaml")); err == nil {
		return nil, nil, fmt.Errorf("%s holds a configuration already: name an empty directory with --dir", o.Dir)
	}
	o.Lifetime, o.Listen, o.Helper, o.Log = f.lifetime, f.listen, []string{exe, "estate"}, po.Log
	e, err := drill.Start(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := loadConfig(e.Config())
	if err != nil {
		return nil, nil, errors.Join(err, e.Close())
	}
	p, err := open(ctx, cfg, po)
	if err != nil {
		return nil, nil, errors.Join(err, e.Close())
	}
	return e, p, nil
}

// live runs the demo until the person leaves.
func (f *estateFlags) live(ctx context.Context, in io.Reader, out, errOut io.Writer) error {
	po := programOptions{Name: "certmedic demo", Log: f.log(errOut), Listen: true, Watch: true}
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		po.Console = &console.Options{By: terminalPerson("console"), In: in, Out: out}
	}
	e, p, err := f.start(ctx, drill.Options{Open: true}, po)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `certmedic demo: a CA, a DNS server and %d TLS hosts run on this machine alone.
The certificate of %s expires at %s, in %.0f s.

  the room     %s
  type first   /certcheck media
  then         /incident declare sev2 images do not load --cert media
               /renew media
  at the end   /incident resolve, /incident impact ..., /incident close
`, len(e.Hosts()), e.Domain(), e.Expires().UTC().Format("15:04:05 UTC"), time.Until(e.Expires()).Seconds(), p.Address())
	if po.Console != nil {
		fmt.Fprint(out, "\nYou can type here too; Tab completes, Ctrl-D leaves.\n\n")
	} else {
		fmt.Fprint(out, "\nCtrl-C ends it.\n\n")
	}
	stopped, err := p.Run(ctx)
	err = errors.Join(err, p.Close(), e.Close())
	sayStopped(out, stopped)
	if f.dir == "" {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(e.Config())))
	}
	return err
}

// log is quiet unless asked otherwise: the room says what people need.
func (f *estateFlags) log(w io.Writer) *slog.Logger {
	if f.verbose {
		return newLog(w, true)
	}
	return slog.New(slog.DiscardHandler)
}

// script is one of drill's plays.
type script func(ctx context.Context, e *drill.Estate, room drill.Room, out drill.Outside, tell func(string)) (drill.Card, error)

// play runs a script against a new estate and takes everything down again; the
// record and the draft stay in the directory.
func (f *estateFlags) play(ctx context.Context, o drill.Options, s script, out, errOut io.Writer) (drill.Card, error) {
	ctx, cancel := context.WithTimeout(ctx, f.lifetime+scriptLimit)
	defer cancel()
	e, p, err := f.start(ctx, o, programOptions{Name: "certmedic drill", Log: f.log(errOut), Listen: true, Watch: true, Drill: o.Broken})
	if err != nil {
		return drill.Card{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { _, err := p.Run(running); ended <- err }()
	card, err := s(ctx, e, responder{p: p, name: "ana"}, record{p}, func(line string) { fmt.Fprintln(out, line) })
	stop()
	return card, errors.Join(err, <-ended, p.Close(), e.Close())
}

// responder says lines in the main room under a name.
type responder struct {
	p    *program
	name string
}

// Say implements drill.Room.
func (r responder) Say(ctx context.Context, line string) (commands.Reply, error) {
	return r.p.rooms.Say(ctx, commands.Request{Text: line, Room: "main", At: time.Now(),
		By: commands.Person{ID: "console:" + r.name, Name: r.name, Platform: "console"}}), nil
}

// As implements drill.People.
func (r responder) As(name string) drill.Room { return responder{p: r.p, name: name} }

// record reads what the bot knows, past the room.
type record struct{ p *program }

// Standing implements drill.Outside.
func (r record) Standing(ctx context.Context, certificate string) (renew.Standing, error) {
	all, err := r.p.runner.Estate(ctx)
	for _, s := range all {
		if s.Certificate.Name == certificate {
			return s, err
		}
	}
	return renew.Standing{}, errors.Join(err, renew.ErrNotFound)
}

// Renewals implements drill.Outside.
func (r record) Renewals(ctx context.Context, certificate string) ([]renew.Renewal, error) {
	return r.p.runner.Renewals(ctx, certificate, 0)
}

// Incident implements drill.Outside.
func (r record) Incident(ctx context.Context, id string) (incident.Incident, error) {
	return r.p.book.Incident(ctx, id)
}
