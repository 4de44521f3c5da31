package script

// FaultKeys are those that the language has, for the test of its document.
var FaultKeys = faultKeys()
