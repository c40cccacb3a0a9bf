#!/bin/sh
# Prints its folder, its environment and its arguments, one a line.
pwd
env
for word in "$@"; do printf 'argument <%s>\n' "$word"; done
echo 'to standard error' >&2
