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
  for candidate in python3.13 python3.12 python3.11 python3; do
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

[[ -x "$HERE/venv/bin/python" ]] || "$PYTHON" -m venv "$HERE/venv"
PIP=("$HERE/venv/bin/python" -m pip install --quiet)

# torch first: without a GPU its CPU build, where there is one, is gigabytes smaller.
if [[ "$VERSION" == local ]]; then
  TORCH="$(sed -n 's/^torch==//p' "$CHECKOUT/constraints.txt")"
  if ! command -v nvidia-smi >/dev/null 2>&1 && "${PIP[@]}" "torch==$TORCH+cpu" 2>/dev/null; then :; else "${PIP[@]}" "torch==$TORCH"; fi
  "${PIP[@]}" --constraint "$CHECKOUT/constraints.txt" "${CHECKOUT}[xgboost,catboost]"
elif [[ "$VERSION" == stable || "$VERSION" == latest ]]; then
  "${PIP[@]}" --upgrade "autometa[xgboost,catboost]"
else
  "${PIP[@]}" "autometa[xgboost,catboost]==$VERSION"
fi
"${PIP[@]}" --requirement "$HERE/requirements.txt"

mkdir -p "$HERE/.setup"
"$HERE/venv/bin/python" -c 'from autometa import __version__; print(__version__)' >>"$HERE/.setup/installed"
