package main

import (
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/certmedic/certmedic/incident"
)

// statuses reads incident: of the configuration, where statuses get the names
// that people here use:
//
//	incident:
//	  statuses: {investigating: triage, monitoring: watching}
func (r *yamlReader) statuses(n node) incident.Names {
	names := incident.Names{}
	var pairs []*ast.MappingValueNode
	r.mapping(n, "incident", fields{"statuses": func(n node) {
		pairs = r.pairs(n, "incident.statuses")
		for _, p := range pairs {
			names[incident.Status(strings.ToLower(r.scalar(p.Key)))] = r.text(p.Value, "incident.statuses."+r.scalar(p.Key))
		}
	}})
	for _, p := range pairs {
		key := strings.ToLower(r.scalar(p.Key))
		if err := names.CheckName(incident.Status(key)); err != nil {
			r.add(p.Value, "incident.statuses.%s: %v", "write for example `incident: {statuses: {investigating: triage}}`", key, err)
		}
	}
	return names
}
