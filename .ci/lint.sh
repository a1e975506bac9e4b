#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formatters, linters and type checkers, none of which changes a file.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/setup.sh

make_venv build/venv
need clang-format-14 clang-format-14 clang-tidy-14 clang-tidy-14 clang++-14 clang-14 \
  /usr/include/doctest/doctest.h doctest-dev
# mypy reads the types of what is imported. Warnings are errors as in the builds that follow, which
# so find in a compiler cache what this one compiles.
python -m pip install -q --config-settings cmake.define.SIMDLOSS_WERROR=ON cmake ninja '.[dev]'

stage clang-format
git ls-files '*.h' '*.hpp' '*.c' '*.cpp' | xargs clang-format-14 --dry-run -Werror

stage ruff
ruff check .
ruff format --check .

stage mypy
mypy

# With the flags of a build by Clang, which is what clang-tidy understands.
stage clang-tidy
cmake --preset clang >/dev/null
git ls-files 'cpp/src/*.cpp' | grep -v -e isa/neon |
  xargs -P 2 -n 1 clang-tidy-14 -p build/clang --quiet --warnings-as-errors='*'
