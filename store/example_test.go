package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/certmedic/certmedic/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(dir, "certmedic.db"), store.Options{Program: "example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = s.Update(ctx, func(tx store.Tx) error {
		if err := tx.Put("incident/1", []byte("certificate expired")); err != nil {
			return err
		}
		return tx.Put("incident/2", []byte("wrong chain"))
	})
	fmt.Println("written and durable:", err == nil)

	err = s.View(ctx, func(tx store.Tx) error {
		newest := store.Range{Prefix: "incident/", Reverse: true}
		return tx.Scan(newest, func(key string, value []byte) error {
			fmt.Println(key, string(value))
			return nil
		})
	})
	fmt.Println(err, s.Close())
	// Output:
	// written and durable: true
	// incident/2 wrong chain
	// incident/1 certificate expired
	// <nil> <nil>
}
