package hashicorp_test

import (
	"context"
	"fmt"
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/hashicorp"
)

func ExampleOpen() {
	store, err := hashicorp.Open(context.Background(), vault.Config{
		URL:    "https://vault.example.org:8200",
		Mount:  "team/kv",
		Getenv: os.Getenv, // VAULT_TOKEN, VAULT_CACERT, …
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.String()) // nothing was sent yet; store.Get signs in
}
