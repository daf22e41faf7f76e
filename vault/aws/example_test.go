package aws_test

import (
	"context"
	"fmt"
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/aws"
)

func ExampleOpen() {
	s, err := aws.Open(context.Background(), vault.Config{Region: "eu-central-1", Getenv: os.Getenv})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s)
	// Output: AWS Secrets Manager in eu-central-1
}
