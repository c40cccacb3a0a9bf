#!/usr/bin/env bash
# The linter with its type-aware rules, the import table and the house's words. Needs a build (dist).
set -euo pipefail
cd "$(dirname "$0")/.."
node_modules/.bin/oxlint --type-aware --deny-warnings
node dist/scripts/check-house.js
