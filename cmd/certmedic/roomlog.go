package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/store"
)

// roomLog keeps the rooms' messages in the record, under room/<room>/<seq>.
type roomLog struct{ s store.Store }

// roomLine is a message on disk. V is 1; a reader refuses a higher one. New
// fields may join Message; none changes its meaning.
type roomLine struct {
	V       int         `json:"v"`
	Message bot.Message `json:"m"`
}

func readRoomLine(key string, value []byte) (bot.Message, error) {
	var line roomLine
	if err := json.Unmarshal(value, &line); err != nil {
		return line.Message, fmt.Errorf("message at %s: %w", key, err)
	}
	if line.V > 1 {
		return line.Message, fmt.Errorf("message at %s was written by a newer certmedic", key)
	}
	return line.Message, nil
}

func roomPrefix(room string) string { return "room/" + room + "/" }

// Save writes a message under its place in the room, over its earlier revision.
func (l roomLog) Save(ctx context.Context, m bot.Message) error {
	b, err := json.Marshal(roomLine{V: 1, Message: m})
	if err != nil {
		return fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	return l.s.Update(ctx, func(tx store.Tx) error {
		return tx.Put(fmt.Sprintf("%s%010d", roomPrefix(m.Room), m.Seq), b)
	})
}

// Load returns the last limit messages of a room, oldest first.
func (l roomLog) Load(ctx context.Context, room string, limit int) ([]bot.Message, error) {
	var newest []bot.Message
	err := l.s.View(ctx, func(tx store.Tx) error {
		newest = newest[:0]
		return tx.Scan(store.Range{Prefix: roomPrefix(room), Reverse: true, Limit: limit}, func(key string, value []byte) error {
			m, err := readRoomLine(key, value)
			newest = append(newest, m)
			return err
		})
	})
	for i, j := 0, len(newest)-1; i < j; i, j = i+1, j-1 {
		newest[i], newest[j] = newest[j], newest[i]
	}
	return newest, err
}
