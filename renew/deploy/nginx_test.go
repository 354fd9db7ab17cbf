package deploy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// nginx finds the program or skips.
func nginx(t *testing.T) string {
	for _, p := range []string{"nginx", "/usr/sbin/nginx"} {
		if p, err := exec.LookPath(p); err == nil {
			return p
		}
	}
	t.Skip("SKIPPED: nginx is not installed (Debian: apt-get install nginx-light); real reloads are not tested")
	return ""
}

const conf = `daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	server {
		listen %[2]s ssl;
		server_name media.example.com;
		ssl_certificate %[3]s/fullchain.pem;
		ssl_certificate_key %[3]s/privkey.pem;
		ssl_trusted_certificate %[3]s/chain.pem;
		return 200 ok;
	}
}
`

// served returns the fingerprint that addr serves.
func served(ctx context.Context, addr string) (string, error) {
	d := tls.Dialer{Config: &tls.Config{ServerName: "media.example.com", InsecureSkipVerify: true}} // only looked at
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return fingerprint(c.(*tls.Conn).ConnectionState().PeerCertificates[0]), nil
}

// becomes waits until addr serves m.
func becomes(t *testing.T, addr string, m renew.Material) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		got, err := served(ctx, addr)
		if err == nil && got == m.SHA256 {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s serves %.16s (%v), want %.16s", addr, got, err, m.SHA256)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestNginx(t *testing.T) {
	t.Parallel()
	program := nginx(t)
	layouts(t, func(t *testing.T, layout string) {
		prefix, dir, d := t.TempDir(), t.TempDir(), newDeployer(t)
		addr, files := freeAddress(t), where(dir, layout)
		now := time.Now()
		old := mint(t, "media.example.com", now.Add(-2*time.Hour), now.Add(-time.Hour)) // expired
		tg := target(dir, layout)
		argv := func(more ...string) renew.Command {
			return renew.Command{Argv: append([]string{program, "-p", prefix, "-c", filepath.Join(prefix, "nginx.conf")}, more...)}
		}
		tg.Test, tg.Reload = argv("-t"), argv("-s", "reload")
		if err := os.MkdirAll(files, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(files, "fullchain.pem"), old.Chain, 0o644)
		write(t, filepath.Join(files, "chain.pem"), old.Chain, 0o644)
		write(t, filepath.Join(files, "privkey.pem"), old.Key, 0o600)
		write(t, filepath.Join(prefix, "nginx.conf"), fmt.Appendf(nil, conf, prefix, addr, files), 0o644)
		serve(t, tg.Test.Argv[:len(tg.Test.Argv)-1])
		becomes(t, addr, old)

		run := func(c renew.Command) (string, error) { return d.Run(t.Context(), "media", tg, c) }
		m := good(t)
		place(t, d, tg, m)
		if out, err := run(tg.Test); err != nil {
			t.Fatalf("nginx -t: %v\n%s", err, out)
		}
		if got, err := served(t.Context(), addr); err != nil || got != old.SHA256 {
			t.Errorf("before the reload %.16s is served: %v", got, err)
		}
		if out, err := run(tg.Reload); err != nil {
			t.Fatalf("reload: %v\n%s", err, out)
		}
		becomes(t, addr, m)

		// And back, and a pair broken by hand is seen by nginx -t.
		if err := d.Restore(t.Context(), "media", tg, old.SHA256); err != nil {
			t.Fatal(err)
		}
		if out, err := run(tg.Reload); err != nil {
			t.Fatalf("reload: %v\n%s", err, out)
		}
		becomes(t, addr, old)
		if err := os.Remove(filepath.Join(files, "privkey.pem")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(files, "privkey.pem"), m.Key, 0o600)
		if h := held(t, d, tg); h.KeyFits {
			t.Error("a broken pair is held as fitting")
		}
		out, err := run(tg.Test)
		if err == nil || !strings.Contains(err.Error(), "exit code 1") || !strings.Contains(out, "key values mismatch") {
			t.Errorf("nginx -t of a broken pair: %v\n%s", err, out)
		}
		place(t, d, tg, m)
		if out, err := run(tg.Test); err != nil {
			t.Fatalf("nginx -t of the mended pair: %v\n%s", err, out)
		}
	})
}

// serve runs nginx in the foreground until the test ends.
func serve(t *testing.T, argv []string) {
	t.Helper()
	var log output
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("nginx %s: %v\n%s", strconv.Itoa(cmd.Process.Pid), err, log.text(nil))
		}
	})
}
