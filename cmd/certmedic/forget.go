package main

// This file takes a person's name out of the whole record: timelines
// (incident.Book.Forget), the rooms' messages, the renewals, alerts of other
// systems, what the adapters of chat platforms note. The server must
// not be running: it holds parts of the record in memory.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

func forgetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "forget NAME",
		Short: "take a person's name out of the record",
		Long: `forget replaces a person's name wherever it stands: who did something, what was
said, the rooms, the renewals, alerts, notes about chat platforms. The timelines' chain of hashes still fits, and
certmedic verify still shows every other change. The server must be stopped.
What has left the record is not touched: it lists the published postmortems,
exported action items and sent updates of those incidents, for you to look at.
Backups, exported files and what chat platforms keep it does not know.`,
		Example: `  certmedic forget ana --as somebody
  certmedic forget "Ana Smith" --id slack:U0ANA0001`,
		Args: cobra.ExactArgs(1),
	}
	file := configFlag(c)
	as := c.Flags().String("as", "somebody", "the `word` that stands there then")
	ids := c.Flags().StringArray("id", nil, "an `id` of the person on a platform, as slack:U0ANA0001; may be given again")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := loadConfig(*file)
		if err != nil {
			return err
		}
		return forget(c.Context(), cfg, whomToForget(cfg, args[0], *as, *ids), c.OutOrStdout())
	}
	return c
}

// whomToForget is the person: by name, by the ids of platforms whose ids are
// names, and by every identity that the configuration links.
func whomToForget(cfg config, name, as string, ids []string) incident.Forgetting {
	f := incident.Forgetting{Names: []string{strings.TrimPrefix(name, "@")}, IDs: ids, As: as}
	for _, l := range cfg.People {
		if strings.EqualFold(l.Name, f.Names[0]) {
			f.IDs = append(append(f.IDs, l.IDs...), "person:"+strings.ToLower(l.Name))
			for _, id := range l.IDs {
				platform, rest, _ := strings.Cut(id, ":")
				if platform != "slack" && platform != "discord" && !slices.Contains(f.Names, rest) {
					f.Names = append(f.Names, rest)
				}
			}
			return f
		}
	}
	for _, platform := range []string{"web", "console", "cli", "slack", "discord"} {
		f.IDs = append(f.IDs, platform+":"+f.Names[0])
	}
	return f
}

func forget(ctx context.Context, cfg config, f incident.Forgetting, out io.Writer) error {
	if !bot.ValidName(f.Names[0]) || !bot.ValidName(f.As) {
		return usageError{fmt.Errorf("%q or %q is not a name: give 1 to 40 letters", f.Names[0], f.As)}
	}
	if strings.EqualFold(f.Names[0], f.As) {
		return usageError{fmt.Errorf("%q would stand in its own place: give another word with --as", f.As)}
	}
	if _, err := os.Stat(cfg.Data); err != nil {
		return fmt.Errorf("there is no record yet: %w", err)
	}
	s, err := store.Open(ctx, cfg.Data, store.Options{Program: "certmedic forget"})
	var used *store.InUseError
	if errors.As(err, &used) {
		return fmt.Errorf("%w: stop it first, then forget again", err)
	}
	if err != nil {
		return err
	}
	book := incident.NewBook(s, time.Now)
	done, err := book.Forget(ctx, f)
	var rooms, renewals int
	if err == nil {
		rooms, err = forgetUnder(ctx, s, "room/", f, roomWords)
	}
	if err == nil {
		renewals, err = forgetUnder(ctx, s, "renew/", f, renewalWords)
	}
	notes := 0
	for _, under := range []struct {
		prefix string
		f      incident.Forgetting
		words  func(string) bool
	}{{"heard/", f, alertWords}, {"incident/alert/", f, alertWords}, {"chat/", onPlatforms(f), chatWords}} {
		if err == nil {
			var n int
			n, err = forgetUnder(ctx, s, under.prefix, under.f, under.words)
			notes += n
		}
	}
	var left []incident.Left
	if err == nil {
		left, err = book.Left(ctx, f, done)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("%w: nothing is half written; forget again to go on", err)
	}
	if err := store.Compact(ctx, cfg.Data, store.Options{Program: "certmedic forget"}); err != nil {
		return fmt.Errorf("the name is out of the record, but its old bytes may be in the file still: %w", err)
	}
	if done.Incidents+rooms+renewals+notes == 0 {
		fmt.Fprintf(out, "The name %s stands nowhere in the record, so nothing was changed; names are looked for as whole words.\n", f.Names[0])
	} else {
		fmt.Fprintf(out, "%s is %s now: %d incidents (%d lines of their timelines), %d messages, %d records of renewals, %d notes of alerts and chat platforms.\n", f.Names[0], f.As, done.Incidents, done.Lines, rooms, renewals, notes)
	}
	if len(done.Also) > 0 {
		fmt.Fprintf(out, "The same person also went by %s, which may stand in texts: forget that too.\n", strings.Join(done.Also, ", "))
	}
	return tellLeft(out, cfg, left)
}

