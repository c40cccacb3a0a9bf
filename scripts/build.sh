#!/usr/bin/env bash
# Compiles everything into dist, from nothing: what a deleted source file once made is not there any more.
# What people start is dist/bundle/bin.js, the same in few files.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf dist
node_modules/.bin/tsc
node dist/scripts/bundle.js
chmod +x dist/bundle/bin.js
