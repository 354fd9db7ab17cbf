package renew

import (
	"errors"
	"testing"
	"time"
)

func TestRenewalRollsOutToEveryHost(t *testing.T) {
	t.Parallel()
	b := newBench(t, 4, time.Hour)
	e := b.start(t)
	rn := e.renew(t, Ask{Force: true})
	if rn.State != Done {
		t.Fatalf("state %s: %s\n%s", rn.State, rn.Problem, e.told(t, rn.ID))
	}
	t.Log("\n" + e.told(t, rn.ID))
	for _, h := range b.hosts {
		if got := h.served(t); got != rn.Issued.SHA256 {
			t.Errorf("%s serves %s, not the issued %s", h.name, got, rn.Issued.SHA256)
		}
		if got := h.onDisk(t); got != rn.Issued.SHA256 {
			t.Errorf("%s holds %s", h.name, got)
		}
	}
	for _, h := range rn.Hosts {
		if h.State != HostVerified || h.Before.SHA256 != b.old.SHA256 || h.After.SHA256 != rn.Issued.SHA256 {
			t.Errorf("host state %+v", h)
		}
	}
	if n, _ := b.ca.count(); n != 1 {
		t.Errorf("%d orders", n)
	}
	if _, err := e.Start(soon(t), Ask{Certificate: "media.example.com", By: ana}); !errors.Is(err, ErrNotDue) {
		t.Errorf("a second renewal: %v, want ErrNotDue", err)
	}
}
