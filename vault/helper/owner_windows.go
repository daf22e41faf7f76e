package helper

import (
	"io/fs"
	"os"
)

// stop ends a process.
func stop(p *os.Process) error { return p.Kill() }

// changeable is the function of unix; Windows has no modes that would say it.
func changeable(string, fs.FileInfo, fs.FileMode, fs.FileInfo) string { return "" }
