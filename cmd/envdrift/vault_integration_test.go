//go:build integration

package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/envdrift/envdrift/internal/servertest"
)

// Each script has a real OpenBao of its own, and a token with all permissions:
//
//	eval "$(scripts/install-openbao)" && go test -tags integration ./cmd/envdrift
func TestIntegrationScript(t *testing.T) {
	t.Parallel()
	p := params("testdata/integration")
	p.Cmds["bao"] = cmdBao
	p.Setup = func(env *testscript.Env) error {
		tb := env.T().(testing.TB)
		b := servertest.OpenBao(tb)
		env.Values[serverKey{}] = &server{b, tb}
		env.Setenv("BAO_URL", b.URL)
		env.Setenv("VAULT_ADDR", b.URL)
		env.Setenv("VAULT_TOKEN", b.NewToken(tb, map[string]any{"policies": []string{"root"}}))
		return setup(env)
	}
	testscript.Run(t, p)
}

type serverKey struct{}

// A server is the vault of one script.
type server struct {
	*servertest.Bao
	tb testing.TB
}

// cmdBao controls the script's server, as root:
//
//	bao put NAME TEXT      store a text under secret/NAME
//	bao delete NAME        delete it, with all its versions
//	bao token VAR          set VAR to a token that may read nothing
//	bao expired VAR        set VAR to a token that has expired
//	bao seal               seal the server
func cmdBao(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serverKey{}).(*server)
	if len(args) < 1 {
		ts.Fatalf("usage: bao put|delete|token|expired|seal [arg…]")
	}
	switch args[0] {
	case "put":
		s.Do(s.tb, "POST", "secret/data/"+args[1], map[string]any{"data": map[string]string{"value": args[2]}})
	case "delete":
		s.Do(s.tb, "DELETE", "secret/metadata/"+args[1], nil)
	case "token":
		ts.Setenv(args[1], s.NewToken(s.tb, map[string]any{"policies": []string{"default"}}))
	case "expired":
		ts.Setenv(args[1], s.expired())
	case "seal":
		s.Do(s.tb, "PUT", "sys/seal", nil)
	default:
		ts.Fatalf("bao: unknown %q", args[0])
	}
}

// expired creates a token that lives for a second and waits for its end.
func (s *server) expired() (token string) {
	s.tb.Helper()
	token = s.NewToken(s.tb, map[string]any{"policies": []string{"root"}, "ttl": "1s"})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		req, err := http.NewRequest("GET", s.URL+"/v1/auth/token/lookup-self", nil)
		if err != nil {
			s.tb.Fatal(err)
		}
		req.Header.Set("X-Vault-Token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.tb.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusForbidden {
			return token
		}
	}
	return token
}
