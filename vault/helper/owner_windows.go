package helper

import "io/fs"

// changeable is the function of unix; Windows has no modes that would say it.
func changeable(string, fs.FileInfo, fs.FileMode, fs.FileInfo) string { return "" }
