package drift

var Warnings = warnings
