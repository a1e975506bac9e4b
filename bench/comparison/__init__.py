# SPDX-License-Identifier: Apache-2.0
"""What `bench/compare.py` is made of: workloads, peers, timing, reports."""
