package acme_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/acme"
	"github.com/certmedic/certmedic/renew/renewtest"
)

// One certificate, step by step, as the engine does it. Between the steps it
// writes down what it needs to go on after a crash: the keys and the order's
// URL.
func ExampleNew() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// order pending
	// www.example.com: the CA is satisfied with http-01
	// order valid
}

func example() error {
	names, err := renewtest.NewDNS(renewtest.DNSOptions{})
	if err != nil {
		return err
	}
	defer names.Close()
	names.AddA("www.example.com", "127.0.0.1")
	port, err := renewtest.FreePort()
	if err != nil {
		return err
	}
	ca, err := renewtest.NewCA(renewtest.CAOptions{DNSAddr: names.Addr(), HTTPPort: port})
	if err != nil {
		return err
	}
	defer ca.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	roots, err := ca.APIRootFile(dir)
	if err != nil {
		return err
	}

	ctx := context.Background()
	accountKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cas := acme.New(acme.Options{UserAgent: "example"})
	client, err := cas(renew.Issuer{Directory: ca.DirectoryURL(), Roots: []string{roots}}, accountKey, "")
	if err != nil {
		return err
	}
	order, err := client.NewOrder(ctx, renew.OrderRequest{Domains: []string{"www.example.com"}})
	if err != nil {
		return err
	}
	fmt.Println("order", order.Status)
	challenge := renew.Challenge{Type: renew.HTTP01, Listen: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	var last string
	if err := client.Authorize(ctx, order, challenge, func(s string) { last = s }); err != nil {
		return err
	}
	fmt.Println(last)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: order.Domains}, key)
	if err != nil {
		return err
	}
	order, err = client.Finalize(ctx, order, csr)
	if err != nil {
		return err
	}
	fmt.Println("order", order.Status)
	_, err = client.Chain(ctx, order)
	return err
}
