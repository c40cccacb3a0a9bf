#!/usr/bin/env bash
# Compiles everything into dist, from nothing: what a deleted source file once made is not there any more.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf dist
node_modules/.bin/tsc
chmod +x dist/cli/bin.js
