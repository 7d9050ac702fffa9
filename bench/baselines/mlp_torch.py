#!/usr/bin/env python3
"""PyTorch's time for one gradient of an MLP 64-16-10 for every node, batch 16: the work of bench/models/mlp_bench.cpp.

Every way gathers the batches from one uint8 data set by indices drawn beforehand, converts them to float and computes
loss and gradients of all nodes; no optimizer step on either side.
  vmap      torch.func: vmap(grad_and_value) over stacked parameters
  compiled  the same through torch.compile
  loop      one forward and backward a node with autograd
With --ours the benchmark program runs in turn with each way, and the ratio of the medians is printed as soon as a way is
done: first vmap and compiled, most nodes first, then the loop, fewest nodes first. --budget seconds end it all: every
way runs in a process of its own, which is ended even while it compiles.
"""
import argparse
import functools
import json
import math
import multiprocessing
import os
import signal
import statistics
import subprocess
import time

BEGAN = time.monotonic()  # before the import below, which takes seconds

import torch
from torch.func import grad_and_value, vmap
from torch.nn.functional import cross_entropy, linear, relu

FEATURES, HIDDEN, CLASSES, BATCH, SAMPLES = 64, 16, 10, 16, 10000


def loss_of(parameters, inputs, labels):
    w1, b1, w2, b2 = parameters
    return cross_entropy(linear(relu(linear(inputs, w1, b1)), w2, b2), labels)


class Step:
    """Gathers the next batch of all nodes and computes their gradients."""

    warm_up, most_turns = 3, math.inf

    def __init__(self, nodes, device, index_sets=8):
        generator = torch.Generator(device).manual_seed(1)
        self.nodes = nodes
        drawn = {"generator": generator, "device": device}
        self.data = torch.randint(0, 256, (SAMPLES, FEATURES), dtype=torch.uint8, **drawn)
        self.labels = torch.randint(0, CLASSES, (SAMPLES,), **drawn)
        self.indices = [torch.randint(0, SAMPLES, (nodes, BATCH), **drawn) for _ in range(index_sets)]
        shapes = [(HIDDEN, FEATURES), (HIDDEN,), (CLASSES, HIDDEN), (CLASSES,)]
        self.parameters = [torch.randn(nodes, *shape, **drawn) / 8 for shape in shapes]
        self.steps = 0

    def next_batch(self):
        index = self.indices[self.steps % len(self.indices)]
        self.steps += 1
        return self.data[index].float().mul_(1 / 16), self.labels[index]


class Vmap(Step):
    name = "vmap"
    gradients = staticmethod(vmap(grad_and_value(loss_of)))

    def run(self):
        return self.gradients(self.parameters, *self.next_batch())


@functools.cache
def compiled_gradients():
    """Made when first called: what this imports may ask for the device, which must not happen before a fork."""
    return torch.compile(Vmap.gradients)


class Compiled(Step):
    name = "compiled"

    def run(self):
        return compiled_gradients()(self.parameters, *self.next_batch())


class Loop(Step):
    name = "loop"
    warm_up, most_turns = 1, 3  # many times slower than the others

    def __init__(self, nodes, device):
        super().__init__(nodes, device)
        self.rows = [[p[node].clone().requires_grad_() for p in self.parameters] for node in range(nodes)]

    def run(self):
        inputs, labels = self.next_batch()
        return [torch.autograd.grad(loss_of(row, inputs[i], labels[i]), row) for i, row in enumerate(self.rows)]


def microseconds(step, options):
    """Time a node-step, over at least options.seconds."""
    clock = time.process_time if options.cpu_time else time.perf_counter
    synchronize = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    synchronize()
    runs, begin = 0, clock()
    while clock() - begin < options.seconds:
        step.run()
        synchronize()
        runs += 1
    return (clock() - begin) / runs / step.nodes * 1e6


def ours_microseconds(nodes, options):
    time.sleep(0.5)  # PyTorch's threads spin for a while after their work
    name = f"mlp_gradients_cuda/nodes:{nodes}/"
    if options.device == "cpu":
        name = f"mlp_gradients/nodes:{nodes}/threads:{options.threads}/"
    command = [options.ours, f"--benchmark_filter={name}",
               f"--benchmark_min_time={options.seconds}",  # without a unit, which Debian's version 1.7 does not know
               "--benchmark_format=json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    benchmark = json.loads(output)["benchmarks"][0]
    return benchmark["cpu_time" if options.cpu_time else "real_time"] * 1e3 / nodes  # from milliseconds


def warmed_up(kind, nodes, device):
    """The way, ready to be timed, or None where this PyTorch cannot run it."""
    try:
        step = kind(nodes, device)
        for _ in range(kind.warm_up):
            step.run()
        return step
    except Exception as error:  # torch.compile needs a compiler that it can use
        print(f"{kind.name}: not available here ({type(error).__name__})", flush=True)
        return None


def seconds_left(options):
    return options.budget - (time.monotonic() - BEGAN)


def compare(step, options):
    """Prints the times of the way and of ours, taken in turn for at most a fifth of the time that is left."""
    end = time.monotonic() + seconds_left(options) / 5
    theirs, ours = [], []
    while not theirs or (len(theirs) < min(options.rounds, step.most_turns) and time.monotonic() < end):
        theirs.append(microseconds(step, options))
        if options.ours:
            ours.append(ours_microseconds(step.nodes, options))
    text = f"nodes {step.nodes}: {step.name} {statistics.median(theirs):.2f} us a node-step"
    if ours:
        ratio = statistics.median(theirs) / statistics.median(ours)
        text += f"; ours {statistics.median(ours):.2f}, {ratio:.1f} times as fast"
    print(f"{text} (turns: {len(theirs)})", flush=True)


def run_way(kind, options):
    torch.set_num_threads(options.threads)
    for nodes in sorted(options.nodes, reverse=kind is not Loop):
        if step := warmed_up(kind, nodes, options.device):
            compare(step, options)


def run_within_budget(kind, options):
    """Runs the way in a process of its own, forked from this one, which uses neither the device nor threads."""
    left = seconds_left(options)
    if left > 0:
        process = multiprocessing.get_context("fork").Process(target=run_way, args=(kind, options))
        process.start()
        os.setpgid(process.pid, process.pid)  # so that compilers and programs that it started end with it
        try:
            process.join(None if math.isinf(left) else left)
        finally:
            late = process.is_alive()
            if late:
                os.killpg(process.pid, signal.SIGKILL)
                process.join()
        if process.exitcode and not late:
            raise SystemExit(f"{kind.name}: exit code {process.exitcode}")
    if left <= 0 or late:
        print(f"{kind.name}: no more of it within the budget of {options.budget:g} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[64, 1000, 10000])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=0.2, help="per measurement")
    parser.add_argument("--rounds", type=int, default=30, help="turns of both sides")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="for everything (default: no limit; cuda: 35)")
    parser.add_argument("--ours", help="path of mlp_bench")
    parser.add_argument("--cpu-time", action="store_true",
                        help="processor time of one thread instead of wall time, for a busy machine")
    options = parser.parse_args()
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time needs --threads 1")
    if options.budget is None:
        options.budget = 35 if options.device == "cuda" else math.inf
    print(f"PyTorch {torch.__version__}, {options.device}, {options.threads} threads", flush=True)
    for kind in (Vmap, Compiled, Loop):
        run_within_budget(kind, options)


if __name__ == "__main__":
    main()
