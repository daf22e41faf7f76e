package edit

// guard does nothing: a process that is killed leaves its folder, which is in the
// user's own profile.
func guard(string) (stop func(), err error) { return func() {}, nil }

func private(string) error { return nil }
