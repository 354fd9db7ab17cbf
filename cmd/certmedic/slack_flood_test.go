package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certmedic/certmedic/bot/bottest"
)

// many runs fn n times, 16 at once.
func many(n int, fn func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// TestSlackFlood: slash commands come by the hundred and reactions with them;
// certmedic is killed with most of the work before it. What was acknowledged
// is done, once.
func TestSlackFlood(t *testing.T) {
	const lines, people = 150, 30
	a := startFront(t, "")
	for i := range people {
		a.f.User(fmt.Sprintf("x%d", i), nil)
	}
	a.types("ana", slackMain, "/incident declare sev1 a flood --anyway")
	var room bottest.SlackChannel
	a.until("the channel", func() bool { room, _ = a.f.Channel("inc-1"); return len(room.Pins) > 0 })
	ts := a.f.Write("ben", room.ID, "", "everybody likes this")
	many(lines, func(i int) {
		who := fmt.Sprintf("x%d", i%people)
		if status, answer := a.send("slash_commands", a.slash(who, room.ID, fmt.Sprintf("/incident note flood-%d-", i)), time.Now(), nil); status != 200 {
			t.Errorf("%d %s", status, answer)
		}
		p := map[string]any{"type": "event_callback", "event_id": fmt.Sprintf("EvFLOOD%d", i), "team_id": "T0TEAM", "event": map[string]any{"type": "reaction_added", "user": bottest.SlackUser(who), "reaction": "pushpin", "event_ts": "1.1", "item": map[string]any{"type": "message", "channel": room.ID, "ts": ts}}}
		if status, answer := a.send("events_api", p, time.Now(), nil); status != 200 {
			t.Errorf("%d %s", status, answer)
		}
	})
	a.kill()
	a.start()
	a.until("all of it is done", func() bool {
		reply, err := a.k.say(t.Context(), a.address, "/incident export INC-1 json", false)
		if err != nil || len(reply.Files) == 0 {
			return false
		}
		text := string(reply.Files[0].Data)
		for i := range lines {
			switch n := strings.Count(text, fmt.Sprintf("flood-%d-", i)); {
			case n == 0:
				return false
			case n > 1:
				t.Fatalf("note %d is there %d times", i, n)
			}
		}
		return strings.Count(text, "everybody likes this") == 1
	})
}
