package azure_test

import (
	"context"
	"fmt"
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/azure"
)

func ExampleOpen() {
	store, err := azure.Open(context.Background(), vault.Config{
		URL:        "https://team.vault.azure.net/",
		Credential: "cli", // the session of "az login"
		Getenv:     os.Getenv,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store) // nothing was sent yet; store.Get signs in
	// Output: Azure Key Vault at https://team.vault.azure.net
}
