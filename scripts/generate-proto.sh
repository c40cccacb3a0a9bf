#!/usr/bin/env bash
# Writes proto/gen from proto/fraisier: offline, with the compiler and plugin of the lock file.
# With --check it writes elsewhere and fails when proto/gen differs.
set -euo pipefail
cd "$(dirname "$0")/.."
out=proto/gen
if [[ ${1:-} == --check ]]; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"
options=outputServices=grpc-js,oneof=unions-value,stringEnums=true,enumsAsLiterals=true,removeEnumPrefix=true
options+=,useReadonlyTypes=true,esModuleInterop=true,importSuffix=.js,env=node,outputJsonMethods=false
options+=,outputPartialMethods=true,forceLong=number,useOptionals=none,snakeToCamel=true,useExactTypes=false
node_modules/.bin/protoc -I proto --plugin=protoc-gen-ts_proto=node_modules/.bin/protoc-gen-ts_proto \
  --ts_proto_out="$out" --ts_proto_opt="$options" proto/fraisier/v1/*.proto
if [[ ${1:-} == --check ]]; then
  diff -r "$out" proto/gen || { echo 'proto/gen differs from proto/fraisier: run npm run generate' >&2; exit 1; }
fi
