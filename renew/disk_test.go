package renew

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certmedic/certmedic/store"
)

// version1 is records of version 1 as they were written. They must stay
// readable: never change them, add to them.
var version1 = map[string]string{
	"run":      `{"v":1,"n":7,"body":{"id":"R-7","ask":{"certificate":"media","by":{"id":"web:ana","name":"Ana","platform":"web"}},"state":"running","step":"deploy","asked":"2026-11-22T02:00:00Z","approved":"2026-11-22T02:00:00Z","approver":{"id":"","name":"","platform":""},"ended":"0001-01-01T00:00:00Z","order":"https://ca/order/1","issued":{"sha256":"ab"},"hosts":[{"host":"cdn-1","wave":0,"state":"deploying"}]},"seq":15,"phase":"deploy","spki":"AAEC","hosts":[{"served":{"127.0.0.1:1":"cd"},"restore":"cd","step":"deploy","reload":true}],"held":true,"issuer":"test"}`,
	"step":     `{"v":1,"step":{"renewal":"R-7","certificate":"media","seq":3,"at":"2026-11-22T02:00:00Z","kind":"order","outcome":"ok","text":"The order is placed.","by":{"id":"","name":"","platform":""},"took":5}}`,
	"issued":   `{"v":1,"entries":[{"n":7,"leaf":{"serial":"0a","sha256":"ab","not_after":"2027-02-20T10:00:00Z"}}]}`,
	"standing": `{"v":1,"verdict":"good","checked":"2026-11-22T02:00:00Z","windowOf":"ab","window":{"start":"2027-01-01T00:00:00Z","end":"2027-01-02T00:00:00Z"}}`,
	"account":  `{"v":1,"key":"AQID","url":"https://ca/account/1"}`,
}

func TestVersion1StaysReadable(t *testing.T) {
	t.Parallel()
	var run diskRenewal
	var step diskStepRecord
	var issued diskIssued
	var st diskStanding
	var account diskAccount
	for name, rec := range map[string]versioned{"run": &run, "step": &step, "issued": &issued, "standing": &st, "account": &account} {
		if err := unpack(name, []byte(version1[name]), rec); err != nil {
			t.Error(err)
		}
		var have, want map[string]any
		if err := json.Unmarshal(pack(rec), &have); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(version1[name]), &want); err != nil {
			t.Fatal(err)
		}
		for key := range want {
			if _, ok := have[key]; !ok {
				t.Errorf("%s: %q is no longer written", name, key)
			}
		}
	}
	if run.N != 7 || run.Phase != StepDeploy || run.Body.Ask.By.Name != "Ana" || run.Hosts[0].Restore != "cd" || !run.Hosts[0].Reload || run.Issuer != "test" ||
		run.Body.Hosts[0].State != HostDeploying || len(run.SPKI) != 3 {
		t.Errorf("%+v", run)
	}
	if step.Step.Seq != 3 || step.Step.Took != 5 || issued.Entries[0].Leaf.NotAfter.Year() != 2027 || st.Window.End.IsZero() || st.WindowOf != "ab" || account.URL == "" || len(account.Key) != 3 {
		t.Error("a field was not read")
	}
}

func TestNewerAndBrokenRecordsAreRefused(t *testing.T) {
	t.Parallel()
	for value, says := range map[string]string{
		`{"v":2,"entries":"other shape"}`: "newer certmedic",
		`{"v":2,"entries":[]}`:            "newer certmedic",
		`{"entries":[]}`:                  "no version",
		`nonsense`:                        "cannot be read",
	} {
		var is diskIssued
		if err := unpack("renew/issued/media", []byte(value), &is); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "renew/issued/media") {
			t.Errorf("%s: %v, want %q", value, err, says)
		}
	}
}

// TestFullDiskPausesAndGoesOn: writes fail in the middle; nothing is lost, no
// second order, and the renewal goes on by itself.
func TestFullDiskPausesAndGoesOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, 2, time.Hour)
	var k *killer
	b.wrap = func(s store.Store) store.Store {
		k = &killer{Store: s, left: 6, killed: make(chan struct{})}
		return k
	}
	b.tune = func(o *Options) { o.CheckEvery = 200 * time.Millisecond }
	e := b.start(t)
	rn, err := e.Start(soon(t), Ask{Certificate: "media", By: ana, Force: true})
	if errors.Is(err, errKilled) {
		t.Skip("the checks at the start took all writes")
	}
	if err != nil {
		t.Fatal(err)
	}
	<-k.killed
	k.mu.Lock()
	k.dead, k.left, k.killed = false, 1<<30, nil
	k.mu.Unlock()
	if rn = e.wait(t, rn.ID); rn.State != Done {
		t.Errorf("%s: %s", rn.State, rn.Problem)
	}
	if n, _ := b.ca.count(); n != 1 {
		t.Errorf("%d orders\n%s", n, e.told(t, rn.ID))
	}
}

func TestKeepKeyAndKinds(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, time.Hour)
	b.inv.Certificates[0].Key = "ecdsa-p384"
	e := b.start(t)
	one := e.renew(t, Ask{Force: true, KeepKey: true}) // there is none to keep
	two := e.renew(t, Ask{Force: true, KeepKey: true})
	three := e.renew(t, Ask{Force: true, KeepKey: true})
	four := e.renew(t, Ask{Force: true})
	for _, rn := range []Renewal{one, two, three, four} {
		if rn.State != Done {
			t.Fatal(rn.Problem)
		}
	}
	if one.Issued.SPKI != two.Issued.SPKI || two.Issued.SPKI != three.Issued.SPKI || three.Issued.SPKI == four.Issued.SPKI {
		t.Error("the key was not kept where asked, or kept where not")
	}
	for _, kind := range []string{"ecdsa-p256", "rsa-2048", ""} {
		if _, err := newKey(kind); err != nil {
			t.Error(err)
		}
	}
	if _, err := newKey("dsa"); err == nil {
		t.Error("dsa was made")
	}
}
