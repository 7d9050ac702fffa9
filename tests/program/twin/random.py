"""Random numbers as functions of (seed, stream, node, step, index): Philox4x32-10, and permutations made of it."""

import math

import numpy as np

COMPRESS = 7  # the stream
NO_NODE = 2**32 - 1


def random_bits(seed, stream, node, step, index):
    """Four words of 32 bits for every element of the array `index`: [..., 4]."""
    index = np.asarray(index, np.uint64)
    word, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    full = lambda value: np.full(index.shape, value % 2**32, np.uint64)
    c = [index & word, full(step), full(node), full(stream)]
    key0, key1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        product0, product1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(product1 >> shift) ^ c[1] ^ np.uint64(key0), product1 & word,
             (product0 >> shift) ^ c[3] ^ np.uint64(key1), product0 & word]
        key0, key1 = (key0 + 0x9E3779B9) % 2**32, (key1 + 0xBB67AE85) % 2**32
    return np.stack(c, axis=-1)


def random_normal(seed, stream, node, step, index):
    words = [int(word) for word in random_bits(seed, stream, node, step, index)]
    first, second = ((((high << 32 | low) >> 12) + 0.5) * 2.0**-52 for high, low in (words[:2], words[2:]))
    return math.sqrt(-2 * math.log(first)) * math.cos(2 * math.pi * second)


def random_permutation(seed, stream, node, step, index, count):
    """The places of the items `index` in the order of `count` items: a Feistel cipher, walked until it ends below count."""
    low_bits = 1
    while 4**low_bits < count:
        low_bits += 1
    low_mask, high_count = 2**low_bits - 1, ((count - 1) >> low_bits) + 1
    index = np.array(index, np.int64)
    walks = np.full(index.shape, True)
    while walks.any():
        high, low = index >> low_bits, index & low_mask
        for turn in range(6):
            half = low if turn % 2 == 0 else high
            bits = random_bits(seed, stream, node, step, half ^ (turn << 24))[..., 0].astype(np.int64)
            if turn % 2 == 0:
                high = (high + (bits * high_count >> 32)) % high_count
            else:
                low = low ^ (bits & low_mask)
        index = np.where(walks, high << low_bits | low, index)
        walks = index >= count
    return index
