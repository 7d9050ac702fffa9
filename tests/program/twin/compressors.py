"""Compressors: what a node sends of v, and what its message costs.

compress(v, ...) returns (indices, q there, (authors, coo32, wire)); what is left of v is v - q.
"""

import math

import numpy as np

from twin.arithmetic import fma32
from twin.messages import encode, kept, top_k
from twin.random import COMPRESS, NO_NODE, random_bits, random_normal, random_permutation

HEADER = 13
f32 = np.float32


def ordered_sum(terms):
    """Sums of float64 along the last axis: term j goes to partial sum j mod 16, and these are added up in order."""
    total = np.zeros(terms.shape[:-1])
    for lane in range(16):
        part = terms[..., lane::16]
        if part.shape[-1]:
            total = total + np.cumsum(part, axis=-1)[..., -1]
    return total


def bfloat16(values):
    bits = values.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(f32)


def headed(size):
    return 4 + size, 4 + size, HEADER + size


class Compressor:
    """One replica's; `factor` [nodes, ...] is what low_rank begins its next messages with."""

    def __init__(self, settings, sizes, shapes, nodes, unbiased):
        self.settings, self.sizes, self.unbiased = settings, sizes, unbiased
        self.shapes = [(size, 1) for size in sizes] if shapes is None else [tuple(map(int, s)) for s in shapes]
        self.bounds = np.cumsum([0, *sizes])
        self.padded = np.cumsum([0, *(-(-size // 4) * 4 for size in sizes)])
        self.factor = np.tile(self.first_factor(), (nodes, 1))

    def compress(self, v, u, node, number):
        return getattr(self, self.settings.compressor)(v, u, node, number)

    def tensors(self, v):
        return [v[begin:end] for begin, end in zip(self.bounds[:-1], self.bounds[1:])]

    def values_at(self, v, chosen):
        return v[chosen] if self.settings.value_bits == 32 else bfloat16(v[chosen])

    def identity(self, v, u, node, number):
        return np.arange(len(v)), v.copy(), (4 * len(v) + 4,) * 3

    def top_k(self, v, u, node, number):
        chosen = top_k(v, self.sizes, self.settings.scope, self.settings.keep)
        values, of_values = self.values_at(v, chosen), len(chosen) * self.settings.value_bits // 8
        wire = len(encode(u, chosen, values, len(v))) - 4 * len(chosen) + of_values
        return chosen, values, (of_values + 2 * len(chosen) + 3, of_values + 4 * len(chosen) + 4, wire)

    def random_k(self, v, u, node, number):
        settings = self.settings
        groups = [(l, begin, size) for l, (begin, size) in enumerate(zip(self.bounds, self.sizes))]
        if settings.scope == "global":
            groups = [(NO_NODE, 0, len(v))]
        chosen = [begin + random_permutation(settings.seed, COMPRESS, group, number, range(kept(settings.keep, size)), size)
                  for group, begin, size in groups]
        chosen = np.sort(np.concatenate(chosen))
        return chosen, self.values_at(v, chosen), headed(len(chosen) * settings.value_bits // 8)

    def qsgd(self, v, u, node, number):
        q, s = [], self.settings.levels
        for l, tensor in enumerate(self.tensors(v)):
            n, wide = len(tensor), tensor.astype(np.float64)
            norm = f32(math.sqrt(ordered_sum(wide * wide)))
            omega = 0.0 if self.unbiased else min(n / (s * s), math.sqrt(n) / s)
            positions = self.padded[l] + np.arange(n)
            words = random_bits(self.settings.seed, COMPRESS, node, number, positions // 4)[np.arange(n), positions % 4]
            chance = (words >> np.uint64(8)).astype(f32) * f32(2.0**-24)
            inverse, step = f32(0), f32(0)
            if norm >= f32(2.0**-100):
                inverse, step = f32(s / float(norm)), f32(float(norm) / (s * (1 + omega)))
            y = np.abs(tensor) * inverse
            level = np.minimum(np.floor(y) + (chance < y - np.floor(y)).astype(f32), f32(s))
            q.append(np.copysign(level * step, tensor))
        bits = 1 + math.ceil(math.log2(s + 1))
        return np.arange(len(v)), np.concatenate(q), headed(sum(4 + -(-n * bits // 8) for n in self.sizes))

    def sign(self, v, u, node, number):
        q = []
        for tensor in self.tensors(v):
            scale = f32(ordered_sum(np.abs(tensor).astype(np.float64)) / len(tensor))
            q.append(np.copysign(np.full(len(tensor), scale, f32), tensor))
        return np.arange(len(v)), np.concatenate(q), headed(sum(4 + -(-n // 8) for n in self.sizes))

    def rank_of(self, shape):
        """0: sent as it is."""
        rows, columns = shape
        rank = min(self.settings.rank, rows, columns)
        return 0 if min(rows, columns) == 1 or rank * (rows + columns) >= rows * columns else rank

    def first_factor(self):
        if self.settings.compressor != "low_rank":
            return np.zeros(0, f32)
        return np.array([random_normal(self.settings.seed, COMPRESS, NO_NODE, l, i)
                         for l, shape in enumerate(self.shapes) for i in range(shape[1] * self.rank_of(shape))], f32)

    def low_rank(self, v, u, node, number):
        q, values, begin = [], 0, 0
        for tensor, shape in zip(self.tensors(v), self.shapes):
            rank = self.rank_of(shape)
            if rank == 0:
                q.append(tensor)
                values += len(tensor)
                continue
            w = self.factor[node, begin : begin + shape[1] * rank].reshape(shape[1], rank)  # a view: it is renewed
            q.append(self.factored(tensor.reshape(shape), w).reshape(-1))
            values, begin = values + rank * sum(shape), begin + shape[1] * rank
        return np.arange(len(v)), np.concatenate(q), headed(4 * values)

    @staticmethod
    def factored(m, w):
        def product(a, b):
            """a b' of rows in float64, rounded once."""
            return ordered_sum(a.astype(np.float64)[:, None, :] * b.astype(np.float64)[None, :, :]).astype(f32)

        p = product(m, w.T)
        alive = np.zeros(w.shape[1], bool)
        for c in range(w.shape[1]):
            for k in range(c):
                dot = product(p[None, :, k], p[None, :, c])[0, 0]
                p[:, c] = fma32(-dot, p[:, k], p[:, c])
            wide = p[:, c].astype(np.float64)
            norm = math.sqrt(ordered_sum(wide * wide))
            alive[c] = norm != 0
            p[:, c] = (wide / norm).astype(f32) if norm else 0
        other = product(m.T, p.T)
        w[:, alive] = other[:, alive]
        q = np.zeros(m.shape, f32)
        for c in range(w.shape[1]):
            q = fma32(p[:, c, None], other[None, :, c], q)
        return q
