# SPDX-License-Identifier: Apache-2.0
"""Keras's losses on plain arrays, computed by SIMD kernels, the same to the last bit everywhere."""

from typing import TYPE_CHECKING, Any

from simdloss import _package
from simdloss import losses as losses
from simdloss import runtime as _runtime
from simdloss import utils as utils
from simdloss._core import PartialSums as PartialSums
from simdloss._core import __version__ as __version__
from simdloss._package import *  # noqa: F403
from simdloss.losses import *  # noqa: F403
from simdloss.runtime import *  # noqa: F403
from simdloss.utils import *  # noqa: F403

if TYPE_CHECKING:  # as in simdloss.losses
    from simdloss import compat as compat
else:
    __all__ = ["PartialSums", "__version__", "losses", "utils"]
    __all__ += [*losses.__all__, *_runtime.__all__, *utils.__all__, *_package.__all__]

    def __getattr__(name: str) -> Any:
        """`compat`, which is imported when it is first used."""
        if name == "compat":
            from importlib import import_module

            return import_module("simdloss.compat")
        raise losses._identifiers.missing(__name__, name)

    def __dir__() -> list[str]:
        return sorted([*__all__, "compat"])
