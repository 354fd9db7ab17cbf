package drill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
	"github.com/certmedic/certmedic/renew"
)

// Hachyderm plays the outage of four proxies behind one alias, with an
// HTTP-01 path that breaks on the way (Options.Broken). The card is filled as
// far as the play came and is not OK when something is not as it must be; err
// is only the end of ctx. tell, which may be nil, is given the transcript line
// by line.
func Hachyderm(ctx context.Context, e *Estate, room Room, out Outside, tell func(line string)) (Card, error) {
	p := newPlay("hachyderm", e, room, out, tell)
	return p.finish(ctx, p.hachyderm(ctx))
}

func (p *play) hachyderm(ctx context.Context) error {
	if !p.e.o.Broken {
		return errors.New("this estate's HTTP-01 path is not broken")
	}
	p.rehearsed(ctx)
	return p.outage(ctx, "images do not load", p.offered)
}

// rehearsed wants the rehearsal to have named the broken path before the
// certificate expires. That it has not is a problem and no end.
func (p *play) rehearsed(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, p.e.Expires().Add(-time.Second))
	defer cancel()
	err := until(ctx, "the rehearsal names the broken path", func() (bool, error) {
		s, err := p.out.Standing(ctx, certificate)
		if err != nil {
			return false, err
		}
		for _, proof := range s.Rehearsal {
			if !proof.OK && proof.Level == renew.HTTP01 && proof.Finding.ID == "http01_path" {
				p.tell(fmt.Sprintf("Before anything failed, the rehearsal of %s said: %s", stamp(s.Rehearsed), proof.Text))
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		p.card.wrong("the rehearsal did not name the broken path before the expiry: %v", err)
	}
}

// offered asks for the plan, which must find the HTTP-01 path broken and offer
// DNS-01, and returns the line behind that offer.
func (p *play) offered(ctx context.Context) (string, error) {
	r, err := p.say(ctx, "/renew "+certificate)
	if err != nil {
		return "", err
	}
	if r.State != commands.StateCritical {
		p.card.wrong("the plan does not see that HTTP-01 cannot work: %s", r.Headline)
	}
	for _, b := range r.Buttons {
		if strings.Contains(b.Command, "--challenge dns-01") && strings.Contains(b.Command, "--yes") {
			return b.Command, nil
		}
	}
	return "", fmt.Errorf("the plan offers no renewal with DNS-01: %s", r.Headline)
}
