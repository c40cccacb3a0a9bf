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
    'dist/test/system/**/*.test.js' 'dist/test/controller/webhooks/*.test.js' 'dist/test/{agent,cli}/**/*.test.js' \
    'dist/test/controller/{*,!(webhooks)/**/*}.test.js' 'dist/test/{proto,simulator,workshop}/**/*.test.js'
}

# Where the tests write what nobody keeps: in memory when there is room that programs can run in, unless somebody says where.
folder_in_memory() {
  local folder probe=/dev/shm/fraisier-probe.$$ free
  [[ -z ${TMPDIR:-} ]] || return 0
  free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -1) || return 0
  [[ ${free:-0} -gt 3000000 ]] || return 0
  if printf '#!/bin/sh\n' >"$probe" && chmod +x "$probe" && "$probe"; then
    folder=$(mktemp -d /dev/shm/fraisier-tests.XXXXXX) && chmod 1777 "$folder" && printf '%s' "$folder"
  fi 2>/dev/null
  rm -f "$probe"
}

stage build bash scripts/build.sh
stage checks checks
rm -rf coverage
in_memory=$(folder_in_memory)
if [[ -n $in_memory ]]; then
  export TMPDIR=$in_memory
  trap 'rm -rf "$in_memory"' EXIT
fi
stage tests tests
stage coverage node dist/scripts/check-coverage.js coverage/coverage-summary.json
