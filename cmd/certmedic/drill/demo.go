package drill

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Demo plays the plain outage: the certificate expires and its challenge path
// works. Card, err and tell are as with Hachyderm.
func Demo(ctx context.Context, e *Estate, room Room, out Outside, tell func(line string)) (Card, error) {
	p := newPlay("demo", e, room, out, tell)
	return p.finish(ctx, p.demo(ctx))
}

func (p *play) demo(ctx context.Context) error {
	if p.e.o.Broken {
		return errors.New("this estate's HTTP-01 path is broken")
	}
	return p.outage(ctx, "pictures do not load", p.planned)
}

// planned asks for the plan and returns the line behind its start.
func (p *play) planned(ctx context.Context) (string, error) {
	r, err := p.say(ctx, "/renew "+certificate)
	if err != nil {
		return "", err
	}
	for _, b := range r.Buttons {
		if strings.Contains(b.Command, "--yes") {
			return b.Command, nil
		}
	}
	return "", fmt.Errorf("the plan offers no start: %s", r.Headline)
}
