#!/bin/sh
# Prints bytes that are no text in any encoding, and no line end.
printf '\000\377\376\200\001'
