"""One example per datatype, in its binary form."""

from __future__ import annotations

import numpy as np
from served import TYPES

__all__ = ["TYPES", "example"]

_NUMPY = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}


def example(name: str) -> bytes:
    """Two elements."""
    if name == "BYTES":
        return b"\x03\0\0\0abc\x02\0\0\0\xff\xfe"
    if name == "BF16":
        return b"\x80\x3f\x20\x41"  # 1 and 10
    dtype = _NUMPY.get(name) or f"<{'u' if name.startswith('U') else 'i'}{int(name.lstrip('UINT')) // 8}"
    return np.array([1, 0], dtype).tobytes()
