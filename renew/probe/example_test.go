package probe_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"time"

	"github.com/certmedic/certmedic/renew"
	"github.com/certmedic/certmedic/renew/probe"
)

// A server whose certificate expired and is for another name as well: both are
// told.
func Example() {
	srv := httptest.NewUnstartedServer(nil)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	host, port, err := probe.ParseTarget(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := probe.New(probe.Options{Roots: roots, Now: func() time.Time { return srv.Certificate().NotAfter.Add(time.Hour) }})
	report := p.Check(context.Background(), renew.Query{Host: host, Port: port, SNI: "media.example.org"})
	fmt.Println(report.Verdict)
	for _, f := range report.All() {
		fmt.Println(f.ID, f.Severity, f.Proof["not_after"])
	}
	// Output:
	// critical
	// expired critical 2084-01-29 16:00:00 UTC
	// name_mismatch critical 2084-01-29 16:00:00 UTC
}
