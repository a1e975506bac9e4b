# SPDX-License-Identifier: Apache-2.0
"""Every loss as a function, which gives the loss of each row, and as a class, which reduces.

Names, argument order and defaults are those of `keras.losses`.
"""

from typing import TYPE_CHECKING, Any

from simdloss._loss import Loss as Loss
from simdloss._registry import derive as _derive
from simdloss.losses import categorical as _categorical
from simdloss.losses import classification as _classification
from simdloss.losses import custom as _custom
from simdloss.losses import gradients as _gradients
from simdloss.losses import hinge as _hinge
from simdloss.losses import identifiers as _identifiers
from simdloss.losses import regression as _regression
from simdloss.losses import segmentation as _segmentation
from simdloss.losses import sequence as _sequence
from simdloss.losses import similarity as _similarity
from simdloss.losses.categorical import *  # noqa: F403
from simdloss.losses.classification import *  # noqa: F403
from simdloss.losses.custom import *  # noqa: F403
from simdloss.losses.gradients import *  # noqa: F403
from simdloss.losses.hinge import *  # noqa: F403
from simdloss.losses.identifiers import *  # noqa: F403
from simdloss.losses.regression import *  # noqa: F403
from simdloss.losses.segmentation import *  # noqa: F403
from simdloss.losses.sequence import *  # noqa: F403
from simdloss.losses.similarity import *  # noqa: F403

# Type checkers go by the star imports: mypy loses a list that is put together from others.
if not TYPE_CHECKING:
    __all__ = ["Loss", *_classification.__all__, *_hinge.__all__, *_regression.__all__]
    __all__ += [*_categorical.__all__, *_segmentation.__all__, *_similarity.__all__]
    __all__ += [*_sequence.__all__, *_custom.__all__, *_identifiers.__all__, *_gradients.__all__]

    def __getattr__(name: str) -> Any:
        raise _identifiers.missing(__name__, name)

    def __dir__() -> list[str]:
        return sorted(__all__)


REGISTRY = _derive(globals())
