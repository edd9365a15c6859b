#!/usr/bin/env bash
# Slurm: one search on eight nodes. Submit with: sbatch slurm.sh data.parquet
# The folder of certificates lies in the home directory, which all nodes share: autometa cluster keys ~/autometa-keys
#SBATCH --job-name=autometa
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=01:00:00
set -euo pipefail

data=${1:?which table}
keys=${AUTOMETA_KEYS:-$HOME/autometa-keys}
port=${AUTOMETA_PORT:-8786}
host=$(hostname -f)

autometa cluster head --host 0.0.0.0 --port "$port" --tls "$keys" &
head=$!
trap 'kill $head 2>/dev/null || true' EXIT
sleep 10

# One worker on each node; they end with the scheduler.
srun --overlap --cpus-per-task="${SLURM_CPUS_PER_TASK:-8}" \
  autometa worker "tls://$host:$port" --cores "${SLURM_CPUS_PER_TASK:-8}" --max-ram 28GB --tls "$keys" &
sleep 30

autometa fit "$data" --cluster "tls://$host:$port" --tls "$keys" --time 30m --run "run-${SLURM_JOB_ID:-here}"
