package config_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
)

func TestEnvFile(t *testing.T) {
	t.Parallel()
	names := func(names ...string) []string { return names }
	mapping := func(environment string) config.Mapping {
		return config.Mapping{Folder: "svc", Environment: environment}
	}
	tests := []struct {
		name      string
		m         config.Mapping
		names     []string
		want      string
		ambiguous []string
		others    []string // of a NoEnvFileError
	}{
		{name: "exact", m: mapping("staging"), names: names(".env", ".env.production", ".env.staging", "api-staging.env"), want: ".env.staging"},
		{name: "exact, by profile", m: config.Mapping{Profile: "local"}, names: names(".env", ".env.local"), want: ".env.local"},
		{name: "exact before .env", m: mapping(""), names: names(".env", ".env.production"), want: ".env.production"},
		{name: "exact, with a dot", m: mapping("prod.eu"), names: names(".env.prod", ".env.prod.eu"), want: ".env.prod.eu"},

		{name: "stated", m: config.Mapping{EnvFile: "postgresql.env"}, names: names(".env.production", "postgresql.env"), want: "postgresql.env"},
		{name: "stated and deeper", m: config.Mapping{EnvFile: "config/x.env"}, want: "config/x.env"},
		{name: "stated and not there", m: config.Mapping{EnvFile: "x.env"}, names: names(".env", ".env.production")},

		{name: "NAME.env.ENV", m: mapping("docker"), names: names("svc.env.docker"), want: "svc.env.docker"},
		{name: "NAME-ENV.env", m: mapping("local"), names: names("svc-local.env"), want: "svc-local.env"},
		{name: "NAME.ENV.env", m: mapping("staging"), names: names("svc.staging.env"), want: "svc.staging.env"},
		{name: "NAME_ENV.env", m: mapping("staging"), names: names("svc_staging.env"), want: "svc_staging.env"},
		{name: "ENV.env", m: mapping("staging"), names: names("staging.env"), want: "staging.env"},
		{name: "production.env beside .env", m: mapping(""), names: names(".env", "production.env"), want: "production.env"},
		{name: "one word is production's", m: mapping(""), names: names("postgresql.env"), want: "postgresql.env"},
		{name: "one word is production's, stated", m: mapping("production"), names: names("postgresql.env", ".env"), want: "postgresql.env"},
		{name: "one word is nobody else's", m: mapping("staging"), names: names("postgresql.env"), others: names("postgresql.env")},

		{name: ".env where nothing is stated", m: mapping(""), names: names(".env", ".env.staging", "api-staging.env"), want: ".env"},
		{name: ".env is not production's when that is stated", m: mapping("production"), names: names(".env"), others: names(".env")},
		{name: ".env is not staging's", m: mapping("staging"), names: names(".env"), others: names(".env")},
		{name: ".env is not a profile's", m: config.Mapping{Folder: "svc", Profile: "local"}, names: names(".env"), others: names(".env")},

		{name: "another environment's, with a service", m: mapping(""), names: names("api-staging.env"), others: names("api-staging.env")},
		{name: "another environment's, alone", m: mapping(""), names: names("staging.env", "Dev.env"), others: names("Dev.env", "staging.env")},
		{name: "another environment's, lone .env.X", m: mapping(""), names: names(".env.staging"), others: names(".env.staging")},
		{name: "another mapping's", m: mapping(""), names: names("blue.env"), others: names("blue.env")},
		{name: "perhaps another environment's", m: mapping(""), names: names("api-qa2.env"), others: names("api-qa2.env")},
		{name: "longer environment's", m: mapping("eu"), names: names("api-blue-eu.env"), others: names("api-blue-eu.env")},
		{name: "two environments", m: mapping("eu"), names: names("api-staging-eu.env"), others: names("api-staging-eu.env")},
		{name: "ends alike", m: mapping("duction"), names: names("production.env", ".env.production"), others: names(".env.production", "production.env")},
		{name: "local variant", m: mapping(""), names: names(".env.production.local"), others: names(".env.production.local")},
		{name: "case", m: mapping("staging"), names: names(".env.STAGING"), others: names(".env.STAGING")},

		{name: "several", m: mapping("staging"), names: names("b-staging.env", "a.env.staging"), ambiguous: names("a.env.staging", "b-staging.env")},
		{name: "several of production", m: mapping("production"), names: names("redis.env", "postgresql.env", ".env"), ambiguous: names("postgresql.env", "redis.env")},
		{name: "one word beside .env", m: mapping(""), names: names("redis.env", ".env"), ambiguous: names(".env", "redis.env")},
		{name: "not yet production's", m: mapping(""), names: names("pre-production.env", "api.non_production.env"), others: names("api.non_production.env", "pre-production.env")},

		{name: "companions", m: mapping(""), names: names(".env.keys", ".env.EXAMPLE", ".env.sample", ".env.template", ".env.vault", ".env.bak",
			".env.production.backup.20260101", ".env.production.bak", ".env~", "x.env.production.example", ".env.keys.backup.2")},
		{name: "a companion by the exact rule", m: mapping("example"), names: names(".env.example")},
		{name: "the configured keys file", m: mapping("team"), names: names(".env.team")},
		{name: "no env files", m: mapping(""), names: names("README.md", ".envrc", "environment", "main.env.go")},
		{name: "nothing", m: mapping("")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := parse(t, "envdrift.toml", "[vault.sync]\nenv_keys_filename = '.env.team'\n"+
				"[[vault.sync.mappings]]\nsecret_name = 's'\nfolder_path = 'a'\nenvironment = 'Blue'\n"+
				"[[vault.sync.mappings]]\nsecret_name = 's'\nfolder_path = 'b'\nprofile = 'blue-eu'\n")
			got, err := c.EnvFile(tt.m, tt.names)
			var none *config.NoEnvFileError
			var several *config.AmbiguousError
			switch {
			case got != tt.want:
				t.Errorf("EnvFile(%q) = %q, %v; want %q", tt.names, got, err, tt.want)
			case got != "":
				if err != nil {
					t.Errorf("EnvFile(%q) = %q, %v; want no error", tt.names, got, err)
				}
			case tt.ambiguous != nil:
				if !errors.As(err, &several) || !slices.Equal(several.Files, tt.ambiguous) {
					t.Errorf("EnvFile(%q) = %v; want %q to be ambiguous", tt.names, err, tt.ambiguous)
				}
			case !errors.As(err, &none) || !slices.Equal(none.Others, tt.others):
				t.Errorf("EnvFile(%q) = %v; want none, and others %q", tt.names, err, tt.others)
			}
		})
	}
}

func TestEnvFileErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want string
	}{
		{&config.NoEnvFileError{Folder: "svc", Environment: "staging"}, "svc: there is no .env.staging"},
		{&config.NoEnvFileError{Folder: "svc", Environment: "staging", Others: []string{".env", "a.env"}}, "svc: there is no .env.staging; if .env or a.env is meant, set env_file"},
		{&config.NoEnvFileError{Folder: "svc", Environment: "staging", Wanted: "x.env"}, "svc: there is no x.env"},
		{&config.AmbiguousError{Folder: "svc", Environment: "staging", Files: []string{"a", "b"}}, `svc: a, b could all be the env file for "staging"; set env_file`},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%T says %q; want %q", tt.err, got, tt.want)
		}
	}
}

func TestIsEnvFileName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		".env": true, ".ENV": true, ".env.production": true, "postgresql.env": true, ".env.prod.local": true,
		".env.keys": false, ".ENV.Keys": false, ".env.example": false, "x.env.sample": false, ".env.backup": false, ".env.keys.backup.1": false,
		".envrc": false, "env": false, "environment": false, "main.env.go": false, "": false, ".env~": false,
	} {
		if got := config.IsEnvFileName(name); got != want {
			t.Errorf("IsEnvFileName(%q) = %t; want %t", name, got, want)
		}
	}
}
