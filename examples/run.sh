#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs simdloss into a virtual environment under build/ and evaluates real predictions with it.
# Arguments go to evaluate.py.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/setup.sh

make_venv build/venv
python -m pip install -q '.[examples]'
python examples/evaluate.py "$@"
