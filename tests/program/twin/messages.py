"""What a node sends: the exact top-k of a row, and its encoding on the wire."""

import math
import struct

import numpy as np


def kept(keep, size):
    """Entries that top-k keeps of `size`."""
    return max(1, math.floor(keep * size + 1e-9))


def top_k(v, sizes, scope, keep):
    """Ascending indices of the entries that are kept of the row v, whose segments have `sizes` elements."""
    bounds = np.cumsum([0, *sizes]) if scope == "layer" else np.array([0, len(v)])
    chosen = []
    for begin, end in zip(bounds[:-1], bounds[1:]):
        order = np.argsort(-np.abs(v[begin:end]), kind="stable")  # stable: ties keep the lower index
        chosen.append(begin + order[: kept(keep, end - begin)])
    return np.sort(np.concatenate(chosen))


def leb128(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def encode(u, indices, values, params):
    """The bytes of one sparse message: u, number of entries, kind of index encoding, indices, values."""
    gaps = b"".join(leb128(int(gap)) for gap in np.diff(indices, prepend=-1) - 1)
    bitmap = bytearray(-(-params // 8))
    for index in indices:
        bitmap[index // 8] |= 1 << index % 8
    kind, encoded = (0, gaps) if len(gaps) <= len(bitmap) else (1, bytes(bitmap))
    return struct.pack("<dIB", u, len(indices), kind) + encoded + values.astype("<f4").tobytes()
