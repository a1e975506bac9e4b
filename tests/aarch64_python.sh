#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes Debian's Python for AArch64, with what the smoke tests need, in a folder, to be run by
# qemu-user; DIRECTORY/python starts it. The packages of this machine are left alone.
#   bash tests/aarch64_python.sh DIRECTORY
set -euo pipefail
directory=$(realpath -m "$1")
[ ! -e "$directory/python" ] || exit 0

apt=$directory/apt
mkdir -p "$apt"/{lists/partial,cache/archives/partial} "$directory/system"
: >"$apt/status"
options=(-qq -o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
  -o APT::Architecture=arm64 -o APT::Architectures=arm64)
apt-get "${options[@]}" update
apt-get "${options[@]}" install -y --no-install-recommends --download-only \
  python3-minimal libpython3-stdlib libgomp1 libstdc++6 >/dev/null
for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$directory/system"; done

version=$(cd "$directory/system/usr/bin" && echo python3.*)
version=${version#python}
platforms=()
for glibc in 2_36 2_28 2_27 2_17; do platforms+=(--platform "manylinux_${glibc}_aarch64"); done
python -m pip install -q --target "$directory/packages" "${platforms[@]}" --only-binary :all: \
  --python-version "$version" hypothesis ml_dtypes mpmath numpy pytest
cat >"$directory/python" <<END
#!/bin/sh
export PYTHONPATH=$directory/packages:\$PYTHONPATH
exec qemu-aarch64-static -L $directory/system $directory/system/usr/bin/python$version "\$@"
END
chmod +x "$directory/python"
