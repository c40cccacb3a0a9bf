#!/bin/sh
# Ends with status 7 when it is asked to.
trap 'echo asked; exit 7' TERM
echo ready
while :; do sleep 0.05; done
