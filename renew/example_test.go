package renew_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/store"
)

// nothing is a CA, a Deployer and a Prober that are not there; cmd wires
// renew/acme, renew/deploy and renew/probe in their place.
type nothing struct {
	renew.CA
	renew.Deployer
}

func (nothing) Check(context.Context, renew.Query) renew.Report {
	return renew.Report{Verdict: renew.Good}
}

// A Runner answers for an inventory, and keeps what it does in a store.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "renew")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	record, err := store.Open(ctx, filepath.Join(dir, "certmedic.db"), store.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer record.Close()
	sealer, err := renew.NewSealer(make([]byte, 32)) // MasterKey makes a real one
	if err != nil {
		fmt.Println(err)
		return
	}
	runner, err := renew.New(renew.Options{
		Store: record, Sealer: sealer, Deployer: nothing{}, Prober: nothing{},
		CAs: func(renew.Issuer, crypto.Signer, string) (renew.CA, error) { return nothing{}, nil },
		Inventory: renew.Inventory{
			Issuers: []renew.Issuer{{Name: "ca", Directory: "https://ca.example/dir"}},
			Certificates: []renew.Certificate{{
				Name: "media", Domains: []string{"media.example.com"}, Issuer: "ca",
				Challenges: []renew.Challenge{{Type: renew.HTTP01}},
				Approval:   renew.Approval{Teams: []string{"leads"}},
			}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ana := renew.Person{ID: "web:ana", Name: "Ana"}
	r, err := runner.Start(ctx, renew.Ask{Certificate: "media.example.com", By: ana, Force: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.ID, r.State)
	_, err = runner.Approve(ctx, r.ID, ana, "")
	fmt.Println(errors.Is(err, renew.ErrSelfApproval))
	_, err = runner.Start(ctx, renew.Ask{Certificate: "media", By: ana})
	fmt.Println(err)
	// Output:
	// R-1 waiting
	// true
	// R-1 is waiting at approval: another renewal of this certificate is running
}
