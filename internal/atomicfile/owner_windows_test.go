package atomicfile_test

import "testing"

func owner(*testing.T, string) string { return "" }
