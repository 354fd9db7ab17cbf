package bottest

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file has clients that others wrote meet the fake Discord: discord.js
// leads a conversation on it, with its connection broken in each way, and
// discord-interactions checks its signatures. .ci/interop-discord runs it.

// node starts a script of .ci/interop-twin beside its packages; lines are what
// it prints.
func node(t *testing.T, env []string, args ...string) (io.WriteCloser, chan object) {
	t.Helper()
	dir := os.Getenv("CERTMEDIC_TWIN")
	if dir == "" {
		t.Skip("NO INTEROP: CERTMEDIC_TWIN is not set; make interop sets it")
	}
	c := exec.Command("node", append([]string{filepath.Join(dir, "client.mjs")}, args...)...)
	c.Env = append(os.Environ(), env...)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan object, 1000)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			var o object
			if json.Unmarshal(s.Bytes(), &o) == nil {
				lines <- o
			}
		}
	}()
	t.Cleanup(func() { in.Close(); _ = c.Process.Kill(); <-read; _ = c.Wait() })
	return in, lines
}

// happens waits for an event of the script.
func happens(t *testing.T, lines chan object, event string) object {
	t.Helper()
	for timeout := time.After(60 * time.Second); ; {
		select {
		case o := <-lines:
			if o["event"] == "failed" || o["event"] == "error" {
				t.Fatalf("discord.js: %v", o["error"])
			}
			if o["event"] == event {
				return o
			}
			t.Logf("%v", o)
		case <-timeout:
			t.Fatalf("discord.js: no %s", event)
		}
	}
}

// TestInteropDiscordJS: discord.js on the fake.
func TestInteropDiscordJS(t *testing.T) {
	st := discord(t)
	st.Heartbeat = 500 * time.Millisecond
	_, lines := node(t, []string{"CERTMEDIC_API=" + st.URL()})
	ready := happens(t, lines, "ready")
	if ready["pinned"] != true || ready["code"] != 10008.0 || ready["permissions"] != true {
		t.Errorf("%v", ready)
	}
	ch, _ := st.Channel("inc-1")
	if len(ch.Messages) != 1 || string(ch.Messages[0].Files[0].Data) != "# draft" || ch.Messages[0].Content != "card, edited" || len(ch.Pins) != 1 || ch.Topic != "SEV1" {
		t.Errorf("%+v", ch)
	}
	if th, ok := st.Channel("talk"); !ok || !th.Archived || th.Messages[0].Content != "in the thread" {
		t.Errorf("%+v", th)
	}
	talk := func(n string) {
		t.Helper()
		ask := st.Line("ana", DiscordMain, "/echo "+n)
		happens(t, lines, "answered")
		if want := "ana used /echo\necho: " + n + "\n[Note] \nonly for you\n"; ask.Text() != want {
			t.Errorf("reads %q, want %q", ask.Text(), want)
		}
		if got := st.Seen("ben", DiscordMain); strings.Contains(got, "only for you") || !strings.Contains(got, "echo: "+n) {
			t.Errorf("ben reads %q", got)
		}
	}
	talk("one")
	click := st.Click("ben", DiscordMain, "Note")
	happens(t, lines, "answered")
	if a := st.Submit("ben", click, map[string]string{"text": "restarted"}); a.Refused != "" {
		t.Fatal(a.Refused)
	}
	happens(t, lines, "answered")
	if got := st.Seen("ana", DiscordMain); !strings.Contains(got, "noted: restarted") {
		t.Errorf("%q", got)
	}
	sub := st.Line("ana", DiscordMain, "/incident open what:the shop hosts:4")
	happens(t, lines, "answered")
	if got := sub.Text(); got != "ana used /incident\nopen: the shop, 4\n" {
		t.Errorf("%q", got)
	}
	complete := st.Complete("ana", DiscordMain, "incident note", "incident", "I", nil)
	happens(t, lines, "answered")
	if names, _ := complete.Choices(); fmt.Sprint(names) != "[I-1 the shop]" {
		t.Errorf("%v", names)
	}
	said := st.Speak("ben", DiscordMain, "the proxy is back")
	menu := st.MessageCommand("ana", DiscordMain, said, "Add to timeline")
	happens(t, lines, "answered")
	if got := menu.Text(); !strings.Contains(got, "timeline: the proxy is back") {
		t.Errorf("%q", got)
	}
	st.React("ana", ch.ID, ch.Messages[0].ID, "📌")
	if r := happens(t, lines, "reaction"); r["emoji"] != "📌" || r["user"] != DiscordUser("ana") {
		t.Errorf("%v", r)
	}
	// Its connection is broken in each way; it comes back and nothing is lost.
	for name, breakIt := range map[string]func(){
		"cut":     st.Drop,
		"op 7":    st.Reconnect,
		"op 9":    func() { st.Invalidate(true) },
		"closed":  func() { st.CloseSockets(4000) },
		"zombie":  func() { st.Zombie(true) },
		"no acks": func() { st.NoAcks(true) },
	} {
		before := st.Gateway().Resumes
		breakIt()
		happens(t, lines, "resumed")
		if n := st.Gateway().Resumes; n == before {
			t.Errorf("%s: %d resumes", name, n)
		}
		talk(name)
	}
	identifies := st.Gateway().Identifies
	st.Invalidate(false)
	happens(t, lines, "shard")
	if n := st.Gateway().Identifies; n == identifies {
		t.Error("it did not identify anew")
	}
	talk("anew")
	st.Fail("update_original_webhook_message", "429")
	talk("limited")
}

// TestInteropSignature: what the fake signs, discord-interactions believes;
// what was changed on the way it does not.
func TestInteropSignature(t *testing.T) {
	in, lines := node(t, nil, "verify")
	st := discord(t)
	body := `{"type":1,"text":"grüße"}`
	r, _ := http.NewRequest("POST", "http://127.0.0.1", strings.NewReader(body))
	st.SignDiscord(r, []byte(body), time.Now())
	sig, stamp := r.Header.Get("X-Signature-Ed25519"), r.Header.Get("X-Signature-Timestamp")
	other, _ := hex.DecodeString(sig)
	other[0] ^= 1
	for _, c := range []struct {
		body, sig, stamp, want string
	}{
		{body, sig, stamp, "true"},
		{body + " ", sig, stamp, "false"},
		{body, hex.EncodeToString(other), stamp, "false"},
		{body, sig, stamp + "1", "false"},
	} {
		b, _ := json.Marshal(object{"key": st.PublicKey(), "signature": c.sig, "timestamp": c.stamp, "body": c.body})
		if _, err := in.Write(append(b, '\n')); err != nil {
			t.Fatal(err)
		}
		happens(t, lines, c.want)
	}
}
