package acme

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/certmedic/certmedic/renew"
)

// RenewalInfo implements renew.CA. ok is false also when the CA does not know
// the certificate (another CA issued it).
func (c *client) RenewalInfo(ctx context.Context, leafPEM []byte) (w renew.Window, ok bool, err error) {
	id, err := certID(leafPEM)
	if err != nil {
		return w, false, fmt.Errorf("renewal info: %w", err)
	}
	body, wait, found, err := c.getRenewalInfo(ctx, id)
	if err != nil {
		return w, false, fmt.Errorf("renewal info: %w", err)
	}
	if !found {
		return w, false, nil
	}
	w, err = parseWindow(body)
	if err != nil {
		return renew.Window{}, false, fmt.Errorf("renewal info: %w; the CA answered %q", err, printable(body, 200))
	}
	if wait <= 0 {
		wait = 6 * time.Hour // RFC 9773 section 4.3.1 leaves it to us
	}
	// Section 4.3.2: not more often than once a minute, not less than once a day.
	w.RetryAfter = c.o.Now().Add(min(max(wait, time.Minute), 24*time.Hour))
	return w, true, nil
}

// parseWindow reads a RenewalInfo object (RFC 9773 section 4.2).
func parseWindow(body []byte) (renew.Window, error) {
	var info struct {
		SuggestedWindow struct {
			Start time.Time `json:"start"`
			End   time.Time `json:"end"`
		} `json:"suggestedWindow"`
		ExplanationURL string `json:"explanationURL"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return renew.Window{}, err
	}
	w := renew.Window{Start: info.SuggestedWindow.Start.UTC(), End: info.SuggestedWindow.End.UTC()}
	if w.Start.IsZero() || w.End.IsZero() {
		return renew.Window{}, errors.New("the window has no start or no end")
	}
	if !w.End.After(w.Start) {
		return renew.Window{}, errors.New("the window ends before it starts")
	}
	if u, err := url.Parse(info.ExplanationURL); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		w.Explanation = printable([]byte(u.String()), 500)
	}
	return w, nil
}

// certID is RFC 9773 section 4.1: the key identifier of the authority key
// identifier, a dot, the serial number's DER content; both base64url.
func certID(leafPEM []byte) (string, error) {
	block, _ := pem.Decode(leafPEM)
	if block == nil {
		return "", errors.New("no certificate in the PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	if len(cert.AuthorityKeyId) == 0 {
		return "", errors.New("the certificate has no authority key identifier")
	}
	der, err := asn1.Marshal(cert.SerialNumber)
	if err != nil {
		return "", err
	}
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	return enc.EncodeToString(cert.AuthorityKeyId) + "." + enc.EncodeToString(raw.Bytes), nil
}
