package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certmedic/certmedic/commands"
)

// amMessage is Alertmanager's webhook, version 4
// (prometheus.io/docs/alerting/latest/configuration/#webhook_config).
type amMessage struct {
	Version     string          `json:"version"`
	GroupKey    string          `json:"groupKey"`
	Truncated   int             `json:"truncatedAlerts"`
	ExternalURL string          `json:"externalURL"`
	Alerts      json.RawMessage `json:"alerts"` // of amAlert
}

type amAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// hostLabels are the labels that most often name what an alert is about, the
// most telling first: blackbox and certificate exporters relabel the probed
// address to instance.
var hostLabels = []string{"instance", "target", "host", "hostname", "fqdn", "domain", "dns_name", "dnsname", "server_name", "vhost", "ingress", "url", "endpoint", "address", "subject_cn", "common_name", "cn", "san", "dns_names", "server", "service"}

// nameLabels are the labels whose value may be a certificate's or a host's
// name.
var nameLabels = []string{"certificate", "cert", "certmedic", "secret_name", "secret", "name", "service", "app", "site", "node", "nodename", "instance", "host", "hostname"}

// parseAlertmanager reads Alertmanager's webhook. An alert is known by its
// fingerprint and when it began: firing again later is another one.
func parseAlertmanager(body []byte) ([]commands.Alert, error) {
	var m amMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("this is not Alertmanager's JSON: %w", err)
	}
	if m.Version != "4" {
		return nil, fmt.Errorf("version %.10q of Alertmanager's webhook is not known here; version 4 is", m.Version)
	}
	list, left, err := several[amAlert](m.Alerts, false)
	if err != nil {
		return nil, fmt.Errorf("this is not Alertmanager's JSON: %w", err)
	}
	all := make([]commands.Alert, 0, len(list))
	for _, a := range list {
		x := commands.Alert{Source: Alertmanager, State: commands.AlertFiring, Title: a.Labels["alertname"], Severity: a.Labels["severity"], Link: a.GeneratorURL, Started: a.StartsAt, Happened: a.StartsAt}
		if a.Status == "resolved" {
			x.State, x.Happened = commands.AlertResolved, a.EndsAt
		} else if a.Status != "firing" {
			return nil, fmt.Errorf("status %.20q of an alert is neither firing nor resolved", a.Status)
		}
		if x.Link == "" {
			x.Link = m.ExternalURL
		}
		for _, k := range []string{"summary", "description", "message"} {
			if x.Text == "" {
				x.Text = a.Annotations[k]
			}
		}
		id := a.Fingerprint
		if id == "" {
			id = labelsKey(a.Labels)
		}
		x.ID, x.Event = id+"/"+a.StartsAt.UTC().Format(time.RFC3339Nano), x.State
		x.Certificate = a.Labels["certificate"]
		x.Hosts, x.Names = fromLabels(a.Labels, a.Annotations)
		all = append(all, x)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no alert in it")
	}
	if left += max(m.Truncated, 0); left > 0 {
		all = append(all, leftOut(Alertmanager, left, shortSum(m.GroupKey)))
	}
	return all, nil
}

// labelsKey tells one set of labels from another.
func labelsKey(labels map[string]string) string {
	var parts []string
	for k, v := range labels {
		parts = append(parts, k+"\x00"+v)
	}
	slices.Sort(parts)
	return shortSum(strings.Join(parts, "\x01"))
}

// fromLabels finds what an alert names: hosts in the usual labels, in the
// others, then in the annotations; and the words that may be names.
func fromLabels(labels, annotations map[string]string) (hosts, names []string) {
	c := &collected{}
	lower := map[string]string{}
	for k, v := range labels {
		lower[strings.ToLower(k)] = v
	}
	for _, k := range hostLabels {
		c.hosts(lower[k])
	}
	for _, k := range sorted(lower) {
		if k != "alertname" && k != "severity" && k != "job" && k != "prometheus" && k != "monitor" {
			c.hosts(lower[k])
		}
	}
	for _, k := range []string{"summary", "description", "message"} {
		c.hosts(annotations[k])
	}
	for _, k := range nameLabels {
		c.name(lower[k])
	}
	return c.h, c.n
}

// collected gathers hosts and names, each once and not too many.
type collected struct{ h, n []string }

const maxNamed = 12

func (c *collected) hosts(text string) {
	for _, h := range commands.HostsIn(text) {
		if len(c.h) < maxNamed && !slices.Contains(c.h, h) {
			c.h = append(c.h, h)
		}
	}
}

var oneWord = regexp.MustCompile(`^[\pL\pN._-]+(?::[0-9]{1,5})?$`)

func (c *collected) name(text string) {
	if text = strings.TrimSpace(text); len(text) > 4*63+6 || !oneWord.MatchString(text) {
		return
	}
	text, _, _ = strings.Cut(text, ":")
	if len(c.n) < maxNamed && !slices.Contains(c.n, text) {
		c.n = append(c.n, text)
	}
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
