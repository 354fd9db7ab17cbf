package slack

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// boltScript has Slack's own Bolt judge requests, one a line.
const boltScript = `
const { verifySlackRequest } = require(process.env.CERTMEDIC_BOLT + '/node_modules/@slack/bolt/dist/receivers/verify-request.js');
let out = '';
for (const line of require('fs').readFileSync(0, 'utf8').split('\n')) {
  if (!line) continue;
  const r = JSON.parse(line);
  try {
    verifySlackRequest({ signingSecret: r.secret, body: Buffer.from(r.body, 'base64').toString('utf8'), nowMilliseconds: r.now * 1000,
      headers: { 'x-slack-request-timestamp': Number(r.stamp), 'x-slack-signature': r.signature } });
    out += 'true\n';
  } catch (e) { out += 'false\n'; }
}
process.stdout.write(out);
`

// judgedRequest is one request that both judge.
type judgedRequest struct {
	Secret    string `json:"secret"`
	Stamp     string `json:"stamp"`
	Signature string `json:"signature"`
	Body      []byte `json:"body"`
	Now       int64  `json:"now"`
	kind      string
}

// TestInteropBolt: Slack's own Bolt for JavaScript and our check of signatures
// agree on a thousand random bodies, signed, tampered with and stale. The one
// wanted difference is checked too: a time far ahead of ours we refuse.
func TestInteropBolt(t *testing.T) {
	if os.Getenv("CERTMEDIC_BOLT") == "" {
		t.Skip("NO INTEROP: CERTMEDIC_BOLT is not set; make interop sets it")
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	now := time.Now()
	kinds := []string{"signed", "signed", "body", "signature", "secret", "stamp", "version", "short", "stale", "edge"}
	var all []judgedRequest
	var in bytes.Buffer
	for n := range 1000 {
		q := randomRequest(r, kinds[n%len(kinds)], now)
		all = append(all, q)
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	verdicts := bolt(t, &in)
	counts := map[string]int{}
	for n, q := range all {
		_, err := verify(q.Secret, signedAs(q.Stamp, q.Signature), q.Body, time.Unix(q.Now, 0))
		if ours, theirs := err == nil, verdicts[n] == "true"; ours != theirs {
			t.Errorf("seed %d, %s: ours %v (%v), Bolt's %v: %+v", seed, q.kind, ours, err, theirs, q)
		} else if want := q.kind == "signed" || q.kind == "edge"; ours != want {
			t.Errorf("seed %d: a request that is %s is judged %v by both", seed, q.kind, ours)
		}
		counts[q.kind]++
	}
	ahead := randomRequest(r, "signed", now.Add(time.Hour))
	ahead.Now = now.Unix()
	if _, err := verify(ahead.Secret, signedAs(ahead.Stamp, ahead.Signature), ahead.Body, now); err == nil {
		t.Error("a time an hour ahead is taken")
	}
	t.Logf("Bolt and certmedic agree on %d requests: %v", len(all), counts)
}

func bolt(t *testing.T, in *bytes.Buffer) []string {
	t.Helper()
	c := exec.Command("node", "-e", boltScript)
	c.Stdin = in
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, errs.String())
	}
	verdicts := strings.Fields(string(out))
	if len(verdicts) != 1000 {
		t.Fatalf("Bolt judged %d requests", len(verdicts))
	}
	return verdicts
}

// randomRequest makes a request of a kind: "signed" and "edge" are good.
func randomRequest(r *rand.Rand, kind string, now time.Time) judgedRequest {
	q := judgedRequest{Secret: bottest.SlackSecret, Now: now.Unix(), kind: kind}
	switch r.IntN(3) {
	case 0:
		q.Body = []byte(url.Values{"command": {"/renew"}, "text": {randomText(r)}, "trigger_id": {fmt.Sprint(r.Uint64())}}.Encode())
	case 1:
		q.Body, _ = json.Marshal(map[string]any{"type": "event_callback", "event": map[string]any{"text": randomText(r)}})
	default:
		q.Body = []byte(randomText(r))
	}
	at := now.Unix() - int64(r.IntN(200))
	switch kind {
	case "stale":
		at = now.Unix() - 301 - int64(r.IntN(100_000))
	case "edge":
		at = now.Unix() - 300
	}
	q.Stamp = strconv.FormatInt(at, 10)
	secret := q.Secret
	if kind == "secret" {
		secret += "x"
	}
	mac := sign(secret, q.Stamp, q.Body)
	if kind == "signature" {
		mac[r.IntN(len(mac))] ^= 1 << r.IntN(8)
	}
	q.Signature = "v0=" + hex.EncodeToString(mac)
	switch kind {
	case "body":
		q.Body = append(q.Body, '!')
	case "stamp":
		q.Stamp = strconv.FormatInt(at-1, 10)
	case "version":
		q.Signature = "v1" + q.Signature[2:]
	case "short":
		q.Signature = q.Signature[:3+2*r.IntN(31)]
	}
	return q
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(200) {
		switch r.IntN(4) {
		case 0:
			b.WriteRune(rune(r.IntN(0xd7ff)))
		default:
			b.WriteByte(byte(' ' + r.IntN(95)))
		}
	}
	return b.String() + base64.StdEncoding.EncodeToString([]byte{byte(r.IntN(256))})
}
