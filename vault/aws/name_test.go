package aws

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/vault"
)

const (
	testARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:team/app-AbCdEf"
	testID  = "3eb7ca8c-a2eb-4dde-9d04-97eaaecf377b"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want id
		rule string // part of it; "" if the name is good
	}{
		{name: "app", want: id{"app", "", ""}},
		{name: "team/app_1+=.@-", want: id{"team/app_1+=.@-", "", ""}},
		{name: "me@example.org", want: id{"me@example.org", "", ""}},
		{name: "app?stage=AWSPREVIOUS", want: id{"app", "", "AWSPREVIOUS"}},
		{name: "app?version=" + testID, want: id{"app", testID, ""}},
		{name: testARN, want: id{testARN, "", ""}},
		{name: testARN + "?stage=AWSCURRENT", want: id{testARN, "", "AWSCURRENT"}},
		{name: "arn:aws-us-gov" + strings.TrimPrefix(testARN, "arn:aws"), want: id{"arn:aws-us-gov" + strings.TrimPrefix(testARN, "arn:aws"), "", ""}},
		{name: "", rule: "1 to 512"},
		{name: strings.Repeat("a", 513), rule: "1 to 512"},
		{name: "a b", rule: "1 to 512"},
		{name: "app?", rule: "after the ?"},
		{name: "app?version=3", rule: "32 to 64"},
		{name: "app?stage=", rule: "after the ?"},
		{name: "app?stage=A&version=" + testID, rule: "after the ?"},
		{name: testARN + ":json-key::", rule: "not of the form"},
		{name: strings.Replace(testARN, "eu-central-1", "us-east-1", 1), rule: "region us-east-1, and this vault of eu-central-1"},
		{name: "arn:aws:iam::123456789012:role/x", rule: "not of the form"},
	}
	for _, tt := range tests {
		got, err := (&Store{region: "eu-central-1"}).parse(tt.name)
		if got != tt.want || (err != nil) != (tt.rule != "") || err != nil && !strings.Contains(err.Error(), tt.rule) {
			t.Errorf("parse(%q) = %+v, %v; want %+v, error with %q", tt.name, got, err, tt.want, tt.rule)
		}
	}
}

// FuzzParse checks that AWS accepts what parse accepts, and that it is safe in
// a command that is shown.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"app", "app?stage=AWSPREVIOUS", testARN, testARN + "?version=" + testID, "a b", "arn:", "?", "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := (&Store{region: "eu-central-1"}).parse(name)
		var p vault.Problem
		switch {
		case errors.As(err, &p) && p.Kind == vault.ErrName && p.Detail != "" && got == id{}:
		case err != nil:
			t.Errorf("parse(%q) = %v; want the rule, as ErrName", name, err)
		case got.secret == "" || strings.ContainsAny(got.secret+got.version+got.stage, " '\"\\$`?&;|<>\n\x00"):
			t.Errorf("parse(%q) = %+v", name, got)
		case got.pinned() != strings.Contains(name, "?"):
			t.Errorf("parse(%q) = %+v; pinned: %t", name, got, got.pinned())
		}
	})
}
