# SPDX-License-Identifier: Apache-2.0
"""What several tests and reports share: variants of losses, memory layouts, comparisons."""
