"""Fused multiply-add that rounds once, which NumPy does not have."""

import ctypes
import ctypes.util

import numpy as np

_libm = ctypes.CDLL(ctypes.util.find_library("m"))
fma = _libm.fma  # of doubles
fma.argtypes, fma.restype = [ctypes.c_double] * 3, ctypes.c_double
fmaf = _libm.fmaf  # of floats
fmaf.argtypes, fmaf.restype = [ctypes.c_float] * 3, ctypes.c_float


def fma32(a, b, c):
    """a * b + c for float32 arrays, rounded once.

    The product is exact in float64. Its sum with c is rounded to odd there, which keeps enough of what was cut off for
    the rounding to float32 to be right (Boldo and Melquiond 2008).
    """
    a, b, c = (np.asarray(part, np.float32).astype(np.float64) for part in (a, b, c))
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        product = a * b
        total = np.atleast_1d(product + c)
        rest = total - product
        error = (product - (total - rest)) + (c - rest)  # exact: Knuth's two-sum
        bits = total.view(np.int64)
        to_odd = (error != 0) & np.isfinite(total) & (bits & 1 == 0)
        bits += np.where(to_odd, np.where((error > 0) == (total > 0), 1, -1), 0)
        return total.astype(np.float32).reshape(np.shape(product + c))
