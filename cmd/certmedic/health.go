package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/certmedic/certmedic/bot"
	"github.com/certmedic/certmedic/bot/discord"
	"github.com/certmedic/certmedic/bot/slack"
	"github.com/certmedic/certmedic/incident"
	"github.com/certmedic/certmedic/store"
)

// handler is everything on the listener: pages and API, health, metrics.
func (p *program) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", p.health)
	mux.Handle("GET /metrics", p.site.Guard(p.metrics()))
	mux.Handle("GET /api/backup", p.site.Guard(http.HandlerFunc(p.serveBackup)))
	if p.slack != nil && p.cfg.Slack.Mode == slack.HTTP {
		mux.Handle("POST /slack/events", p.slack)
	}
	mux.Handle("/hooks/", p.hooks)
	if p.discord != nil && p.cfg.Discord.Mode == discord.HTTP {
		mux.Handle("POST /discord/interactions", p.discord)
	}
	mux.Handle("/", p.site)
	return mux
}

// health answers 200 when the record can be read, else 503.
func (p *program) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	answer := map[string]any{"ok": true, "record": "readable", "version": versionText()}
	code := http.StatusOK
	if err := p.store.View(ctx, func(tx store.Tx) error { _, err := tx.Get("health"); return err }); err != nil {
		code, answer["ok"], answer["record"] = http.StatusServiceUnavailable, false, "cannot be read"
		p.o.Log.Error("health: read the record", "err", err)
	}
	if p.slack != nil {
		answer["slack"] = p.slack.Status() // the other rooms go on without it
	}
	if p.discord != nil {
		answer["discord"] = p.discord.Status()
	}
	for _, o := range p.outside {
		s := o.status() // what waits is delivered late, the program is well
		s.Error = shownOutside(s.Error)
		answer[o.key] = s
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

var address = regexp.MustCompile(`[^\s<>"'():;,]+@[^\s<>"'():;,]+`)

// shownOutside is an error for whoever asks: short, and without addresses.
func shownOutside(text string) string {
	text = address.ReplaceAllString(bot.Clean(text), "(an address)")
	if rs := []rune(text); len(rs) > 200 {
		return string(rs[:200]) + "…"
	}
	return text
}

// metrics serves Prometheus' text format.
func (p *program) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &estateCollector{p: p})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: nil, Timeout: 5 * time.Second})
}

// estateCollector reads the record at each scrape: what it says is never older
// than the last check.
type estateCollector struct{ p *program }

var (
	notAfterDesc  = prometheus.NewDesc("certmedic_certificate_not_after_seconds", "Unix time at which the earliest served leaf of the certificate expires.", []string{"certificate"}, nil)
	verdictDesc   = prometheus.NewDesc("certmedic_certificate_verdict", "Last verdict: 0 good, 2 warning, 3 critical.", []string{"certificate"}, nil)
	checkedDesc   = prometheus.NewDesc("certmedic_certificate_checked_seconds", "Unix time of the last check.", []string{"certificate"}, nil)
	hostsDesc     = prometheus.NewDesc("certmedic_certificate_hosts", "Addresses looked at.", []string{"certificate"}, nil)
	hostsGoodDesc = prometheus.NewDesc("certmedic_certificate_hosts_good", "Addresses without a critical finding.", []string{"certificate"}, nil)
	overdueDesc   = prometheus.NewDesc("certmedic_certificate_renewal_overdue", "1 when the renewal window has ended without a newer certificate.", []string{"certificate"}, nil)
	rehearsedDesc = prometheus.NewDesc("certmedic_certificate_rehearsed_ok_seconds", "Unix time of the last rehearsal without a fault.", []string{"certificate"}, nil)
	heardDesc     = prometheus.NewDesc("certmedic_alerts_received_total", "Alerts of other systems put on the record since the start.", []string{"source"}, nil)
	waitingDesc   = prometheus.NewDesc("certmedic_alerts_waiting", "Alerts acknowledged and not worked off yet.", nil, nil)
	openDesc      = prometheus.NewDesc("certmedic_incidents_open", "Incidents that are not closed.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *estateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{notAfterDesc, verdictDesc, checkedDesc, hostsDesc, hostsGoodDesc, overdueDesc, rehearsedDesc, openDesc, heardDesc, waitingDesc, tookDesc, countedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *estateCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	standings, err := c.p.runner.Estate(ctx)
	if err != nil {
		c.p.o.Log.Error("metrics: read the estate", "err", err)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	moment := func(d *prometheus.Desc, t time.Time, name string) {
		if !t.IsZero() {
			gauge(d, float64(t.UnixMilli())/1000, name)
		}
	}
	for _, s := range standings {
		name := s.Certificate.Name
		moment(notAfterDesc, s.NotAfter, name)
		moment(checkedDesc, s.Checked, name)
		moment(rehearsedDesc, s.RehearsedOK, name)
		if !s.Checked.IsZero() {
			gauge(verdictDesc, float64(s.Verdict.Rank()), name)
			gauge(hostsDesc, float64(s.Hosts), name)
			gauge(hostsGoodDesc, float64(s.HostsGood), name)
		}
		gauge(overdueDesc, oneIf(s.Overdue), name)
	}
	if err := c.p.collectNumbers(ctx, ch); err != nil {
		c.p.o.Log.Error("metrics: read the numbers", "err", err)
	}
	for source, n := range c.p.hooks.Taken() {
		ch <- prometheus.MustNewConstMetric(heardDesc, prometheus.CounterValue, float64(n), source)
	}
	gauge(waitingDesc, float64(c.p.desk.AlertsWaiting()))
	if open, err := c.p.book.List(ctx, incident.Filter{Open: true}); err == nil {
		gauge(openDesc, float64(len(open)))
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
