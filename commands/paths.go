package commands

import "net/url"

// Pages of the web room that replies link to.
const (
	estatePath    = "/estate"
	incidentsPath = "/incidents"
)

func certificatePath(name string) string { return "/certificate/" + url.PathEscape(name) }
func incidentPath(id string) string      { return "/incident/" + url.PathEscape(id) }
func draftPath(id string) string         { return incidentPath(id) + "/draft" }
