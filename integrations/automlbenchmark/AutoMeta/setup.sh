#!/usr/bin/env bash
# Makes the environment of AutoMeta in ./venv: setup.sh [VERSION], "local" for the checkout that this file is in.
# It is not the benchmark's shared one: that has its own Python and pins that AutoMeta is too new for.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
VERSION="${1:-local}"
CHECKOUT="$(cd "$HERE/../../.." && pwd -P)"

# Python 3.11 or later: the one that AUTOMETA_PYTHON names, else the first that is found.
PYTHON="${AUTOMETA_PYTHON:-}"
if [[ -z "$PYTHON" ]]; then
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      PYTHON="$candidate"
      break
    fi
  done
fi
if [[ -z "$PYTHON" ]]; then
  echo "AutoMeta needs Python 3.11 or later: install one, or name it in AUTOMETA_PYTHON" >&2
  exit 1
fi

# The benchmark ends a set-up that prints nothing for ten minutes, and an installation can be as quiet as that.
EVERY="${AUTOMETA_SETUP_SPEAKS_EVERY:-60}"
(while sleep "$EVERY" </dev/null >/dev/null 2>&1; do echo "AutoMeta: still installing, $SECONDS s so far"; done) &
SPEAKER=$!
trap 'kill "$SPEAKER" 2>/dev/null || true' EXIT

echo "AutoMeta: an environment with $("$PYTHON" --version) in $HERE/venv"
[[ -x "$HERE/venv/bin/python" ]] || "$PYTHON" -m venv "$HERE/venv"
PIP=("$HERE/venv/bin/python" -m pip install --progress-bar off)

# torch first: without a GPU its CPU build, where there is one, is gigabytes smaller.
if [[ "$VERSION" == local ]]; then
  TORCH="$(sed -n 's/^torch==//p' "$CHECKOUT/constraints.txt")"
  if ! command -v nvidia-smi >/dev/null 2>&1 && "${PIP[@]}" "torch==$TORCH+cpu" 2>/dev/null; then :; else "${PIP[@]}" "torch==$TORCH"; fi
  "${PIP[@]}" --constraint "$CHECKOUT/constraints.txt" "${CHECKOUT}[xgboost,catboost]"
elif [[ "$VERSION" == stable || "$VERSION" == latest ]]; then
  "${PIP[@]}" --upgrade "autometa-ml[xgboost,catboost]"
else
  "${PIP[@]}" "autometa-ml[xgboost,catboost]==$VERSION"
fi
"${PIP[@]}" --requirement "$HERE/requirements.txt"

mkdir -p "$HERE/.setup"
"$HERE/venv/bin/python" -c 'from autometa import __version__; print(__version__)' >>"$HERE/.setup/installed"
