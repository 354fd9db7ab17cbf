package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/probe"
)

// checkFlags are the flags of certmedic check.
type checkFlags struct {
	json, allowPrivate        bool
	roots, addrs              []string
	sni, list, fail, starttls string
	concurrency, tries        int
	timeout                   time.Duration
}

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check TARGET...",
		Short: "check the certificates that hosts serve, without any configuration",
		Long: `check probes every address behind each TARGET (host, host:port or https URL) and
lists every fault it finds, with its proof and what to do. It needs no
configuration. Exit 0: clean; 1: findings at or above --fail-on; 2: wrong use.`,
		Example: `  certmedic check example.com
  certmedic check --fail-on warning --json --list hosts.txt`,
		Args: cobra.ArbitraryArgs,
	}
	var f checkFlags
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line for each target")
	c.Flags().StringSliceVar(&f.roots, "roots", nil, "PEM `file` of roots to trust besides the system's (may be given again)")
	c.Flags().StringVar(&f.sni, "sni", "", "`name` to ask for and to verify, instead of the target's")
	c.Flags().StringSliceVar(&f.addrs, "addr", nil, "`IP` address to probe instead of what the name resolves to (may be given again)")
	c.Flags().StringVar(&f.list, "list", "", "`file` with a target a line (# starts a comment, - is standard input)")
	c.Flags().IntVar(&f.concurrency, "concurrency", 16, "targets checked at the same time")
	c.Flags().DurationVar(&f.timeout, "timeout", 10*time.Second, "how long one address may take")
	c.Flags().StringVar(&f.fail, "fail-on", "critical", "lowest `severity` that makes the exit code 1: info, warning or critical")
	c.Flags().StringVar(&f.starttls, "starttls", "", "`protocol` to upgrade from: "+strings.Join(probe.StartTLSProtocols(), ", "))
	c.Flags().IntVar(&f.tries, "tries", 1, "connections to each address")
	c.Flags().BoolVar(&f.allowPrivate, "allow-private", false, "fetch missing intermediates and CRLs from loopback and private addresses too")
	c.RunE = func(c *cobra.Command, args []string) error {
		queries, err := f.queries(args, c.InOrStdin())
		if err != nil {
			return usageError{err}
		}
		roots, err := probe.LoadRoots(f.roots...)
		if err != nil {
			return usageError{err}
		}
		p := probe.New(probe.Options{Roots: roots, Timeout: f.timeout, AllowPrivate: f.allowPrivate, Concurrency: 4 * f.concurrency})
		worst := f.each(c.Context(), p, queries, c.OutOrStdout())
		if c.Context().Err() != nil {
			return &exitError{code: exitFailed, text: "stopped before every target was checked"}
		}
		if worst >= renew.Severity(f.fail).Rank() {
			return &exitError{code: exitFailed}
		}
		return nil
	}
	return c
}

// queries reads and checks everything the person gave, all of it before the
// first connection is made.
func (f *checkFlags) queries(args []string, in io.Reader) ([]renew.Query, error) {
	if renew.Severity(f.fail).Rank() == 0 {
		return nil, fmt.Errorf("--fail-on %q is not known: use info, warning or critical", f.fail)
	}
	if f.concurrency < 1 || f.concurrency > 1024 || f.timeout <= 0 || f.tries < 1 || f.tries > 64 {
		return nil, fmt.Errorf("--concurrency goes from 1 to 1024, --tries from 1 to 64, --timeout must be more than 0")
	}
	if f.starttls != "" && !slices.Contains(probe.StartTLSProtocols(), f.starttls) {
		return nil, fmt.Errorf("--starttls %q is not known: use %s", f.starttls, strings.Join(probe.StartTLSProtocols(), ", "))
	}
	for _, a := range f.addrs {
		if _, err := netip.ParseAddr(a); err != nil {
			return nil, fmt.Errorf("--addr %q is no IP address: write it like 192.0.2.11", a)
		}
	}
	if f.list != "" {
		listed, err := readList(f.list, in)
		if err != nil {
			return nil, err
		}
		args = append(args, listed...)
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("there is nothing to check: name a target, as in `certmedic check example.com`")
	}
	var all []renew.Query
	for _, a := range args {
		host, port, err := probe.ParseTarget(a)
		if err != nil {
			return nil, err
		}
		all = append(all, renew.Query{Host: host, Port: port, SNI: f.sni, Addresses: f.addrs, StartTLS: f.starttls, Tries: f.tries})
	}
	return all, nil
}

func readList(file string, in io.Reader) ([]string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read --list: %w", err)
		}
		defer f.Close()
		in = f
	}
	var all []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		l, _, _ := strings.Cut(lines.Text(), "#")
		if l = strings.TrimSpace(l); l != "" {
			all = append(all, l)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read --list %s: %w", file, err)
	}
	return all, nil
}

// each checks all targets, prints their reports in the order they were given,
// and returns the rank of the worst finding.
func (f *checkFlags) each(ctx context.Context, p *probe.Prober, queries []renew.Query, out io.Writer) int {
	reports := make([]chan renew.Report, len(queries))
	slots := make(chan struct{}, f.concurrency)
	var running sync.WaitGroup
	defer running.Wait()
	for i := range queries {
		reports[i] = make(chan renew.Report, 1)
	}
	running.Go(func() {
		for i, q := range queries {
			slots <- struct{}{}
			running.Go(func() {
				reports[i] <- p.Check(ctx, q)
				<-slots
			})
		}
	})
	worst := 0
	encoder := json.NewEncoder(out)
	for _, ch := range reports {
		r := <-ch
		for _, x := range r.All() {
			worst = max(worst, x.Severity.Rank())
		}
		if f.json {
			_ = encoder.Encode(printed{Report: r})
		} else {
			fmt.Fprint(out, reportText(r))
		}
	}
	return worst
}

// reportText is one report for people: the answer, then each address, then
// each fault with its cause and what to do.
func reportText(r renew.Report) string {
	var b strings.Builder
	symbol := map[renew.Severity]string{renew.Good: "✓ good", renew.Warning: "! warning", renew.Critical: "✕ critical"}
	fmt.Fprintf(&b, "%s  %s\n", symbol[r.Verdict], r.Endpoint)
	for _, a := range r.Addresses {
		served := "no certificate seen"
		if a.Leaf.SHA256 != "" {
			served = fmt.Sprintf("serial %s until %s, from %s, %s", a.Leaf.Serial, a.Leaf.NotAfter.UTC().Format("2006-01-02 15:04:05 UTC"), a.Leaf.Issuer, a.TLS.Version)
		}
		fmt.Fprintf(&b, "  %-10s %s  %s\n", symbol[a.Verdict()], a.Address, served)
	}
	for _, x := range r.All() {
		fmt.Fprintf(&b, "  %s (%s): %s\n    next: %s\n", x.ID, x.Severity, x.Cause, x.Next)
	}
	return b.String()
}

// printed is a report as --json prints it: without the time it was measured,
// which is the time it is printed.
type printed struct {
	renew.Report
	At *struct{} `json:"at,omitempty"`
}
