#!/bin/sh
# Ends at once and leaves a child that holds its standard output open.
sleep 60 &
echo "left $!"
