package main

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/certmedic/certmedic/incident/postmortem"
)

// postmortemConfig is postmortem: of the configuration.
type postmortemConfig struct {
	Templates *postmortem.Templates // nil: those that come with the program
	Template  string                // of the draft that close hands over; "": standard
	Git       gitConfig             // where drafts are published; zero: nowhere
}

// postmortem reads postmortem: of the configuration. Own templates are read
// and tried here, so that a mistake in one is found at the start.
func (r *yamlReader) postmortem(n node, c *config) {
	r.mapping(n, "postmortem", fields{
		"templates": func(n node) {
			dir := r.path(n, "postmortem.templates")
			if i, err := os.Stat(dir); err != nil || !i.IsDir() {
				r.add(n, "postmortem.templates: there is no folder %s", "make it, or leave the line out", dir)
				return
			}
			s, err := postmortem.LoadTemplates(dir)
			for _, e := range split(err) {
				r.add(n, "postmortem.templates: %v", "docs/postmortem.md lists what a template is given", e)
			}
			c.Postmortem.Templates = s
		},
		"git":      func(n node) { c.Postmortem.Git = r.git(n) },
		"template": func(n node) { c.Postmortem.Template = r.text(n, "postmortem.template") },
	})
	if t, all := c.Postmortem.Template, c.Postmortem.Templates.Names(); t != "" && !slices.Contains(all, t) {
		r.add(n, "postmortem.template: there is no template %q", "there are "+strings.Join(all, ", "), t)
	}
}

// split takes joined errors apart.
func split(err error) []error {
	var many interface{ Unwrap() []error }
	if err == nil {
		return nil
	}
	if errors.As(err, &many) {
		return many.Unwrap()
	}
	return []error{err}
}
