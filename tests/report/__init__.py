# SPDX-License-Identifier: Apache-2.0
"""Figures that are too long to measure in the test suite, as Markdown."""
