// Package coredump keeps the memory of a process that holds keys out of core dumps
// and, where the system can, from other processes of the user.
package coredump
