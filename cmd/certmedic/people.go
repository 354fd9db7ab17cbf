package main

import (
	"context"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// groupsWithin bounds how long somebody waits for what groups they are in.
const groupsWithin = 2 * time.Second

// groupsOf asks every chat platform which of its groups an identity is in.
// Adapters are added to p.groups before the program runs.
func (p *program) groupsOf(ctx context.Context, who commands.Person) []string {
	ctx, cancel := context.WithTimeout(ctx, groupsWithin)
	defer cancel()
	var all []string
	for _, of := range p.groups {
		all = append(all, of(ctx, who)...)
	}
	return all
}
