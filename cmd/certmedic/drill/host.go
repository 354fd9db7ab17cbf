package drill

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// host is one proxy: a TLS server whose certificate is read from disk at its
// start and at a reload and at no other time, and a control socket through
// which the test and reload commands speak to it.
type host struct {
	name, addr, dir, layout, socket string
	log                             *slog.Logger
	pair                            atomic.Pointer[tls.Certificate]
	web                             *server
	control                         net.Listener
	wg                              sync.WaitGroup
}

// files is where the host's configuration says its certificate is.
func (h *host) files() string {
	if h.layout == renew.Certbot {
		return filepath.Join(h.dir, "live", certificate)
	}
	return h.dir
}

func (h *host) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(h.files(), "fullchain.pem"), filepath.Join(h.files(), "privkey.pem"))
	if err != nil {
		return nil, fmt.Errorf("cannot load the certificate in %s: %w", h.files(), err)
	}
	return &pair, nil
}

// start serves on l, which it owns from here on also when it fails.
func (h *host) start(l net.Listener) error {
	pair, err := h.load()
	if err == nil {
		h.control, err = net.Listen("unix", h.socket)
	}
	if err != nil {
		_ = l.Close() // nothing was accepted
		return err
	}
	h.pair.Store(pair)
	h.web = serve(tls.NewListener(l, &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return h.pair.Load(), nil },
		MinVersion:     tls.VersionTLS12,
	}), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "picture from %s\n", h.name)
	}), h.log)
	h.wg.Go(h.listen)
	return nil
}

// listen answers the control socket, one command a connection.
func (h *host) listen() {
	for {
		c, err := h.control.Accept()
		if err != nil {
			return
		}
		h.wg.Go(func() {
			defer c.Close() //nolint:errcheck // the answer was written or the peer is gone
			if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
				return
			}
			line, err := bufio.NewReader(io.LimitReader(c, 64)).ReadString('\n')
			if err != nil {
				return
			}
			if err := h.obey(strings.TrimSpace(line)); err != nil {
				fmt.Fprintf(c, "failed\n%s\n", err)
				return
			}
			fmt.Fprintf(c, "done\n")
		})
	}
}

// obey does what the control socket says: test or reload. A pair that cannot
// be loaded leaves the old one serving.
func (h *host) obey(verb string) error {
	pair, err := h.load()
	switch {
	case err != nil:
		return err
	case verb == "reload":
		h.pair.Store(pair)
		h.log.Debug("reloaded", "sha256", fingerprint(pair.Leaf))
	case verb != "test":
		return fmt.Errorf("unknown command %q", verb)
	}
	return nil
}

func (h *host) close() error {
	err := h.web.close()
	if cerr := h.control.Close(); !errors.Is(cerr, net.ErrClosed) {
		err = errors.Join(err, cerr)
	}
	h.wg.Wait()
	return err
}

// front is a proxy's plain HTTP port, which the CA asks. It forwards the
// challenge path to the origin, or, when broken, knows nothing of it: that is
// how the name being an alias of the apex kept the CA from its answer.
func (e *Estate) front(l net.Listener) *server {
	to := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: e.challenge})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 5 * time.Second},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "502 the origin does not answer", http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(e.o.Log.Handler(), slog.LevelDebug),
	}
	return serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/"):
			http.Redirect(w, r, "https://"+e.Domain()+r.URL.Path, http.StatusMovedPermanently)
		case e.o.Broken:
			http.Error(w, "404 not found", http.StatusNotFound)
		default:
			to.ServeHTTP(w, r)
		}
	}), e.o.Log)
}

// server is an HTTP server that can be waited for to the last connection.
type server struct {
	http  *http.Server
	conns sync.WaitGroup
	done  chan struct{}
}

func serve(l net.Listener, h http.Handler, log *slog.Logger) *server {
	s := &server{done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.conns.Done()
			}
		},
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a host stopped serving", "err", err)
		}
	}()
	return s
}

// close cuts every connection and waits for the goroutines of all.
func (s *server) close() error {
	err := s.http.Close()
	<-s.done
	s.conns.Wait()
	return err
}

// look makes one handshake with an address and returns the leaf that it
// serves. An error beside a leaf says why it is not to be trusted now.
func (e *Estate) look(ctx context.Context, addr string) (*tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var seen *tls.ConnectionState
	d := tls.Dialer{Config: &tls.Config{
		ServerName: e.Domain(), RootCAs: e.ca.IssuingRoots(), InsecureSkipVerify: true, // verified below, after it was seen
		VerifyConnection: func(s tls.ConnectionState) error { seen = &s; return nil },
	}}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = c.Close() // only looked at
	return seen, verify(seen, e)
}
