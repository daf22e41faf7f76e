package aws_test

import (
	"os"
	"strings"
	"testing"
)

// TestMain hides the machine's own AWS configuration, which the SDK would find.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	home, err := os.MkdirTemp("", "aws-home")
	if err != nil {
		panic(err)
	}
	for name, value := range map[string]string{"HOME": home, "USERPROFILE": home, "AWS_EC2_METADATA_DISABLED": "true"} {
		_ = os.Setenv(name, value)
	}
	status := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(status)
}
