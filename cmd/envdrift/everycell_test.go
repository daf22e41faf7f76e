//go:build !integration

package main

// everyCell says whether TestHookMatrix tries every state in every repository.
const everyCell = false
