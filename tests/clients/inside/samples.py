"""One array per datatype of the protocol: two rows of two, with the extremes that the type can hold."""

from __future__ import annotations

import ml_dtypes
import numpy as np

_INTEGERS = {
    f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits}") for kind in ("UINT", "INT") for bits in (8, 16, 32, 64)
}

SAMPLES: dict[str, np.ndarray] = {
    "BOOL": np.array([[True, False], [False, True]]),
    **{
        name: np.array([[np.iinfo(dtype).min, np.iinfo(dtype).max], [0, 1]], dtype)
        for name, dtype in _INTEGERS.items()
    },
    "FP16": np.array([[0.5, -65504], [6e-8, 1]], np.float16),
    "BF16": np.array([[0.5, -3e38], [1.0078125, 1]], ml_dtypes.bfloat16),
    "FP32": np.array([[0.1, -3.4e38], [1e-45, 1]], np.float32),
    "FP64": np.array([[0.1, -1.7e308], [5e-324, 1]]),
    "BYTES": np.array([["plain", "naïve ✓"], ["", 'quo"te\n']], dtype=object),
}
"""Datatype to its array [2, 2]."""

RAW_BYTES = np.array([[b"\x00\xff\xfe", b""], [b"\n", bytes(range(256))]], dtype=object)
"""Bytes that are no text, which only the binary form carries."""


def same(got: np.ndarray, sent: np.ndarray) -> bool:
    """Whether each element came back as it was; text comes back as its bytes in UTF-8."""
    if sent.dtype == object:
        wanted = [one.encode() if isinstance(one, str) else one for one in sent.ravel()]
        return [one.encode() if isinstance(one, str) else one for one in got.ravel()] == wanted
    return got.dtype == sent.dtype and np.array_equal(got, sent)
