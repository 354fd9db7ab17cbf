package main

import (
	"bytes"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew/renewtest"
)

// checkLine is the shape that `certmedic check --json` promises, and no more.
type checkLine struct {
	Endpoint  string         `json:"endpoint"`
	Name      string         `json:"name"`
	Verdict   string         `json:"verdict"`
	Addresses []checkAddress `json:"addresses"`
	Findings  []checkFinding `json:"findings"`
}

type checkAddress struct {
	Address  string         `json:"address"`
	Findings []checkFinding `json:"findings"`
	Leaf     struct {
		Subject   string   `json:"subject"`
		SANs      []string `json:"sans"`
		Issuer    string   `json:"issuer"`
		Serial    string   `json:"serial"`
		NotBefore string   `json:"not_before"`
		NotAfter  string   `json:"not_after"`
		SHA256    string   `json:"sha256"`
		SPKI      string   `json:"spki_sha256"`
	} `json:"leaf"`
	TLS struct {
		Version string `json:"version"`
		Cipher  string `json:"cipher"`
	} `json:"tls"`
}

type checkFinding struct {
	ID       string            `json:"id"`
	Severity string            `json:"severity"`
	Cause    string            `json:"cause"`
	Proof    map[string]string `json:"proof"`
	Next     string            `json:"next"`
}

// runCheck runs the command and decodes its lines strictly.
func runCheck(t *testing.T, args ...string) (int, []checkLine, string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), append([]string{"check", "--json"}, args...), strings.NewReader(""), &out, &errOut)
	var lines []checkLine
	for l := range strings.Lines(out.String()) {
		d := json.NewDecoder(strings.NewReader(l))
		d.DisallowUnknownFields()
		var c checkLine
		if err := d.Decode(&c); err != nil {
			t.Fatalf("%v in %s", err, l)
		}
		lines = append(lines, c)
	}
	return code, lines, errOut.String()
}

func TestCheckCommand(t *testing.T) {
	ca := renewtest.StartCA(t, renewtest.CAOptions{})
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots.pem")
	writeFile(t, roots, ca.IssuingRootPEM(0))
	mintInto(t, ca, filepath.Join(dir, "good"), "media.example.test", 80*24*time.Hour)
	mintInto(t, ca, filepath.Join(dir, "old"), "media.example.test", -time.Minute)
	good, old := fileHost(t, filepath.Join(dir, "good")), fileHost(t, filepath.Join(dir, "old"))

	code, lines, errOut := runCheck(t, "--roots", roots, "--sni", "media.example.test", good)
	if code != exitDone || len(lines) != 1 || lines[0].Verdict != "good" {
		t.Fatalf("a good host: exit %d %+v %s", code, lines, errOut)
	}
	a := lines[0].Addresses[0]
	if len(a.Findings) != 0 || a.Leaf.SHA256 == "" || len(a.Leaf.SANs) != 1 || a.TLS.Version == "" || lines[0].Endpoint != good {
		t.Errorf("a good host is told as %+v", lines[0])
	}

	code, lines, _ = runCheck(t, "--roots", roots, "--sni", "other.example.test", old)
	ids := map[string]string{}
	for _, f := range lines[0].Addresses[0].Findings {
		ids[f.ID] = f.Severity
		if f.Cause == "" || f.Next == "" || len(f.Proof) == 0 {
			t.Errorf("%s lacks cause, proof or next step: %+v", f.ID, f)
		}
	}
	if code != exitFailed || ids["expired"] != "critical" || ids["name_mismatch"] != "critical" {
		t.Errorf("expired and misnamed: exit %d, findings %v", code, ids)
	}

	if code, lines, _ = runCheck(t, "--sni", "media.example.test", good); code != exitFailed || lines[0].Verdict != "critical" {
		t.Errorf("an unknown root: exit %d %+v", code, lines)
	}

	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	list := filepath.Join(dir, "list.txt")
	writeFile(t, list, []byte(good+" # a comment\n\n"+dead.Addr().String()+"\n"+old+"\n"))
	code, lines, _ = runCheck(t, "--roots", roots, "--sni", "media.example.test", "--list", list, "--concurrency", "2")
	if code != exitFailed || len(lines) != 3 || lines[0].Endpoint != good || lines[1].Addresses[0].Findings[0].ID != "refused" {
		t.Errorf("a list: exit %d %+v", code, lines)
	}

	var out bytes.Buffer
	run(t.Context(), []string{"check", "--roots", roots, "--sni", "media.example.test", old}, strings.NewReader(""), &out, &out)
	if !strings.HasPrefix(out.String(), "✕ critical  "+old) || !strings.Contains(out.String(), "next: ") {
		t.Errorf("for people it prints\n%s", out.String())
	}
}
