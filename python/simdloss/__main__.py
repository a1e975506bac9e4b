# SPDX-License-Identifier: Apache-2.0
"""`python -m simdloss`: what runs here, and where the C++ package is."""

from __future__ import annotations

import argparse
import os
import sys

import simdloss

DIRECTORIES = {
    "--include-dir": (simdloss.get_include, "print the directory of the C++ headers"),
    "--cmake-dir": (simdloss.get_cmake_dir, "print the directory for -Dsimdloss_DIR="),
    "--library-dir": (simdloss.get_library_dir, "print the directory of the C++ library"),
    "--pkgconfig-dir": (simdloss.get_pkgconfig_dir, "print the directory for PKG_CONFIG_PATH"),
}


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    parser = argparse.ArgumentParser("python -m simdloss", description=__doc__)
    one_of = parser.add_mutually_exclusive_group(required=True)
    one_of.add_argument("command", nargs="?", choices=["info"], help="print what runs and why")
    one_of.add_argument("--version", action="version", version=simdloss.__version__)
    for option, (_, text) in DIRECTORIES.items():
        one_of.add_argument(option, dest="option", action="store_const", const=option, help=text)
    chosen = parser.parse_args(argv)
    try:
        if chosen.command == "info":
            simdloss.show_config()
        else:
            print(DIRECTORIES[chosen.option][0]())
        sys.stdout.flush()
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads has enough, as in `info | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
