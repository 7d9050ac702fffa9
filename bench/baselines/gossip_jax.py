#!/usr/bin/env python3
"""The gossip step of Sparse-Push in JAX, as fast as jit makes it: the round of gossip_torch.py.

One round for all nodes of a directed ring, with ResNet-20's 59 segments, compiled whole; state is donated, so that it
is updated in place. A node's half of the round is a function of one row, mapped over all nodes at once (vmap) or over
some at a time (lax.map). Top-k is exact: lax.top_k per segment, by blocks as in gossip_torch.py, or by sorting (on
GPUs). Every variant is checked against a naive round first. Prints nanoseconds per parameter and node and, with --ours,
those of this project's benchmark, in turn.
"""

import argparse
import functools
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

CONVOLUTIONS = [432] + [2304] * 6 + [4608] + [9216] * 5 + [18432] + [36864] * 5
RESNET20 = CONVOLUTIONS + [640, 10] + [16] * 14 + [32] * 12 + [64] * 12
LR, BETA, DECAY = 0.1, 0.9, 1e-4


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU")
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--keep", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=12, help="timed between two changes from one to the other")
    parser.add_argument("--repetitions", type=int, default=5, help="changes from one to the other")
    parser.add_argument("--chunk", type=int, nargs="+", help="nodes at once; the best counts (1 8 all, on GPUs 64 all)")
    parser.add_argument("--ours", metavar="PATH", help="this project's gossip_bench, run between the measurements")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    options = parser.parse_args()
    if not options.chunk:
        options.chunk = [1, 8, options.nodes] if options.device == "cpu" else [64, options.nodes]
    options.chunk = sorted({min(chunk, options.nodes) for chunk in options.chunk})
    return options


options = parse_options()
# All before JAX starts: its device, its threads, and memory taken only as needed, for ours needs some too.
os.environ["JAX_PLATFORMS"] = options.device
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = "0.6"
if options.device == "cpu" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

jax.config.update("jax_enable_x64", True)  # push-sum weights are doubles


class Variant(NamedTuple):
    select: str  # "topk", "sort" or "blocks"
    chunk: int  # nodes at once

    def __str__(self):
        return f"{self.select}, {self.chunk} nodes at once"


class Group(NamedTuple):
    """Segments of equal size, which lie beside each other in a row."""

    begin: int
    count: int
    size: int
    entries: int


class State(NamedTuple):
    """Of all nodes, [nodes, params] each; u is [nodes]."""

    x: jax.Array
    momentum: jax.Array
    error: jax.Array
    u: jax.Array


def groups_of(keep):
    groups, begin = [], 0
    for size in sorted(set(RESNET20), reverse=True):
        groups.append(Group(begin, RESNET20.count(size), size, max(1, int(keep * size + 1e-9))))
        begin += groups[-1].count * size
    return groups, begin


def top_positions(magnitude, entries, select):
    """Positions of the `entries` largest elements of a vector, in any order."""
    size = magnitude.shape[0]
    if select == "sort":
        return lax.sort_key_val(-magnitude, jnp.arange(size, dtype=jnp.int32))[1][:entries]
    width = next((w for w in (16, 8, 4) if size % w == 0 and size >= w * w * entries), None)
    if select == "topk" or width is None:
        return lax.top_k(magnitude, entries)[1]
    # The k largest elements lie in the k blocks with the largest maxima. A block is every (size / width)-th element.
    blocks = magnitude.reshape(width, -1)
    best = top_positions(blocks.max(0), entries, select)
    inside = lax.top_k(blocks[:, best].reshape(-1), entries)[1]
    return best[inside % entries] + inside // entries * (size // width)


def select_row(v, groups, select):
    """What a node sends of its row v, and what it keeps back: (positions, values, v - q)."""
    magnitude, parts = jnp.abs(v), []
    for g in groups:
        part = magnitude[g.begin : g.begin + g.count * g.size].reshape(g.count, g.size)
        inside = jax.vmap(lambda row: top_positions(row, g.entries, select))(part)
        first = g.begin + g.size * jnp.arange(g.count, dtype=inside.dtype)
        parts.append((inside + first[:, None]).reshape(-1))
    index = jnp.concatenate(parts).astype(jnp.int32)
    value = v.at[index].get(mode="promise_in_bounds", unique_indices=True)
    return index, value, v.at[index].set(0, mode="promise_in_bounds", unique_indices=True)


