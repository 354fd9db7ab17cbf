package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/certmedic/certmedic/incident"
)

// This file gives Prometheus the numbers over incidents. They are computed from
// the record at each scrape, over all of it: they outlive a restart, and go
// down when an incident is reopened, cancelled or found to be a duplicate.

var (
	tookDesc    = prometheus.NewDesc("certmedic_incident_duration_seconds", "How long incidents took: detect, declare, acknowledge, mitigate, resolve, approval. Drills, cancelled ones and duplicates left out.", []string{"measure", "severity"}, nil)
	countedDesc = prometheus.NewDesc("certmedic_incidents_counted", "Incidents that the durations are of.", []string{"severity"}, nil)
)

// tookBuckets are upper bounds in seconds: 1, 5, 15, 30 min, 1, 2, 4, 8 h, 1 d, 1 week.
var tookBuckets = []float64{60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 604800}

// collectNumbers sends a histogram for each measure and severity.
func (p *program) collectNumbers(ctx context.Context, ch chan<- prometheus.Metric) error {
	rows, err := p.book.Numbers(ctx, time.Time{})
	if err != nil {
		return err
	}
	type series struct {
		count   uint64
		sum     float64
		buckets []uint64
	}
	const severities = 4
	var all [severities + 1][6]series
	var counted [severities + 1]int
	for _, r := range rows {
		if r.Severity < 1 || r.Severity > severities {
			continue
		}
		counted[r.Severity]++
		for k, t := range r.Took {
			if t < 0 {
				continue
			}
			s := &all[r.Severity][k]
			if s.buckets == nil {
				s.buckets = make([]uint64, len(tookBuckets))
			}
			s.count++
			s.sum += t.Seconds()
			for n, bound := range tookBuckets {
				if t.Seconds() <= bound {
					s.buckets[n]++
				}
			}
		}
	}
	for severity := 1; severity <= severities; severity++ {
		name := fmt.Sprint("SEV", severity)
		ch <- prometheus.MustNewConstMetric(countedDesc, prometheus.GaugeValue, float64(counted[severity]), name)
		for k, measure := range incident.Measures {
			s, buckets := all[severity][k], map[float64]uint64{}
			for n, bound := range tookBuckets {
				buckets[bound] = 0
				if s.buckets != nil {
					buckets[bound] = s.buckets[n]
				}
			}
			ch <- prometheus.MustNewConstHistogram(tookDesc, s.count, s.sum, buckets, measure, name)
		}
	}
	return nil
}
