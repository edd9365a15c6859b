#!/usr/bin/env bash
# SSH: one search on some workstations. Run with: ./ssh.sh data.parquet HOST HOST ...
# On each of them autometa of the same version is on the PATH of a login shell.
set -euo pipefail

data=${1:?which table}
shift
(($#)) || { echo "which hosts" >&2; exit 2; }
keys=${AUTOMETA_KEYS:-$HOME/autometa-keys}
port=${AUTOMETA_PORT:-8786}
me=${AUTOMETA_HOST:-$(hostname -f)}
ssh=${AUTOMETA_SSH:-ssh}

[[ -d $keys ]] || autometa cluster keys "$keys"
autometa cluster head --host 0.0.0.0 --port "$port" --tls "$keys" &
head=$!
trap 'kill $head 2>/dev/null || true' EXIT
sleep 10

for host in "$@"; do
  tar -C "$keys" -cf - . | $ssh "$host" "umask 077; mkdir -p .autometa-keys && tar -C .autometa-keys -xf -"
  $ssh "$host" "bash -lc 'autometa worker tls://$me:$port --tls .autometa-keys'" &
done
sleep 30

autometa fit "$data" --cluster "tls://$me:$port" --tls "$keys" --time 10m --run run