def update_row(x, momentum, error, decay, gradient, groups, select):
    """A node's half of a round: SGD on x, v = x + e, and the selection from v."""
    momentum = BETA * momentum + (gradient + decay * x)
    x = x - LR * momentum
    index, value, error = select_row(x + error, groups, select)
    return x, momentum, error, index, value


def over_nodes(function, nodes, chunk):
    """`function` of one node's rows, for all nodes."""
    if chunk >= nodes:
        return jax.vmap(function)
    return lambda *rows: lax.map(lambda row: function(*row), rows, batch_size=chunk if chunk > 1 else None)


def mix_row(x, index, value, index_before, value_before, eta):
    """x += eta (P - I) q on the directed ring: half of what a node sends stays, half goes to the next node."""
    x = x.at[index].add(-0.5 * eta * value, mode="promise_in_bounds", unique_indices=True)
    return x.at[index_before].add(0.5 * eta * value_before, mode="promise_in_bounds", unique_indices=True)


def round_function(keep, variant, nodes):
    groups, _ = groups_of(keep)
    update = over_nodes(functools.partial(update_row, groups=groups, select=variant.select), nodes, variant.chunk)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, gradient):
        decay = (DECAY / state.u).astype(jnp.float32)
        x, momentum, error, index, value = update(state.x, state.momentum, state.error, decay, gradient)
        before = (jnp.roll(index, 1, 0), jnp.roll(value, 1, 0))
        x = jax.vmap(functools.partial(mix_row, eta=jnp.float32(keep)))(x, index, value, *before)
        u = state.u + 0.5 * keep * (jnp.roll(state.u, 1) - state.u)
        return State(x, momentum, error, u)

    return step


def selection_function(keep, variant, nodes):
    """Top-k alone of [nodes, params]: positions, values and what is left."""
    select = functools.partial(select_row, groups=groups_of(keep)[0], select=variant.select)
    return jax.jit(over_nodes(select, nodes, variant.chunk), donate_argnums=0)


def initial_state(nodes, keep, seed=0):
    params = groups_of(keep)[1]
    draw = lambda key, scale: scale * jax.random.normal(jax.random.key(10 * seed + key), (nodes, params), jnp.float32)
    state = State(draw(1, 1.0), draw(2, 0.01), draw(3, 0.3 / keep**0.5), jnp.ones(nodes, jnp.float64))
    return state, draw(4, 0.01)


def naive_step(state, gradient, keep):
    """The same round, node by node and segment by segment, in NumPy and float64."""
    x, momentum, error, u = (np.asarray(part, np.float64) for part in state)
    momentum = BETA * momentum + np.asarray(gradient, np.float64) + DECAY * x / u[:, None]
    x = x - LR * momentum
    v = x + error
    q = np.zeros_like(v)
    for node, g in itertools.product(range(len(v)), groups_of(keep)[0]):
        for i in range(g.count):
            span = slice(g.begin + i * g.size, g.begin + (i + 1) * g.size)
            order = np.argsort(-np.abs(v[node, span]), kind="stable")[: g.entries]
            q[node, span][order] = v[node, span][order]
    return x + 0.5 * keep * (np.roll(q, 1, 0) - q), momentum, v - q, u


def check(variant, keep):
    """One small round against `naive_step`. Near ties may fall either way: one of three draws has to agree."""
    wrong = [text for seed in (1, 2, 3) if (text := wrong_in(variant, keep, seed))]
    if len(wrong) == 3:
        raise SystemExit(f"{variant}: {wrong[0]}")


