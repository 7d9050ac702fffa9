#!/usr/bin/env python3
"""The gossip step of Sparse-Push in PyTorch, as fast as stacked tensors make it: what a user would write instead.

One round for all nodes of a directed ring, with ResNet-20's 59 segments: SGD with momentum and weight decay at
z = x / u, v = x + e, exact top-k of |v| per node and segment, e = v - q, x += eta (P - I) q, and u likewise.
Prints nanoseconds per parameter and node, beside a pass over the same arrays that does nothing but the update
(28 bytes a parameter; on the CPU), and, with --ours, beside this project's benchmark run in turn. The same for top-k
alone: what is kept goes to a message and leaves the array.
"""

import argparse
import functools
import itertools
import json
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch
from gossip_times import UpdatePass, measure, run_ours, time_selection

CONVOLUTIONS = [432] + [2304] * 6 + [4608] + [9216] * 5 + [18432] + [36864] * 5
RESNET20 = CONVOLUTIONS + [640, 10] + [16] * 14 + [32] * 12 + [64] * 12
LR, BETA, DECAY = 0.1, 0.9, 1e-4


def kept(keep, size):
    return max(1, int(keep * size + 1e-9))


def top_positions(v, entries, by_blocks):
    """Positions of the `entries` largest elements along the last dimension, in any order; ties broken by torch.topk.

    By blocks: the k largest elements lie in the k blocks with the largest maxima, so only those are looked at. A block
    is every (size / width)-th element: a maximum over its rows is faster in PyTorch than one over neighbours.
    """
    size = v.shape[-1]
    width = next((w for w in (16, 8, 4) if size % w == 0 and size >= w * w * entries), None)
    if not by_blocks or width is None:
        return v.topk(entries, dim=-1, sorted=False).indices
    blocks = v.unflatten(-1, (width, -1))
    best = top_positions(blocks.amax(-2), entries, by_blocks).unsqueeze(-2)
    candidates = blocks.gather(-1, best.expand(*v.shape[:-1], width, -1)).flatten(-2)
    inside = candidates.topk(entries, dim=-1, sorted=False).indices
    column = best.squeeze(-2).gather(-1, inside % entries)
    return column + inside.div_(entries, rounding_mode="floor").mul_(size // width)


class Group:
    """Segments of equal size, which lie beside each other in a row."""

    def __init__(self, begin, count, size, keep, device):
        self.begin, self.count, self.size, self.entries = begin, count, size, kept(keep, size)
        self.first = torch.arange(begin, begin + count * size, size, device=device)[None, :, None]

    def select(self, magnitude, by_blocks):
        """Positions in the row of what is kept, [nodes, count * entries], from magnitudes [nodes, params]."""
        part = magnitude[:, self.begin : self.begin + self.count * self.size].unflatten(1, (self.count, self.size))
        return top_positions(part, self.entries, by_blocks).add_(self.first).flatten(1)


def update(x, momentum, error, gradient, decay, magnitude):
    """SGD on x, v = x + e into e, and |v|, all in place; decay is [nodes, 1] weight decay over u."""
    torch.addcmul(gradient, x, decay, out=gradient)
    torch.add(gradient, momentum, alpha=BETA, out=momentum)
    x.add_(momentum, alpha=-LR)
    error.add_(x)
    torch.abs(error, out=magnitude)


def fused_update(x, momentum, error, gradient, decay, magnitude):
    """The same for torch.compile, which makes one pass of it."""
    new_momentum = BETA * momentum + (gradient + decay * x)
    new_x = x - LR * new_momentum
    v = error + new_x
    momentum.copy_(new_momentum)
    x.copy_(new_x)
    error.copy_(v)
    magnitude.copy_(v.abs())


@functools.cache
def compiled_update():
    return torch.compile(fused_update, dynamic=False)


class Round:
    """State of all nodes, [nodes, params] each, with the segments of a row ordered by size.

    On the CPU every thread owns a range of nodes and PyTorch itself runs on one thread: many small ops in a row are
    faster so than with a barrier after each of them. On a GPU a round can be compiled whole, or recorded as a graph.
    """

    def __init__(self, nodes, keep, variant, options, seed=1):
        self.groups, begin = [], 0
        for size in sorted(set(RESNET20), reverse=True):
            self.groups.append(Group(begin, RESNET20.count(size), size, keep, options.device))
            begin += RESNET20.count(size) * size
        self.keep, self.by_blocks = keep, variant.select == "blocks"
        self.update = {"no": update, "update": compiled_update(), "round": fused_update}[variant.compiled]
        generator = torch.Generator(options.device).manual_seed(seed)
        draw = lambda scale: scale * torch.randn(nodes, begin, device=options.device, generator=generator)
        self.x, self.gradient, self.momentum = draw(1.0), draw(0.01), draw(0.01)
        self.error = draw(0.3 / keep**0.5)
        self.u = torch.ones(nodes, dtype=torch.float64, device=options.device)
        entries = sum(group.count * group.entries for group in self.groups)
        self.index = torch.zeros(nodes, entries, dtype=torch.int64, device=options.device)
        self.value = torch.zeros(nodes, entries, device=options.device)
        self.before = torch.arange(-1, nodes - 1, device=options.device) % nodes
        workers = min(options.threads, nodes) if options.device == "cpu" else 1
        self.ranges = [range(i * nodes // workers, (i + 1) * nodes // workers) for i in range(workers)]
        self.chunk = min(variant.chunk, max(map(len, self.ranges)))
        self.magnitude = torch.empty(workers, self.chunk, begin, device=options.device)
        self.pool = ThreadPoolExecutor(workers, initializer=torch.set_grad_enabled, initargs=(False,))
        self.step = torch.compile(self.run, dynamic=False) if variant.compiled == "round" else self.run

    def each_worker(self, body, arguments):
        """One call a worker. A single one, as a GPU has, stays in this thread, where a graph is recorded."""
        if len(self.ranges) == 1:
            body(*next(zip(*arguments)))
        else:
            list(self.pool.map(body, *arguments))

    def run(self, gradient):
        """One round; `gradient` is overwritten."""
        decay = (DECAY / self.u).float()[:, None]
        workers = range(len(self.ranges))
        self.each_worker(lambda i: self.update_and_select(i, gradient, decay), [workers])
        self.each_worker(self.mix, [self.ranges])
        self.u.lerp_(self.u.roll(1, 0), 0.5 * self.keep)

    def record(self, gradient):
        """From now on a round is one graph launch, with the gradient that lies where this one does."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step(gradient)
        side.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(gradient)
        self.step = lambda _: graph.replay()

    def select_alone(self):
        """Exact top-k of the error arrays into messages; what is kept leaves the error."""
        self.each_worker(self.select_rows, [range(len(self.ranges))])

    def select_rows(self, worker):
        nodes = self.ranges[worker]
        for first in range(nodes.start, nodes.stop, self.chunk):
            rows = slice(first, min(first + self.chunk, nodes.stop))
            magnitude = torch.abs(self.error[rows], out=self.magnitude[worker, : rows.stop - first])
            self.take(rows, magnitude)

    def update_and_select(self, worker, gradient, decay):
        """In chunks of nodes that stay in the cache."""
        nodes = self.ranges[worker]
        for first in range(nodes.start, nodes.stop, self.chunk):
            rows = slice(first, min(first + self.chunk, nodes.stop))
            magnitude = self.magnitude[worker, : rows.stop - first]
            self.update(self.x[rows], self.momentum[rows], self.error[rows], gradient[rows], decay[rows], magnitude)
            self.take(rows, magnitude)

    def take(self, rows, magnitude):
        """Moves the largest entries of the error to the messages."""
        error, index = self.error[rows], self.index[rows]
        torch.cat([group.select(magnitude, self.by_blocks) for group in self.groups], 1, out=index)
        torch.gather(error, 1, index, out=self.value[rows])
        error.scatter_(1, index, 0.0)

    def mix(self, nodes):
        """x += eta (P - I) q on the directed ring: half of what a node sends stays, half goes to the next node."""
        own, before = slice(nodes.start, nodes.stop), self.before[nodes.start : nodes.stop]
        x = self.x[own].scatter_add_(1, self.index[own], self.value[own] * (-0.5 * self.keep))
        x.scatter_add_(1, self.index[before], self.value[before] * (0.5 * self.keep))


def naive_step(state, gradient):
    """The same round, node by node and segment by segment, in float64 but for the choice of entries."""
    x, momentum, error, u = (part.double().clone() for part in (state.x, state.momentum, state.error, state.u))
    momentum = BETA * momentum + gradient.double() + DECAY * x / u[:, None]
    x -= LR * momentum
    v = x + error
    q = torch.zeros_like(v)
    for group in state.groups:
        for node in range(len(x)):
            for i in range(group.count):
                span = slice(group.begin + i * group.size, group.begin + (i + 1) * group.size)
                order = v[node, span].abs().sort(descending=True, stable=True).indices[: group.entries]
                q[node, span][order] = v[node, span][order]
    eta = state.keep
    return x + 0.5 * eta * (q.roll(1, 0) - q), momentum, v - q


def check(variant, options):
    """One small round against `naive_step`. Near ties may fall either way: one of three draws has to agree."""
    wrong = [text for seed in (1, 2, 3) if (text := wrong_in(variant, options, seed))]
    if len(wrong) == 3:
        raise SystemExit(f"{variant}: {wrong[0]}")


def wrong_in(variant, options, seed):
    """What differs in one round; empty if nothing does."""
    chunk = 5 if variant.compiled == "round" else 2
    state = Round(5, options.keep, variant._replace(chunk=chunk), options, seed)
    gradient = state.gradient.clone()
    if variant.graph:
        before = [part.clone() for part in (state.x, state.momentum, state.error, state.u)]
        state.record(gradient)
        for part, value in zip((state.x, state.momentum, state.error, state.u), before):
            part.copy_(value)
        gradient.copy_(state.gradient)
    expected = naive_step(state, state.gradient)
    state.step(gradient)
    for name, wanted in zip(("x", "momentum", "error"), expected):
        worst = (getattr(state, name).double() - wanted).abs().max().item()
        if not worst <= 1e-4:
            return f"{name} is wrong by {worst}"
    return ""


class Variant(NamedTuple):
    select: str  # "topk" or "blocks"
    chunk: int  # nodes updated at once
    compiled: str = "no"  # or "update", "round"
    graph: bool = False  # replayed as a CUDA graph

    def __str__(self):
        compiled = "" if self.compiled == "no" else f", compiled {self.compiled}"
        return f"{self.select}, {self.chunk} nodes at once{compiled}{', CUDA graph' if self.graph else ''}"


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--keep", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=12, help="timed between two changes from one to the other")
    parser.add_argument("--repetitions", type=int, default=5, help="changes from one to the other")
    parser.add_argument("--chunk", type=int, nargs="+", help="nodes at once; the best counts (1 4 16, GPU 16 64 all)")
    parser.add_argument("--ours", metavar="PATH", help="this project's gossip_bench, run between the measurements")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    options = parser.parse_args()
    if not options.chunk:
        options.chunk = [1, 4, 16] if options.device == "cpu" else [16, 64, options.nodes]
    options.chunk = sorted({min(chunk, options.nodes) for chunk in options.chunk})
    return options


def all_variants(options):
    for select, chunk, compiled in itertools.product(("topk", "blocks"), options.chunk, ("no", "update")):
        yield Variant(select, chunk, compiled)
    if options.device == "cuda":
        for select, compiled in itertools.product(("topk", "blocks"), ("update", "round")):
            yield Variant(select, options.nodes, compiled, graph=compiled == "update")


def prepared(variant, options):
    """The state of all nodes, ready to be timed."""
    state = Round(options.nodes, options.keep, variant, options)
    if variant.graph:
        state.record(state.gradient)
    return state


def time_variants(options):
    """Nanoseconds of every way to run the baseline that gives the right result here."""
    results = {}
    for variant in all_variants(options):
        try:
            check(variant, options)
            results[variant] = measure(prepared(variant, options), options.device, max(3, options.rounds // 4))
        except RuntimeError as error:  # no compiler, no memory, or not to be recorded
            print(f"left out {variant}: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)
            continue
        print(f"PyTorch {torch.__version__}, {variant}: {results[variant]:.3f} ns/param", flush=True)
    return results


def allow_compilations():
    """In the calling thread; beyond PyTorch's own limit a function would run uncompiled."""
    for limit in ("recompile_limit", "cache_size_limit"):  # one of them, depending on the version
        if hasattr(torch._dynamo.config, limit):
            setattr(torch._dynamo.config, limit, 256)


def main():
    options = parse_options()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA GPU")
        raise SystemExit(77)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    allow_compilations()
    results = time_variants(options)
    report = {"torch": torch.__version__, "nodes": options.nodes, "keep": options.keep, "device": options.device}
    if options.device == "cuda":
        report |= {"gpu": torch.cuda.get_device_name(), "peak_bytes": torch.cuda.max_memory_allocated()}
    report["variants_ns_per_param"] = {str(variant): ns for variant, ns in results.items()}
    report |= compare(options, min(results, key=results.get))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


def time_in_turn(options, best):
    """Times of the best variant, the update pass and ours in turn, so that a noisy machine is noisy for all of them."""
    floor = None
    if options.device == "cpu":
        floor = UpdatePass(Round(options.nodes, options.keep, best, options), options.threads)
    names = ("PyTorch", "update pass", "ours", "torch.topk alone", "blocks alone", "our top-k alone")
    times = {name: [] for name in names}
    for _ in range(options.repetitions):
        state = prepared(best, options)
        times["PyTorch"].append(measure(state, options.device, options.rounds))
        for name, state.by_blocks in (("torch.topk alone", False), ("blocks alone", True)):
            times[name].append(measure(state, options.device, options.rounds, time_selection))
        if floor:
            times["update pass"].append(statistics.median(floor.time() for _ in range(options.rounds)))
        del state
        if options.device == "cuda":
            torch.cuda.empty_cache()  # ours needs memory too
        if options.ours:
            for name, ns in zip(("ours", "our top-k alone"), run_ours(options)):
                times[name].append(ns)
    return {name: statistics.median(values) for name, values in times.items() if values}


def compare(options, best):
    medians = time_in_turn(options, best)
    print(f"keep {options.keep}, {options.nodes} nodes, {options.threads} threads, best PyTorch: {best}")
    for name, median in medians.items():
        theirs = min("torch.topk alone", "blocks alone", key=medians.get) if "alone" in name else "PyTorch"
        print(f"{name}: {median:.3f} ns/param; {theirs} takes {medians[theirs] / median:.2f} times that")
    return {"best": str(best), "ns_per_param": medians}


if __name__ == "__main__":
    main()
