package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/servertest"
)

const many = 200

// A keeper has one key under every name, and counts its requests. It responds
// as HashiCorp Vault or as AWS Secrets Manager.
type keeper struct {
	key     string
	latency time.Duration

	mu           sync.Mutex
	asked        map[string]int
	busy, atMost int
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, aws := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if !aws {
		operation = r.Method + " " + strings.TrimRight(r.URL.Path, "0123456789")
	}
	k.count(operation, 1)
	defer k.count(operation, -1)
	time.Sleep(k.latency)
	if !aws {
		says(200, "", asJSON(map[string]any{"data": map[string]any{
			"data": map[string]string{"value": k.key}, "metadata": map[string]any{"version": 1},
		}}))(w, r)
		return
	}
	var in struct{ SecretIdList []string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	values := []any{}
	for _, name := range in.SecretIdList {
		values = append(values, map[string]string{"Name": name, "ARN": "arn:" + name, "VersionId": "v1", "SecretString": k.key})
	}
	says(200, "", asJSON(map[string]any{"SecretValues": values}))(w, r)
}

func (k *keeper) count(operation string, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n > 0 {
		k.asked[operation]++
	}
	k.busy += n
	k.atMost = max(k.atMost, k.busy)
}

// manyMappings makes a vault of 200 mappings. secret returns the names of their
// secrets.
func manyMappings(tb testing.TB, k *keeper, config, secret string) (v *faultyVault, f vaultFault) {
	tb.Helper()
	v = &faultyVault{config: config, env: map[string]string{
		"VAULT_TOKEN": "t0ken", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "s3cret",
	}}
	f = vaultFault{at: servertest.Web(tb, k), files: map[string]string{}}
	var b strings.Builder
	fmt.Fprintf(&b, config, f.at)
	key, err := ecies.ParsePrivateKey(k.key)
	if err != nil {
		tb.Fatal(err)
	}
	file := encrypted(tb, key)
	for i := range many {
		folder := fmt.Sprintf("services/s%d", i)
		f.files[folder+"/.env.production"] = file
		name := secret
		if strings.Contains(secret, "%d") {
			name = fmt.Sprintf(secret, i)
		}
		fmt.Fprintf(&b, "[[vault.sync.mappings]]\nsecret_name = %q\nfolder_path = %q\n", name, folder)
	}
	f.config = b.String()
	return v, f
}

func newKeeper(tb testing.TB, latency time.Duration) *keeper {
	tb.Helper()
	key, err := ecies.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	return &keeper{key: key.Reveal(), latency: latency, asked: map[string]int{}}
}

const (
	manyHashicorp = "[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = \"%s\"\n[vault.sync]\nmax_workers = 8\n"
	manyAWS       = "[vault]\nprovider = \"aws\"\n[vault.aws]\nregion = \"eu-central-1\"\nendpoint_url = \"%s\"\n[vault.sync]\nmax_workers = 8\n"
)

// TestManyMappings counts the requests to a vault for 200 mappings: no probe,
// no secret twice, in batches if there are any.
func TestManyMappings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, config, secret string
		want                 map[string]int
	}{
		{"HashiCorp", manyHashicorp, "app-%d", map[string]int{"GET /v1/secret/data/app-": many}},
		{"HashiCorp, one secret for all", manyHashicorp, "app", map[string]int{"GET /v1/secret/data/app": 1}},
		{"AWS", manyAWS, "app-%d", map[string]int{"BatchGetSecretValue": many / 20}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t, 0)
			v, f := manyMappings(t, k, tt.config, tt.secret)
			status, stdout, stderr := v.run(t, project(t, f), f, "verify")
			if status != 0 || !strings.Contains(stdout, "200 of 200 verified") {
				t.Errorf("verify: status %d\n%s%s", status, stdout, stderr)
			}
			if fmt.Sprint(k.asked) != fmt.Sprint(tt.want) || k.atMost > 8 {
				t.Errorf("asked %v, %d at a time; want %v, at most 8", k.asked, k.atMost, tt.want)
			}
		})
	}
}

// BenchmarkManyMappings measures sync with 200 mappings and 8 workers over a
// vault that takes 100 ms to respond, and how far that is from the minimum.
func BenchmarkManyMappings(b *testing.B) {
	k := newKeeper(b, 100*time.Millisecond)
	v, f := manyMappings(b, k, manyHashicorp, "app-%d")
	dir := project(b, f)
	for b.Loop() {
		if status, stdout, stderr := v.run(b, dir, f, "sync", "--force"); status != 0 {
			b.Fatalf("sync: status %d\n%s%s", status, stdout, stderr)
		}
		for i := range many {
			if err := os.Remove(fmt.Sprintf("%s/services/s%d/.env.keys", dir, i)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(many/8*k.latency), "×least")
}