def wrong_in(variant, keep, seed):
    """What differs in one round; empty if nothing does."""
    nodes = 5
    state, gradient = initial_state(nodes, keep, seed)
    expected = naive_step(state, gradient, keep)
    small = variant._replace(chunk=min(variant.chunk, 2) if variant.chunk < options.nodes else nodes)
    result = round_function(keep, small, nodes)(state, gradient)
    for name, part, wanted in zip(State._fields, result, expected):
        worst = np.abs(np.asarray(part, np.float64) - wanted).max()
        if not worst <= 1e-4:
            return f"{name} is wrong by {worst}"
    return ""


def time_rounds(variant, rounds):
    """Nanoseconds per parameter and node: the median of `rounds` samples. A GPU has several rounds at hand in each."""
    state, gradient = initial_state(options.nodes, options.keep)
    step = round_function(options.keep, variant, options.nodes)
    calls, times = 8 if options.device == "cuda" else 1, []
    for _ in range(rounds + 3):
        jax.block_until_ready(state)
        begin = time.perf_counter()
        for _ in range(calls):
            state = step(state, gradient)
        jax.block_until_ready(state)
        times.append((time.perf_counter() - begin) * 1e9 / calls / gradient.size)
    return statistics.median(times[3:])


def time_selection(variant, rounds):
    """The same for top-k alone, of new values each time."""
    values = initial_state(options.nodes, options.keep)[1]
    select, times = selection_function(options.keep, variant, options.nodes), []
    for _ in range(rounds + 3):
        v = jax.block_until_ready(jnp.copy(values))
        begin = time.perf_counter()
        jax.block_until_ready(select(v))
        times.append((time.perf_counter() - begin) * 1e9 / values.size)
    return statistics.median(times[3:])


def run_ours():
    """Nanoseconds per parameter of this project's benchmark: of a round, and of top-k alone."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [options.ours, f"--backend={options.device}", f"--threads={options.threads}", "--layout=resnet20"]
        command += [f"--nodes={options.nodes}", f"--keep={options.keep:g}", f"--json={report.name}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        result = json.load(report)["cases"][0]
    if "skipped" in result:
        raise SystemExit(f"{options.ours}: {result['skipped']}")
    return result["ns_per_param"], result["selection"]["ns_per_element"]


def time_variants():
    """Nanoseconds of every variant that gives the right result and runs here."""
    results = {}
    selects = ("topk", "blocks") if options.device == "cpu" else ("topk", "blocks", "sort")
    for variant in itertools.starmap(Variant, itertools.product(selects, options.chunk)):
        try:
            check(variant, options.keep)
            results[variant] = time_rounds(variant, max(3, options.rounds // 4))
        except jax.errors.JaxRuntimeError as error:  # such as no memory
            print(f"left out {variant}: {str(error).splitlines()[0]}", flush=True)
            continue
        print(f"JAX {jax.__version__}, {variant}: {results[variant]:.3f} ns/param", flush=True)
    return results


def compare(best):
    """The best variant and ours in turn, so that a noisy machine is noisy for both of them."""
    times = {name: [] for name in ("JAX", "ours", "JAX's top-k alone", "our top-k alone")}
    for _ in range(options.repetitions):
        times["JAX"].append(time_rounds(best, options.rounds))
        times["JAX's top-k alone"].append(time_selection(best, options.rounds))
        if options.ours:
            for name, ns in zip(("ours", "our top-k alone"), run_ours()):
                times[name].append(ns)
    medians = {name: statistics.median(values) for name, values in times.items() if values}
    print(f"keep {options.keep}, {options.nodes} nodes, best JAX: {best}")
    for name, median in medians.items():
        theirs = "JAX's top-k alone" if "alone" in name else "JAX"
        print(f"{name}: {median:.3f} ns/param; {theirs} takes {medians[theirs] / median:.2f} times that")
    return medians


def main():
    try:
        device = jax.devices()[0].device_kind
    except (RuntimeError, AssertionError):
        print("no CUDA GPU that JAX can use")
        sys.exit(77)
    results = time_variants()
    best = min(results, key=results.get)
    report = {
        "jax": jax.__version__, "device": device, "nodes": options.nodes, "keep": options.keep, "best": str(best),
        "variants_ns_per_param": {str(variant): ns for variant, ns in results.items()},
        "ns_per_param": compare(best),
    }
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
