#!/bin/sh
# Dies by the signal given.
kill -s "$1" $$
sleep 60
