package keystore

func backends(func(string) string) []backend { return []backend{keychain{"/usr/bin/security"}} }
