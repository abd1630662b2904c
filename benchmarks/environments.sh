#!/usr/bin/env bash
# Make the environments that only the benchmarks need: benchmarks/.venv-tensorflow, .venv-torch.
# vidclass itself, and the example on JAX, run in the environment of `scripts/env dev,quantize`.
# On Linux the plain torch brings CUDA; its CPU build computes the same and is far smaller.
set -euo pipefail
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
for name in tensorflow torch; do
  [ -x ".venv-$name/bin/python" ] || "$python" -m venv ".venv-$name"
  ".venv-$name/bin/python" -m pip install --quiet --disable-pip-version-check \
    -r "requirements-$name.txt"
done
