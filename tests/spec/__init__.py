# SPDX-License-Identifier: Apache-2.0
"""Independent definitions of every loss, in exact arithmetic. They share no code with simdloss.

A loss is one `Case` in the module of its family; `CASES` is all of them, in catalogue order.
"""

from . import categorical, classification, hinge, regression, segmentation, similarity
from .case import Case, Options, options_id

CASES: tuple[Case, ...] = (
    *regression.CASES,
    *classification.CASES,
    *hinge.CASES,
    *categorical.CASES,
    *segmentation.CASES,
    *similarity.CASES,
)

__all__ = ["CASES", "Case", "Options", "options_id"]
