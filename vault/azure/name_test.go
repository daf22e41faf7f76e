package azure

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/vault"
)

const version = "0123456789abcdef0123456789abcdef"

func TestLocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want place
		bad  bool
	}{
		{name: "app", want: place{"app", ""}},
		{name: "My-App-2", want: place{"My-App-2", ""}},
		{name: strings.Repeat("a", 127), want: place{strings.Repeat("a", 127), ""}},
		{name: "app/" + version, want: place{"app", version}},
		{name: "app?version=" + version, want: place{"app", version}},
		{name: "https://team.vault.azure.net/secrets/app", want: place{"app", ""}},
		{name: "https://TEAM.vault.azure.net/secrets/app/" + version, want: place{"app", version}},
		{name: "https://other.vault.azure.net/secrets/app", bad: true},
		{name: "https://team.vault.azure.net/keys/app", bad: true},
		{name: "https://team.vault.azure.net/secrets/", bad: true},
		{name: "http://team.vault.azure.net/secrets/app", bad: true},
		{name: "", bad: true},
		{name: strings.Repeat("a", 128), bad: true},
		{name: "my_app", bad: true},
		{name: "my.app", bad: true},
		{name: "my app", bad: true},
		{name: "ключ", bad: true},
		{name: "..", bad: true},
		{name: "/app", bad: true},
		{name: "app/", bad: true},
		{name: "app/latest", bad: true},
		{name: "app/" + version + "/", bad: true},
		{name: "app/" + version + "0", bad: true},
		{name: "app?version=", bad: true},
		{name: "app?version=3", bad: true},
		{name: "team/app/" + version, bad: true},
	}
	s := &Store{host: "team.vault.azure.net"}
	for _, tt := range tests {
		got, err := s.locate(tt.name)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("locate(%q) = %+v, %v; want %+v, error %t", tt.name, got, err, tt.want, tt.bad)
		}
	}
}

// FuzzLocate checks that no name leads to another request.
func FuzzLocate(f *testing.F) {
	for _, name := range []string{"app", "app/" + version, "app?version=" + version, "https://team.vault.azure.net/secrets/a", "../keys/a", "%2e", "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := (&Store{host: "team.vault.azure.net"}).locate(name)
		var p vault.Problem
		switch {
		case errors.As(err, &p) && p.Kind == vault.ErrName && p.Detail != "":
		case err != nil:
			t.Errorf("locate(%q) = %v; want the rule, as ErrName", name, err)
		case !isName(got.name), got.version != "" && !isVersion(got.version), !strings.Contains(name, got.name):
			t.Errorf("locate(%q) = %+v", name, got)
		}
	})
}

// The SDK refuses a foreign resource with an error that has no type, and
// panics at some authorities.
func TestGuard(t *testing.T) {
	t.Parallel()
	const authority = `authorization="https://login.microsoftonline.com/t"`
	tests := []struct {
		name, host, challenge string
		ok                    bool
	}{
		{"as documented", "team.vault.azure.net", `Bearer ` + authority + `, resource="https://vault.azure.net"`, true},
		{"scope", "team.vault.azure.net", `Bearer ` + authority + ` scope="https://vault.azure.net/.default" resource="https://else.example"`, true},
		{"another cloud", "team.vault.azure.cn", `Bearer authorization="https://login.chinacloudapi.cn/t", resource="https://vault.azure.cn"`, true},
		{"further claims", "team.vault.azure.net", `Bearer realm="", error="insufficient_claims", claims="e30="`, true},
		{"loopback", "127.0.0.1:8443", `Bearer ` + authority + `, resource="https://vault.azure.net"`, true},
		{"loopback by name", "localhost:8443", `Bearer ` + authority + `, resource="https://vault.azure.net"`, true},
		{"foreign resource", "team.vault.azure.net", `Bearer ` + authority + `, resource="https://management.azure.com"`, false},
		{"foreign vault", "vault.example.org", `Bearer ` + authority + `, resource="https://vault.azure.net"`, false},
		{"suffix without a dot", "evilvault.azure.net", `Bearer ` + authority + `, resource="https://vault.azure.net"`, false},
		{"resource that is no URL", "team.vault.azure.net", `Bearer ` + authority + `, resource="vault.azure.net"`, false},
		{"no challenge", "team.vault.azure.net", "", false},
		{"another scheme", "team.vault.azure.net", `Basic realm="proxy"`, false},
		{"no resource", "team.vault.azure.net", `Bearer ` + authority, false},
		{"no authority", "team.vault.azure.net", `Bearer resource="https://vault.azure.net"`, false},
		{"authority without a tenant", "team.vault.azure.net", `Bearer authorization="https://x", resource="https://vault.azure.net"`, false},
		{"authority that is no URL", "team.vault.azure.net", `Bearer authorization="x", resource="https://vault.azure.net"`, false},
		{"a second authority", "team.vault.azure.net", `Bearer ` + authority + `, resource="https://vault.azure.net", authorization="x"`, false},
		{"claims and a bad authority", "team.vault.azure.net", `Bearer authorization="x", claims="e30="`, false},
	}
	for _, tt := range tests {
		err := (&guard{tt.host}).check(tt.challenge)
		var p vault.Problem
		if (err == nil) != tt.ok || err != nil && (!errors.As(err, &p) || p.Kind != vault.ErrConfig) {
			t.Errorf("%s: check(%q) = %v; want ok %t, else ErrConfig", tt.name, tt.challenge, err, tt.ok)
		}
	}
}
