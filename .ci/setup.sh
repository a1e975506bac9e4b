# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts that install what they need: Debian packages and a virtual environment.

# need COMMAND-OR-FILE PACKAGE ...: installs the packages whose command or file is missing.
need() {
  local missing=() sudo=()
  while [ $# -gt 0 ]; do
    [ -e "$1" ] || command -v "$1" >/dev/null || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      echo "Missing Debian packages; as root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -qq -y --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# make_venv DIRECTORY: creates and activates a virtual environment, for whose Python extension
# modules can be built.
make_venv() {
  need g++ g++ python3 python3
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    { echo "Python 3.10 or newer is needed" >&2; return 1; }
  # Debian's own Python comes without these two.
  python3 -c 'import ensurepip' 2>/dev/null || need no-ensurepip python3-venv
  need "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" python3-dev
  [ -e "$1/bin/activate" ] || python3 -m venv "$1"
  # shellcheck disable=SC1091
  . "$1/bin/activate"
}

stage() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
