package renew

import "testing"

func TestServing(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 hosts serve", 1: "1 host serves", 4: "4 hosts serve"} {
		if got := serving(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
