package discord

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// judged is a request that both judge.
type judged struct {
	Key       string `json:"key"`
	Signature string `json:"signature"`
	Timestamp string `json:"timestamp"`
	Body      string `json:"body"`
	kind      string
}

// TestInteropVerify: discord-interactions, Discord's own for JavaScript, and
// our check of signatures agree on a thousand random requests, signed and
// tampered with. The one wanted difference is checked too: it takes an old
// signature for ever, we do not.
func TestInteropVerify(t *testing.T) {
	dir := os.Getenv("CERTMEDIC_TWIN")
	if dir == "" {
		t.Skip("NO INTEROP: CERTMEDIC_TWIN is not set; make interop sets it")
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	now := time.Now()
	kinds := []string{"signed", "signed", "body", "signature", "key", "stamp", "short", "stale"}
	var all []judged
	var in bytes.Buffer
	for n := range 1000 {
		key := ed25519.NewKeyFromSeed(random(ed25519.SeedSize))
		q := judged{kind: kinds[n%len(kinds)], Body: `{"type":2,"text":` + strconv.Quote(strings.ToValidUTF8(string(random(r.IntN(200))), "é")) + `}`}
		at := now.Unix() - int64(r.IntN(250))
		if q.kind == "stale" {
			at = now.Unix() - 301 - int64(r.IntN(100_000))
		}
		q.Timestamp = strconv.FormatInt(at, 10)
		sig := ed25519.Sign(key, []byte(q.Timestamp+q.Body))
		switch q.kind {
		case "body":
			q.Body += " "
		case "signature":
			sig[r.IntN(len(sig))] ^= 1 << r.IntN(8)
		case "key":
			key = ed25519.NewKeyFromSeed(random(ed25519.SeedSize))
		case "stamp":
			q.Timestamp = strconv.FormatInt(at-1, 10)
		case "short":
			sig = sig[:r.IntN(len(sig))]
		}
		q.Key, q.Signature = hex.EncodeToString(key.Public().(ed25519.PublicKey)), hex.EncodeToString(sig)
		all = append(all, q)
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("node", filepath.Join(dir, "client.mjs"), "verify")
	c.Stdin = &in
	out, err := c.Output()
	verdicts := strings.Fields(string(out))
	if err != nil || len(verdicts) != len(all) {
		t.Fatalf("discord-interactions judged %d of %d requests: %v", len(verdicts), len(all), err)
	}
	for n, q := range all {
		key, err := readKey(q.Key)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("X-Signature-Ed25519", q.Signature)
		h.Set("X-Signature-Timestamp", q.Timestamp)
		ours, theirs := verify(key, h, []byte(q.Body), now) == nil, verdicts[n] == `{"event":"true"}`
		switch {
		case q.kind == "stale":
			if ours || !theirs {
				t.Errorf("seed %d: a stale request is taken by us %v, by theirs %v", seed, ours, theirs)
			}
		case ours != theirs, ours != (q.kind == "signed"):
			t.Errorf("seed %d, %s: ours %v, theirs %v: %+v", seed, q.kind, ours, theirs, q)
		}
	}
}
