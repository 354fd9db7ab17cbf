package console

// Length is for the tests of the widths.
var Length = length
