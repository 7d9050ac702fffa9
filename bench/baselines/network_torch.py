#!/usr/bin/env python3
"""PyTorch's time for training LeNet-5, ResNet-20 or VGG11 on every node, batch 32: the work of bench/models/network_bench.cpp.

A node after the other, or half of them by each of two threads: picks its batch from one uint8 data set by indices drawn
beforehand, converts it, and computes loss and gradients with batch normalization, in channels_last, by modules or
through torch.compile. That is the network's part. The whole round adds what bench/baselines/gossip_torch.py does as
fast as stacked tensors make it: SGD with momentum, error memory, exact top-k and mixing on a directed ring.
With --ours the benchmark program runs in turn with the best of these ways and the best one that is a loop; printed are
medians of times and of their ratios.
"""
import argparse
import copy
import json
import os
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gossip_torch
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import avg_pool2d, cross_entropy, pad, relu

CLASSES, BATCH, SIDE, SAMPLES_PER_NODE, KEEP = 10, 32, 32, 128, 0.01
gossip_torch.LR = 0.01  # that of bench/models/network_bench.cpp


def lenet5():
    def stage(channels, out):
        return [nn.Conv2d(channels, out, 5), nn.BatchNorm2d(out), nn.ReLU(inplace=True), nn.MaxPool2d(2)]

    dense = [nn.Linear(400, 120), nn.ReLU(inplace=True), nn.Linear(120, 84), nn.ReLU(inplace=True), nn.Linear(84, CLASSES)]
    return nn.Sequential(*stage(3, 6), *stage(6, 16), nn.Flatten(), *dense)


class Block(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.stride, self.extra = out // channels, (out - channels) // 2
        self.conv1 = nn.Conv2d(channels, out, 3, self.stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)

    def forward(self, x):
        h = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.extra:
            x = pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra, self.extra))
        return relu(h.add_(x), inplace=True)


class Average(nn.Module):
    def forward(self, x):
        return avg_pool2d(x, x.shape[-1]).flatten(1)


def resnet20():
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    widths = [16] * 4 + [32] * 3 + [64] * 3
    return nn.Sequential(*stem, *map(Block, widths, widths[1:]), Average(), nn.Linear(64, CLASSES))


