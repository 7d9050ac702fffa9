#!/usr/bin/env python3
"""PyTorch's time for one gradient of an MLP 64-16-10 for every node, batch 16: the work of bench/mlp_bench.cpp.

Every way gathers the batches from one uint8 data set by indices drawn beforehand, converts them to float and computes
loss and gradients of all nodes; no optimizer step on either side.
  vmap      torch.func: vmap(grad_and_value) over stacked parameters
  compiled  the same through torch.compile
  loop      one forward and backward a node with autograd
With --ours the benchmark program runs in turn with the first two, and the ratio of the medians is printed.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import torch
from torch.func import grad_and_value, vmap
from torch.nn.functional import cross_entropy, linear, relu

FEATURES, HIDDEN, CLASSES, BATCH, SAMPLES = 64, 16, 10, 16, 10000


def loss_of(parameters, inputs, labels):
    w1, b1, w2, b2 = parameters
    return cross_entropy(linear(relu(linear(inputs, w1, b1)), w2, b2), labels)


class Step:
    """Gathers the next batch of all nodes and computes their gradients."""

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


class Compiled(Vmap):
    name = "compiled"
    gradients = staticmethod(torch.compile(vmap(grad_and_value(loss_of))))


class Loop(Step):
    name = "loop"

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
               f"--benchmark_min_time={options.seconds}", "--benchmark_format=json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    benchmark = json.loads(output)["benchmarks"][0]
    return benchmark["cpu_time" if options.cpu_time else "real_time"] * 1e3 / nodes  # from milliseconds


def warmed_up(kind, nodes, device):
    """The way, ready to be timed, or None where this PyTorch cannot run it."""
    try:
        step = kind(nodes, device)
        for _ in range(3):
            step.run()
        return step
    except Exception as error:  # torch.compile needs a compiler that it can use
        print(f"{kind.name}: not available here ({type(error).__name__})")
        return None


def compare(nodes, options):
    ways = [step for kind in (Vmap, Compiled) if (step := warmed_up(kind, nodes, options.device))]
    times = {step.name: [] for step in ways}
    ours = []
    for _ in range(options.rounds):
        for step in ways:
            times[step.name].append(microseconds(step, options))
        if options.ours:
            ours.append(ours_microseconds(nodes, options))
    best = min(times, key=lambda name: statistics.median(times[name]))
    loop = Loop(nodes, options.device)
    times["loop"] = [microseconds(loop, options) for _ in range(3)]
    for name, values in times.items():
        print(f"nodes {nodes}: {name} {statistics.median(values):.2f} us a node-step")
    if ours:
        median = statistics.median(ours)
        print(f"nodes {nodes}: ours {median:.2f} us a node-step; {statistics.median(times[best]) / median:.1f} times as "
              f"fast as {best}, {statistics.median(times['vmap']) / median:.1f} times as fast as vmap, "
              f"{statistics.median(times['loop']) / median:.0f} times as fast as the loop")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[64, 1000, 10000])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=0.2, help="per measurement")
    parser.add_argument("--rounds", type=int, default=30, help="turns of both sides")
    parser.add_argument("--ours", help="path of mlp_bench")
    parser.add_argument("--cpu-time", action="store_true",
                        help="processor time of one thread instead of wall time, for a busy machine")
    options = parser.parse_args()
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time needs --threads 1")
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, {options.device}, {options.threads} threads")
    for nodes in options.nodes:
        compare(nodes, options)


if __name__ == "__main__":
    main()
