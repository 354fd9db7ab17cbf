// Package probe looks at TLS endpoints and says everything that is wrong with
// them. It makes one recording handshake with every address of a name, which
// accepts whatever the server shows, and then runs each test apart on what was
// recorded (RFC 5280, 6125, 8446). So an expired certificate does not hide a
// wrong name, nor a wrong name an unknown issuer. Every fault has an id, a
// severity, one sentence with its proof, and what to do next; [Classes] is the
// table of them and docs/checks.md its printed form.
package probe
