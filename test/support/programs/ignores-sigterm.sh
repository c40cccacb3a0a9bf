#!/bin/sh
# Ignores SIGTERM, as every child of it does, until it is killed (or a minute is over).
trap '' TERM
echo ready
sleep 60
