package report

var DrawProgress = (*Printer).progress