// roomWords: every text of a message, but what is no text.
func roomWords(key string) bool {
	return !slices.Contains([]string{"id", "room", "state", "style", "type", "data", "key", "request", "path", "platform", "for"}, key)
}

// renewalWords: only what people said or are told.
func renewalWords(key string) bool {
	return slices.Contains([]string{"text", "problem", "reason", "next", "cause"}, key)
}

// alertWords: what other systems say of alerts, and who did something there.
func alertWords(key string) bool {
	return slices.Contains([]string{"title", "text", "by", "over_by", "taken_by", "names"}, key)
}

// chatWords: everything in a note that is not there to find something again.
func chatWords(key string) bool {
	return roomWords(key) && !slices.Contains([]string{"ts", "channel", "channel_id", "lane", "kind", "op", "trigger_id", "hash", "link", "url", "permalink", "block", "action_id", "block_id", "callback_id"}, key)
}

// onPlatforms adds the ids as the platforms write them, without their name
// before it: those that are no word, U0ANA0001 or 80351110224678912.
func onPlatforms(f incident.Forgetting) incident.Forgetting {
	f.Names, f.IDs = slices.Clone(f.Names), slices.Clone(f.IDs)
	for _, id := range f.IDs {
		platform, rest, _ := strings.Cut(id, ":")
		if (platform == "slack" || platform == "discord") && strings.ContainsAny(rest, "0123456789") && len(rest) >= 6 {
			f.Names, f.IDs = append(f.Names, rest), append(f.IDs, rest)
		}
	}
	return f
}

// forgetUnder rewrites the JSON values under a prefix: people, their ids, and
// the texts at the keys that words names. What is not JSON has no name in it.
func forgetUnder(ctx context.Context, s store.Store, prefix string, f incident.Forgetting, words func(key string) bool) (n int, err error) {
	var keys []string
	err = s.View(ctx, func(tx store.Tx) error {
		keys = nil
		return tx.Scan(store.Range{Prefix: prefix}, func(key string, v []byte) error {
			if now, changed := forgetJSON(v, f, words); changed && now != nil {
				keys = append(keys, key)
			}
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("look through %s: %w", prefix, err)
	}
	for batch := range slices.Chunk(keys, 50) {
		err := s.Update(ctx, func(tx store.Tx) error {
			for _, key := range batch {
				v, err := tx.Get(key)
				if err != nil {
					return err
				}
				if now, changed := forgetJSON(v, f, words); changed {
					if err := tx.Put(key, now); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("rewrite %s: %w", prefix, err)
		}
		n += len(batch)
	}
	return n, nil
}

// forgetJSON rewrites one value; changed is false when it is as it was.
func forgetJSON(v []byte, f incident.Forgetting, words func(string) bool) (now []byte, changed bool) {
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	var any any
	if len(v) == 0 || v[0] != '{' || d.Decode(&any) != nil || d.More() {
		return nil, false
	}
	any, changed = forgetValue("", any, f, words)
	if !changed {
		return v, false
	}
	now, err := json.Marshal(any)
	return now, err == nil
}

func forgetValue(key string, v any, f incident.Forgetting, words func(string) bool) (any, bool) {
	changed := false
	switch v := v.(type) {
	case map[string]any:
		id, isID := v["id"].(string)
		name, isName := v["name"].(string)
		if _, user := v["username"]; isID && !isName && user { // as Slack and Discord write somebody
			name, isName = id, true
		}
		if isID && isName && id != f.ID() && f.Is(id, name) {
			v["id"], v["name"], changed = f.ID(), f.As, true
		}
		for k := range v {
			now, c := forgetValue(k, v[k], f, words)
			v[k], changed = now, changed || c
		}
		return v, changed
	case []any:
		for n := range v {
			now, c := forgetValue(key, v[n], f, words)
			v[n], changed = now, changed || c
		}
		return v, changed
	case string:
		if key == "for" && f.Is(v, "") {
			return f.ID(), true
		}
		if words(key) {
			if now := f.Words(v); now != v {
				return now, true
			}
		}
	}
	return v, false
}
