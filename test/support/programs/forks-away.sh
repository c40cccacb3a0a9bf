#!/bin/sh
# Becomes a daemon: its child leaves the process group and the session.
setsid sh -c 'echo "away $$"; exec sleep 60' &
exit 0
