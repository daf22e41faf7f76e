package main

// hideMemory does nothing: Windows keeps dumps only where it is told to.
func hideMemory() (show func()) { return func() {} }
