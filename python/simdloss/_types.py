# SPDX-License-Identifier: Apache-2.0
"""What annotations of the public functions and classes say."""

from typing import Any, TypeAlias

# Whatever turns into an array of real numbers: ndarrays, lists, scalars, pandas objects, and
# anything with __array__ or, on the CPU, __dlpack__.
ArrayLike: TypeAlias = Any
# A NumPy scalar or an ndarray, as shapes and options decide; so NumPy's own reductions are typed.
Result: TypeAlias = Any
Axis: TypeAlias = "int | tuple[int, ...] | list[int] | None"
# A dtype name, numpy.dtype, scalar type or dtype policy.
DTypeLike: TypeAlias = Any
