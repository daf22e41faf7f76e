package gcp_test

import (
	"context"
	"fmt"
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/gcp"
)

func ExampleOpen() {
	store, err := gcp.Open(context.Background(), vault.Config{
		ProjectID: "my-project",
		Getenv:    os.Getenv, // GOOGLE_APPLICATION_CREDENTIALS, CLOUDSDK_CONFIG, …
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.String()) // nothing was sent yet; store.Get signs in
	// Output: GCP Secret Manager, project my-project
}
