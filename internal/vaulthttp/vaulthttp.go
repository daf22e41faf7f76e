// Package vaulthttp is what vaults reached over HTTP have in common: which
// servers a client follows and trusts, and a one-line explanation of a missing
// response. It knows no vendor; each vault's package explains its refusals.
package vaulthttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// IsLoopback reports whether host, without a port, is this machine: the only
// one that may be contacted without TLS.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A RedirectError reports a response that redirects the client to another
// server.
type RedirectError struct{ From, To string }

func (e *RedirectError) Error() string { return "it redirects to " + e.To + ", which is not followed" }

// CheckRedirect is for [http.Client]. It follows redirects only to the same
// server: net/http knows to drop Authorization on the way to another host, but
// no vendor's own header.
func CheckRedirect(req *http.Request, via []*http.Request) error {
	if from := via[0].URL; req.URL.Scheme == from.Scheme && req.URL.Host == from.Host && len(via) < 3 {
		return nil
	}
	return &RedirectError{via[0].URL.Host, req.URL.Scheme + "://" + req.URL.Host}
}

// A Client is what the user can check if there is no response.
type Client struct {
	Address string        // what sets the address, such as "url and VAULT_ADDR"
	CA      string        // the variable that names a file of certificate authorities
	Timeout time.Duration // of one request; 0: not known
}

// Explain says why a request got no response, in the terms of a [vault.Error].
func (c Client) Explain(err error) (detail, remedy string, kind error) {
	check := "check " + c.Address + ", the proxy and the network"
	if IsTimeout(err) {
		detail = "no answer in time"
		if c.Timeout > 0 {
			detail = fmt.Sprintf("no answer within %v", c.Timeout)
		}
		return detail, check + ", or raise timeout in [vault]", vault.ErrTimeout
	}
	detail, remedy = "the request failed", check
	if e, ok := errors.AsType[*url.Error](err); ok {
		detail = e.Err.Error() // without the URL, which the message has
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		detail = e.Err.Error() // without the ports
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		detail, remedy = e.Err.Error(), "check "+c.Address+", "+c.CA+" and the clock"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		detail, remedy = "its certificate is signed by an unknown authority", "set "+c.CA+" to the file of the authority's certificate"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		detail = "no such host: " + e.Name
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		detail = "connection refused"
	}
	for _, broken := range []error{syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, broken) {
			detail = "the connection was broken off"
		}
	}
	if e, ok := errors.AsType[*RedirectError](err); ok {
		detail = e.Error()
	}
	if e, ok := errors.AsType[*TooLongError](err); ok {
		detail = e.Error()
	}
	return OneLine(detail), remedy, vault.ErrUnavailable
}

// IsTimeout reports whether err is a timeout.
func IsTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && e.Timeout()
}

// FewerWorkers is the remedy against throttling.
const FewerWorkers = "raise timeout in [vault], within which a request waits, or lower max_workers in [vault.sync]"

// TooMany returns the detail of being throttled: how long to wait according to
// the response's header, or else the server's message.
func TooMany(retryAfter, words string) string {
	if retryAfter == "" {
		return words
	}
	return "too many requests; it asks to wait " + OneLine(retryAfter) + " s"
}

const redacted = "[redacted]"

// Redact removes the secrets of a request from a server's message. One that is
// very short is no secret, and its letters are in every word.
func Redact(text string, secrets ...string) string {
	const shortest = 4
	for _, s := range secrets {
		if len(s) >= shortest {
			text = strings.ReplaceAll(text, s, redacted)
		}
	}
	return text
}

// FirstOf returns the first of a setting's values that is not blank, without
// the blanks around it.
func FirstOf(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}

// longWord is longer than any word of a message; it may be a token of a form
// that nobody has heard of.
var longWord = lazy.Regexp(`[\w+=~-]{80,}`)

// OneLine makes the message of a server or a library safe to print on one line.
// It removes what looks like a secret before it cuts a long text, because half a
// secret has no form.
func OneLine(s string) string {
	const limit = 300
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1 // a terminal would interpret it
		}
		return r
	}, strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " "))
	s = longWord().ReplaceAllString(secret.Redact(s), redacted)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
