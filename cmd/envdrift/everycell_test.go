//go:build !integration

package main

// everyCell says whether TestHookMatrix tries every state in every repository,
// and TestKilled kills each command more than once.
const everyCell = false
