package bot

import (
	"context"

	"github.com/certmedic/certmedic/commands"
)

// Homes gives people their own page; commands.Desk implements it.
type Homes interface {
	// Home is what waits for a person, what is open and what is worst.
	Home(ctx context.Context, by commands.Person) (commands.Home, error)
}