def vgg11():
    layers, channels = [], 3
    for out in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        if out:
            layers += [nn.Conv2d(channels, out, 3, 1, 1), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            channels = out
        else:
            layers.append(nn.MaxPool2d(2))
    dense = [nn.Linear(512, 512), nn.ReLU(inplace=True), nn.Linear(512, CLASSES)]
    return nn.Sequential(*layers, nn.Flatten(), *dense)


MODELS = {"lenet5": lenet5, "resnet20": resnet20, "vgg11": vgg11}


class Nodes:
    """Modules, data and indices of all nodes. One Python thread with several PyTorch threads, or one each."""

    def __init__(self, model, nodes, compiled, python_threads, options):
        self.name = f"{'compiled' if compiled else 'modules'}, {'threads' if python_threads > 1 else 'loop'}"
        torch.manual_seed(1)
        template = MODELS[model]().to(memory_format=torch.channels_last)
        self.modules = [copy.deepcopy(template) for _ in range(nodes)]
        self.parameters = [list(module.parameters()) for module in self.modules]
        self.data = torch.randint(0, 256, (nodes * SAMPLES_PER_NODE, SIDE, SIDE, 3), dtype=torch.uint8)
        self.labels = torch.randint(0, CLASSES, (nodes * SAMPLES_PER_NODE,))
        self.indices = [torch.randint(0, nodes * SAMPLES_PER_NODE, (nodes, BATCH)) for _ in range(8)]
        self.loss_of = self.compiled_loss(template) if compiled else self.module_loss
        self.pool = None
        if python_threads > 1:
            self.pool = ThreadPoolExecutor(python_threads, initializer=prepare_thread, initargs=(1,))
        self.ranges = [range(i * nodes // python_threads, (i + 1) * nodes // python_threads) for i in range(python_threads)]
        self.steps, self.gossip, self.options = 0, None, options

    def module_loss(self, node, images, labels):
        return cross_entropy(self.modules[node](images), labels)

    def compiled_loss(self, template):
        """One compilation for all nodes, whose tensors are its arguments."""
        states = [(dict(m.named_parameters()), dict(m.named_buffers())) for m in self.modules]
        loss = torch.compile(lambda state, x, y: cross_entropy(functional_call(template, state, (x,)), y), dynamic=False)
        return lambda node, images, labels: loss(states[node], images, labels)

    def batch(self, node):
        index = self.indices[self.steps % len(self.indices)][node]
        images = self.data[index].float().mul_(1 / 64).sub_(2)
        return images.permute(0, 3, 1, 2), self.labels[index]

    def gradients_of(self, nodes):
        for node in nodes:
            gradients = torch.autograd.grad(self.loss_of(node, *self.batch(node)), self.parameters[node])
            if self.gossip:
                torch._foreach_copy_(self.gradient_views[node], gradients)

    def take_gradients(self):
        self.steps += 1
        if self.pool:
            list(self.pool.map(self.gradients_of, self.ranges))
        else:
            self.gradients_of(self.ranges[0])

    def prepare_gossip(self, variant):
        """Parameters become views of the rows that gossip works on, the largest first, weights in channels_last."""
        sizes = [p.numel() for p in self.parameters[0]]
        gossip_torch.RESNET20 = sizes  # the layout of Round
        self.gossip = gossip_torch.Round(len(self.modules), KEEP, variant, self.options)
        self.gossip.pool = ThreadPoolExecutor(self.options.threads, initializer=use_one_thread_without_autograd)
        self.gossip.momentum.zero_(), self.gossip.error.zero_()
        self.gradient = torch.zeros_like(self.gossip.gradient)
        order = sorted(range(len(sizes)), key=lambda i: -sizes[i])
        begin = dict(zip(order, [sum(sizes[j] for j in order[:k]) for k in range(len(order))]))
        self.gradient_views = []
        for node, parameters in enumerate(self.parameters):
            views = []
            for i, parameter in enumerate(parameters):
                span = slice(begin[i], begin[i] + sizes[i])
                with torch.no_grad():
                    view = view_like(parameter, self.gossip.x[node, span])
                    view.copy_(parameter)
                    parameter.data = view
                views.append(view_like(parameter, self.gradient[node, span]))
            self.gradient_views.append(views)

    def run(self):
        self.take_gradients()
        if self.gossip:
            with torch.no_grad():
                self.gossip.run(self.gradient)


def prepare_thread(threads):
    """Settings of the calling thread: PyTorch's threads below it; models and ways share functions that are compiled."""
    torch.set_num_threads(threads)
    gossip_torch.allow_compilations()


def use_one_thread_without_autograd():
    prepare_thread(1)
    torch.set_grad_enabled(False)


def view_like(parameter, row):
    if parameter.dim() < 4:
        return row.view(parameter.shape)
    out, channels, height, width = parameter.shape
    return row.view(out, height, width, channels).permute(0, 3, 1, 2)


def milliseconds(nodes, options):
    """Of one round, over at least options.seconds."""
    clock = time.process_time if options.cpu_time else time.perf_counter
    runs, begin = 0, clock()
    while runs == 0 or clock() - begin < options.seconds:
        nodes.run()
        runs += 1
    return (clock() - begin) / runs * 1e3


def ours(kind, model, nodes, options):
    """Milliseconds of a round of this project's benchmark, and flops of an image."""
    time.sleep(0.5)  # PyTorch's threads spin for a while after their work
    command = [options.ours, f"--benchmark_filter={kind}/{model}/nodes:{nodes}/threads:{options.threads}/",
               f"--benchmark_min_time={options.seconds}",  # without a unit, which Debian's version 1.7 does not know
               "--benchmark_format=json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(output)["benchmarks"][0]
    return result["cpu_time" if options.cpu_time else "real_time"], result["flops"] / result["images"]


def warmed_up(model, nodes, options):
    """Every way that this PyTorch can run, with its best time of two."""
    ways = {}
    for compiled in (False, True):
        for python_threads in sorted({1, min(options.threads, nodes)}):
            way = Nodes(model, nodes, compiled, python_threads, options)
            try:
                way.run()
            except Exception as error:  # torch.compile needs a compiler that it can use
                print(f"{model}, {way.name}: not available here ({type(error).__name__})", flush=True)
                continue
            ways[way] = min(milliseconds(way, options) for _ in range(2))
            print(f"{model}, {nodes} nodes, {way.name}: {ways[way]:.1f} ms for the network's part", flush=True)
    return ways


def best_gossip(way, options):
    """Chooses the fastest variant of the gossip, and leaves it prepared."""
    times = {}
    for variant in (gossip_torch.Variant(select, chunk, compiled)
                    for select in ("topk", "blocks") for chunk in (1, 4) for compiled in ("no", "update")):
        try:
            way.prepare_gossip(variant)
            with torch.no_grad():
                way.gossip.run(way.gradient)
                times[variant] = min(timed(lambda: way.gossip.run(way.gradient)) for _ in range(3))
        except Exception as error:
            print(f"left out {variant}: {type(error).__name__}", flush=True)
    best = min(times, key=times.get)
    print(f"gossip: {best}, {times[best] * 1e3:.1f} ms", flush=True)
    way.prepare_gossip(best)
    way.run()


def timed(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def compare(model, nodes, options):
    """Both parts of the work, the best way and the best loop over nodes in turn with ours."""
    ways = warmed_up(model, nodes, options)
    best = min(ways, key=ways.get)
    loop = min((way for way in ways if not way.pool), key=ways.get)
    results = {"model": model, "nodes": nodes}
    for kind in ("network_gradients", "network_round"):
        if kind == "network_round":
            for way in {best, loop}:
                best_gossip(way, options)
        times, mine, flops = {way: [] for way in (best, loop)}, [], 0
        for _ in range(options.rounds):
            for way, list_of_ms in times.items():
                list_of_ms.append(milliseconds(way, options))
            if options.ours:
                time_of_ours, flops = ours(kind, model, nodes, options)
                mine.append(time_of_ours)
        results[kind] = summary(times, mine, nodes * BATCH, flops)
        print_summary(f"{kind} {model}, {nodes} nodes", results[kind])
    return results


def summary(times, mine, images, flops):
    def speed(ms):
        return {"ms": ms, "images_per_s": images / ms * 1e3}

    result = {"torch": {way.name: speed(statistics.median(theirs)) for way, theirs in times.items()}}
    if mine:
        ms = statistics.median(mine)
        result["ours"] = speed(ms) | {"GFLOP_per_s": images * flops / ms * 1e-6}
        for way, theirs in times.items():
            result["torch"][way.name]["over_ours"] = statistics.median(t / m for t, m in zip(theirs, mine))
    return result


def print_summary(what, r):
    for name, torch_speed in r["torch"].items():
        ratio = f", {torch_speed['over_ours']:.2f} times the time of ours" if "ours" in r else ""
        print(f"{what}: PyTorch ({name}) {torch_speed['ms']:.1f} ms, {torch_speed['images_per_s']:.0f} images/s{ratio}")
    if "ours" in r:
        print(f"{what}: ours {r['ours']['ms']:.1f} ms, {r['ours']['images_per_s']:.0f} images/s, "
              f"{r['ours']['GFLOP_per_s']:.0f} GFLOP/s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=1.0, help="per measurement, at least")
    parser.add_argument("--rounds", type=int, default=7, help="turns of both sides")
    parser.add_argument("--ours", help="path of network_bench")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--cpu-time", action="store_true",
                        help="processor time of one thread instead of wall time, for a busy machine")
    options = parser.parse_args()
    options.device = "cpu"
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time needs --threads 1")
    prepare_thread(options.threads)
    print(f"PyTorch {torch.__version__}, {options.threads} threads", flush=True)
    results = []
    for model in options.model:
        results.append(compare(model, options.nodes, options))
        if options.json:
            report = {"torch": torch.__version__, "threads": options.threads, "cases": results}
            Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
