#!/bin/sh
# Prints this many bytes (200 MB unless told) as fast as it can.
head -c "${1:-200000000}" /dev/zero | tr '\0' 'x'
