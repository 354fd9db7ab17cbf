// Package drill builds a whole estate on loopback (a real ACME CA, a DNS
// server, TLS hosts with files and a reload) that goes wrong on cue.
package drill
