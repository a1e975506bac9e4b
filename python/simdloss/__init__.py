# SPDX-License-Identifier: Apache-2.0
"""Keras's losses on plain arrays, computed by SIMD kernels, the same to the last bit everywhere."""

from typing import TYPE_CHECKING

from simdloss import losses as losses
from simdloss import runtime as _runtime
from simdloss import utils as utils
from simdloss._core import PartialSums as PartialSums
from simdloss._core import __version__ as __version__
from simdloss.losses import *  # noqa: F403
from simdloss.runtime import *  # noqa: F403
from simdloss.utils import *  # noqa: F403

if not TYPE_CHECKING:  # as in simdloss.losses
    __all__ = ["PartialSums", "__version__", "losses", "utils"]
    __all__ += [*losses.__all__, *_runtime.__all__, *utils.__all__]
