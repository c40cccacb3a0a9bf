#!/usr/bin/env bash
# What `npm test` runs: build, lint, format, generated code, then every test that needs no root, with coverage gates.
# With DATABASE_URL set, the tests use that PostgreSQL server instead of the embedded one.
set -euo pipefail
cd "$(dirname "$0")/.."

stage() {
  local name=$1 started=$SECONDS
  shift
  if "$@"; then
    printf '%-14s ok   %3d s\n' "$name" $((SECONDS - started))
  else
    printf '%-14s FAILED\n' "$name" >&2
    exit 1
  fi
}

# Side by side: each keeps one core busy.
checks() {
  local pids=() failed=0 pid
  bash scripts/lint.sh & pids+=($!)
  node_modules/.bin/oxfmt --list-different & pids+=($!)
  bash scripts/generate-proto.sh --check & pids+=($!)
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

# The longest first, so that none is left alone at the end.
tests() {
  node_modules/.bin/c8 node_modules/.bin/mocha --parallel --jobs 4 --require dist/test/support/root-hooks.js \
    --reporter dot --forbid-only --forbid-pending --fail-zero \
    'dist/test/system/**/*.test.js' 'dist/test/{agent,cli,controller,proto,simulator,workshop}/**/*.test.js'
}

stage build bash scripts/build.sh
stage checks checks
rm -rf coverage
stage tests tests
stage coverage node dist/scripts/check-coverage.js coverage/coverage-summary.json
