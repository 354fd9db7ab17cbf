// Command certmedic handles TLS certificate outages from chat: it checks,
// renews, verifies, keeps the timeline and drafts the postmortem.
package main

func main() {}
