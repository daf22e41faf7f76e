//go:build integration

package main

const fullMatrix = true
