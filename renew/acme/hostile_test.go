package acme

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certmedic/certmedic/renew"
)

// hostileCA is a CA that answers every request for an authorization with the
// one given.
func hostileCA(t *testing.T, authorization any) (cl renew.CA, base string) {
	t.Helper()
	var srv *httptest.Server
	srv = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Replay-Nonce", "bm9uY2U")
		switch r.URL.Path {
		case "/directory":
			json.NewEncoder(w).Encode(map[string]any{"newNonce": srv.URL + "/nonce", "newAccount": srv.URL + "/account", "newOrder": srv.URL + "/order"})
		case "/authz":
			json.NewEncoder(w).Encode(authorization)
		}
	}))
	t.Cleanup(srv.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cl, err := New(Options{})(renew.Issuer{Name: "hostile", Directory: srv.URL + "/directory", Roots: []string{roots}}, newKey(t), srv.URL+"/account/1")
	if err != nil {
		t.Fatal(err)
	}
	return cl, srv.URL
}

// A CA's identifier becomes a record's name and a program's argument: one that
// was not ordered is refused before anything is presented.
func TestNothingIsProvedThatWasNotOrdered(t *testing.T) {
	for _, name := range []string{"other.example.com", "$(touch x).example.com", "", "example.com"} {
		ran := filepath.Join(t.TempDir(), "ran")
		program := script(t, t.TempDir(), "echo \"$@\" >>"+ran)
		cl, base := hostileCA(t, map[string]any{
			"status": "pending", "identifier": map[string]string{"type": "dns", "value": name},
			"challenges": []map[string]string{{"type": "dns-01", "url": "", "status": "pending", "token": "dG9rZW4"}},
		})
		ch := renew.Challenge{Type: renew.DNS01, Provider: "exec", Settings: map[string]string{"program": program}}
		err := cl.Authorize(context.Background(), renew.Order{Domains: []string{"media.example.com"}, Authorizations: []string{base + "/authz"}}, ch, nil)
		if err == nil || !strings.Contains(err.Error(), "not ordered") {
			t.Errorf("%q: %v", name, err)
		}
		if b, err := os.ReadFile(ran); err == nil {
			t.Errorf("%q: the program ran with %s", name, b)
		}
	}
}
