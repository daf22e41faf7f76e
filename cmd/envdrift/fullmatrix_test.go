//go:build !integration

package main

// fullMatrix is whether TestHookMatrix tries every state in every repository,
// and TestKilled kills each command more than once.
const fullMatrix = false
