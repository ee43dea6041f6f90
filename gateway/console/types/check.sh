#!/usr/bin/env bash
# Checks the types of the console's sources with TypeScript: `check.sh PYTHON`. Nothing is built.
# Without npm or its packages it says so; that is an error only if REQUIRE_NODE is set.
set -euo pipefail
python=$(realpath --no-symlinks "$1")
cd "$(dirname "$0")"
skip() {
  echo "$1: the types of the console's sources are not checked"
  [ -z "${REQUIRE_NODE:-}" ]
  exit
}
command -v npm > /dev/null || skip "npm is not on PATH"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || skip "npm cannot install its packages"
fi
(cd ../../.. && "$python" -c 'import json; from gateway.app import ENDPOINTS; from gateway.documents.openapi import openapi; print(json.dumps(openapi(ENDPOINTS)))') > openapi.json
npx openapi-typescript openapi.json --output api.d.ts > /dev/null
npx tsc --project .
