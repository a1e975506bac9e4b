#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need and runs all of them, or only the stages that are named:
#   bash tests/run.sh [cpp] [instructions] [python] [consumer] [no-openmp] [clang] [neon] [sanitizers]
# Debian packages are installed with apt-get if missing; everything else goes under build/.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/setup.sh

stages=("$@")
[ $# -gt 0 ] || stages=(cpp instructions python consumer no-openmp clang neon sanitizers)

make_venv build/venv
need /usr/include/doctest/doctest.h doctest-dev
python -m pip install -q cmake ninja

# Configures, builds and runs the C++ tests of a preset; --fresh as an older build directory may
# have been made by another compiler or version of CMake.
run_preset() {
  cmake --preset "$1" --fresh >"build/$1.log" || { cat "build/$1.log"; return 1; }
  cmake --build --preset "$1"
  ctest --preset "$1" -j 2
}

stage_cpp() { run_preset default; }

# How many instructions kernels take, against the counts in bench/instructions.json.
stage_instructions() {
  need valgrind valgrind
  python bench/instructions.py
}

# The package as users get it: a wheel, built in isolation, in a virtual environment.
stage_python() {
  need pkg-config pkg-config clang++-14 clang-14
  python -m pip install -q '.[test]'
  python -m pytest -n 2
}

# The core without Python: installed (by CMake and pkg-config) and as a part of another project.
stage_consumer() {
  need pkg-config pkg-config
  local prefix=$PWD/build/prefix out=build/consumer
  rm -rf "$prefix" "$out"
  cmake --preset default >/dev/null
  cmake --build --preset default --target simdloss
  cmake --install build/default --prefix "$prefix" --component core >/dev/null
  cmake -G Ninja -S tests/consumer -B $out/installed -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
  cmake --build $out/installed
  $out/installed/consumer
  cmake -G Ninja -S tests/consumer -B $out/embedded -DCMAKE_BUILD_TYPE=Debug \
    -DSIMDLOSS_SOURCE_DIR="$PWD" >/dev/null
  cmake --build $out/embedded
  $out/embedded/consumer
  local flags
  flags=$(PKG_CONFIG_PATH=$(dirname "$prefix"/lib*/pkgconfig/simdloss.pc) \
    pkg-config --cflags --libs simdloss)
  # shellcheck disable=SC2086
  g++ -std=c++17 tests/consumer/main.cpp $flags -o $out/plain
  $out/plain
}

stage_no-openmp() { run_preset no-openmp; }

stage_clang() {
  need clang++-14 clang-14
  run_preset clang
}

stage_neon() {
  need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu qemu-aarch64-static qemu-user-static
  run_preset aarch64
}

stage_sanitizers() {
  run_preset asan-ubsan
  run_preset tsan
}

for name in "${stages[@]}"; do
  declare -F "stage_$name" >/dev/null || { echo "no such stage: $name" >&2; exit 2; }
  stage "$name"
  "stage_$name"
done
stage 'all passed'
