package renew

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"

	"github.com/certmedic/certmedic/store"
)

// This file keeps ACME accounts, one for each issuer, and makes private keys.

// issuerAccount is the CA of one issuer, made at the first use.
type issuerAccount struct {
	mu sync.Mutex // held while the account is made
	ca CA
}

// ca returns the CA of an issuer, with its account key made and sealed when it
// is the first time. The account itself may not exist yet: see account.
func (r *Runner) ca(ctx context.Context, i Issuer) (CA, error) {
	a := r.accounts[i.Name]
	a.mu.Lock()
	defer a.mu.Unlock()
	ca, _, _, err := r.caLocked(ctx, i, a)
	return ca, err
}

// account returns the CA with its account registered. again: the CA has
// forgotten it, register once more.
func (r *Runner) account(ctx context.Context, i Issuer, again bool) (CA, error) {
	a := r.accounts[i.Name]
	a.mu.Lock()
	defer a.mu.Unlock()
	ca, key, rec, err := r.caLocked(ctx, i, a)
	if err != nil || (rec.URL != "" && !again) {
		return ca, err
	}
	url, err := ca.Register(ctx)
	if err != nil {
		return nil, fmt.Errorf("register at %s: %w", i.Name, err)
	}
	rec.URL = url
	if err := r.putAccount(ctx, i, rec); err != nil {
		return nil, err
	}
	if ca, err = r.o.CAs(i, key, url); err != nil {
		return nil, fmt.Errorf("issuer %s: %w", i.Name, err)
	}
	a.ca = ca
	return ca, nil
}

func (r *Runner) caLocked(ctx context.Context, i Issuer, a *issuerAccount) (CA, crypto.Signer, diskAccount, error) {
	var rec diskAccount
	at := keyAccount(i.Name)
	err := r.o.Store.View(ctx, func(tx store.Tx) error {
		rec = diskAccount{}
		v, err := tx.Get(at)
		if err != nil {
			return err
		}
		return unpack(at, v, &rec)
	})
	if err != nil {
		return nil, nil, rec, err
	}
	var key crypto.Signer
	if rec.V == 0 {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, nil, rec, fmt.Errorf("account key: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, nil, rec, fmt.Errorf("account key: %w", err)
		}
		rec.V = diskVersion
		if rec.Key, err = r.o.Sealer.Seal("account/"+i.Name, der); err != nil {
			return nil, nil, rec, err
		}
		if err := r.putAccount(ctx, i, rec); err != nil {
			return nil, nil, rec, err
		}
	} else {
		der, err := r.o.Sealer.Open("account/"+i.Name, rec.Key)
		if err != nil {
			return nil, nil, rec, err
		}
		if key, err = signer(der); err != nil {
			return nil, nil, rec, fmt.Errorf("account key of %s: %w", i.Name, err)
		}
	}
	if a.ca != nil {
		return a.ca, key, rec, nil
	}
	ca, err := r.o.CAs(i, key, rec.URL)
	if err != nil {
		return nil, nil, rec, fmt.Errorf("issuer %s: %w", i.Name, err)
	}
	a.ca = ca
	return ca, key, rec, nil
}

func (r *Runner) putAccount(ctx context.Context, i Issuer, rec diskAccount) error {
	v := pack(rec)
	return r.o.Store.Update(ctx, func(tx store.Tx) error { return tx.Put(keyAccount(i.Name), v) })
}

// newKey makes a private key of a kind: see Certificate.Key.
func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "", "ecdsa-p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa-2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("key %q is not known: use ecdsa-p256, ecdsa-p384, rsa-2048 or rsa-4096", kind)
}

func signer(pkcs8 []byte) (crypto.Signer, error) {
	k, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, errors.New("the stored key cannot be read")
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, errors.New("the stored key cannot sign")
	}
	return s, nil
}

// spki is the DER SubjectPublicKeyInfo of a key.
func spki(key crypto.Signer) ([]byte, error) { return x509.MarshalPKIXPublicKey(key.Public()) }

func keyPEM(pkcs8 []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// privateKey opens the sealed key that a renewal uses, as PKCS #8.
func (u *run) privateKey(ctx context.Context) ([]byte, error) {
	d := u.state()
	n := d.N
	if d.KeyOf != 0 {
		n = d.KeyOf
	}
	return u.r.storedKey(ctx, n)
}

func (r *Runner) storedKey(ctx context.Context, n int) ([]byte, error) {
	var sealed []byte
	err := r.o.Store.View(ctx, func(tx store.Tx) (err error) {
		sealed, err = tx.Get(keyKey(n))
		return err
	})
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		return nil, fmt.Errorf("the key of %s is not in the record: %w", idOf(n), ErrNotFound)
	}
	return r.o.Sealer.Open("key/"+idOf(n), sealed)
}

// storedChain returns the chain that a renewal got, PEM; nil when it has none.
func (r *Runner) storedChain(ctx context.Context, n int) (chain []byte, err error) {
	err = r.o.Store.View(ctx, func(tx store.Tx) (err error) {
		chain, err = tx.Get(keyChain(n))
		return err
	})
	return chain, err
}

func readIssued(tx store.Tx, cert string, is *diskIssued) error {
	v, err := tx.Get(keyIssued(cert))
	if err != nil {
		return err
	}
	return unpack(keyIssued(cert), v, is)
}

func (r *Runner) issued(ctx context.Context, cert string) (is diskIssued, err error) {
	err = r.o.Store.View(ctx, func(tx store.Tx) error {
		is = diskIssued{}
		return readIssued(tx, cert, &is)
	})
	return is, err
}
