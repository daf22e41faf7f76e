//go:build integration

package main

const everyCell = true
