package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/renew"
)

// config is what certmedic.yaml says. Paths are absolute: a relative one in
// the file is read from the file's own folder.
type config struct {
	File       string
	Data       string
	Listen     string
	Hosts      []string // further Host headers that the pages answer to
	Teams      []commands.Team
	People     []commands.Linked
	Policy     commands.Policy
	Retain     retainConfig
	Statuses   incident.Names // what people call the statuses of an incident
	Inventory  renew.Inventory
	Roots      []string // PEM files added to the system's roots for verification
	Check      checkConfig
	Slack      slackConfig
	Discord    discordConfig
	Postmortem postmortemConfig
	Hooks      hooksConfig
	Updates    updatesConfig
	Tasks      tasksConfig
	// SecretVariables are the environment variables that {env: NAME} names.
	SecretVariables []string
	Rehearse        time.Duration // between rehearsals; 0: the engine's default; negative: never
}

// checkConfig is how the estate is watched. Zero values: the engine's defaults.
type checkConfig struct {
	Every   time.Duration
	Timeout time.Duration
}

// loadConfig reads and checks a file. All problems come back at once as a
// *configError.
func loadConfig(file string) (config, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return config{}, fmt.Errorf("find %s: %w", file, err)
	}
	text, err := readSmall(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return config{}, fmt.Errorf("there is no %s here: write one with `certmedic init`, or name yours with -c FILE", file)
	}
	if err != nil {
		return config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if fi, err := os.Stat(abs); err == nil && fi.Mode()&0o002 != 0 { // it names commands that are run
		return config{}, fmt.Errorf("everybody on this machine may write to %s, which says what is run; run: chmod o-w %s", abs, abs)
	}
	return parseConfig(abs, text)
}

// parseConfig reads the text of a configuration whose absolute path is file.
func parseConfig(file string, text []byte) (config, error) {
	r := &yamlReader{file: file, dir: filepath.Dir(file)}
	c := config{File: file, Data: filepath.Join(r.dir, "certmedic.db"), Listen: "127.0.0.1:8080"}
	root := r.document(text)
	if root != nil {
		r.config(root, &c)
		r.references(c)
	}
	c.SecretVariables = r.variables
	return c, r.err()
}

// config reads the top level.
func (r *yamlReader) config(n node, c *config) {
	r.mapping(n, "the file", fields{
		"data":         func(n node) { c.Data = r.path(n, "data") },
		"listen":       func(n node) { c.Listen = r.address(n, "listen") },
		"hosts":        func(n node) { c.Hosts = r.names(n, "hosts") },
		"teams":        func(n node) { c.Teams = r.teams(n) },
		"people":       func(n node) { c.People = r.people(n) },
		"policy":       func(n node) { c.Policy = r.policy(n) },
		"retain":       func(n node) { c.Retain = r.retain(n) },
		"incident":     func(n node) { c.Statuses = r.statuses(n) },
		"issuers":      func(n node) { c.Inventory.Issuers = r.issuers(n) },
		"certificates": func(n node) { c.Inventory.Certificates = r.certificates(n) },
		"chat":         func(n node) { r.chat(n, c) },
		"hooks":        func(n node) { c.Hooks = r.hooks(n) },
		"postmortem":   func(n node) { r.postmortem(n, c) },
		"updates":      func(n node) { c.Updates = r.updates(n) },
		"tasks":        func(n node) { c.Tasks = r.tasks(n) },
		"trust": func(n node) {
			r.mapping(n, "trust", fields{"roots": func(n node) { c.Roots = r.pemFiles(n, "trust.roots") }})
		},
		"check": func(n node) {
			r.mapping(n, "check", fields{
				"every":   func(n node) { c.Check.Every = r.duration(n, "check.every", time.Second, 24*time.Hour) },
				"timeout": func(n node) { c.Check.Timeout = r.duration(n, "check.timeout", 100*time.Millisecond, 5*time.Minute) },
			})
		},
		"rehearse": func(n node) {
			r.mapping(n, "rehearse", fields{
				"every": func(n node) {
					if r.scalar(n) == "never" {
						c.Rehearse = -1
						return
					}
					c.Rehearse = r.duration(n, "rehearse.every", time.Minute, 31*24*time.Hour)
				},
			})
		},
	})
}

func (r *yamlReader) teams(n node) []commands.Team {
	var all []commands.Team
	r.each(n, "teams", func(name string, key, n node) {
		t := commands.Team{Name: name}
		r.mapping(n, "team "+name, fields{
			"people":   func(n node) { t.People = r.names(n, "people") },
			"escalate": func(n node) { t.Escalate = r.names(n, "escalate") },
			"slack":    func(n node) { t.Groups = append(t.Groups, r.groups(n, name, "slack")...) },
			"discord":  func(n node) { t.Groups = append(t.Groups, r.groups(n, name, "discord")...) },
		})
		if len(t.People) == 0 && len(t.Groups) == 0 {
			r.add(key, "team %s has nobody in it", "list its people: `people: [ana, ben]`", name)
		}
		if name == commands.Members || name == commands.Owner {
			r.add(key, "a team cannot be called %s", "policy: has that word for something else", name)
		}
		all = append(all, t)
	})
	return all
}

func (r *yamlReader) issuers(n node) []renew.Issuer {
	var all []renew.Issuer
	r.each(n, "issuers", func(name string, key, n node) {
		i := renew.Issuer{Name: name}
		r.mapping(n, "issuer "+name, fields{
			"directory": func(n node) { i.Directory = r.directoryURL(n) },
			"email":     func(n node) { i.Email = r.email(n) },
			"roots":     func(n node) { i.Roots = r.pemFiles(n, "roots") },
			"eab": func(n node) {
				r.mapping(n, "eab", fields{
					"key_id": func(n node) { i.EABKeyID = r.text(n, "key_id") },
					"key":    func(n node) { i.EABKey = r.secret(n, "key") },
				})
			},
		})
		if i.Directory == "" && !r.has(n, "directory") {
			r.add(key, "issuer %s has no directory", "name its ACME directory: `directory: https://acme-v02.api.letsencrypt.org/directory`", name)
		}
		all = append(all, i)
	})
	return all
}

// references checks what one part of the file says of another.
func (r *yamlReader) references(c config) {
	issuers, teams, certificates := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, x := range c.Inventory.Certificates {
		certificates[x.Name] = true
	}
	for _, i := range c.Inventory.Issuers {
		issuers[i.Name] = true
	}
	for _, t := range c.Teams {
		teams[t.Name] = true
	}
	known := func(at node, kind, name, owner string, set map[string]bool) {
		if name == "" || set[name] {
			return
		}
		hint := fmt.Sprintf("add it under %ss:", kind)
		if near := nearest(name, keysOf(set)); near != "" {
			hint = "did you mean " + near + "?"
		}
		r.add(at, "%s names the %s %s, which the file does not have", hint, owner, kind, name)
	}
	for _, ref := range r.refs {
		set := teams
		switch ref.kind {
		case "issuer":
			set = issuers
		case "certificate":
			set = certificates
		}
		known(ref.at, ref.kind, ref.name, ref.owner, set)
	}
	for _, t := range c.Teams {
		for _, e := range t.Escalate {
			known(r.teamNode, "team", e, "team "+t.Name, teams)
		}
	}
}

// loopback reports whether a listen address is reachable from this machine alone.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkPEM says what is wrong with a file of root certificates, or "".
func checkPEM(file string) string {
	text, err := readSmall(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no file " + file
	case err != nil:
		return err.Error()
	case !x509.NewCertPool().AppendCertsFromPEM(text):
		return file + " holds no certificate in PEM form"
	}
	return ""
}
