#!/usr/bin/env python3
"""What a user would write instead of networks batched over nodes: forward and backward of ResNet-20 (option A shortcuts,
batch normalization by the batch) for nodes with weights of their own, on one GPU, in turn with bench/models/network_bench.cpp.

Data are on the device in the fastest layout; picking batches, optimizer and gossip are left out, which favours this side.
  loop          PyTorch, node after node
  graph         the same recorded as one CUDA graph, its nodes in turn on --streams parallel branches
  compiled      as graph, with loss and gradients through torch.compile (one compilation for all nodes)
  vmap          torch.func: vmap(grad) over stacked parameters
  vmap_compile  the same through torch.compile
  jax_vmap      JAX: jit(vmap(grad)), channels last
Each way is a process of its own that takes turns with --ours; printed are medians of times and of their ratios.
--device cpu tries the script itself (loop, vmap, jax_vmap).
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

WAYS = ["vmap_compile", "graph", "compiled", "vmap", "jax_vmap", "loop"]  # the fastest first, should time run out
WIDTHS = [16] * 4 + [32] * 3 + [64] * 3
WARM_UP, LEAST_STEPS, MOST_STEPS = 3, 5, 200
NOT_INSTALLED = 77  # exit code of a way's process


def resnet20_class():
    from torch import nn
    from torch.nn.functional import pad, relu

    def norm(channels):
        return nn.BatchNorm2d(channels, track_running_stats=False)

    class Block(nn.Module):
        def __init__(self, channels, out):
            super().__init__()
            self.extra = (out - channels) // 2
            self.conv1, self.bn1 = nn.Conv2d(channels, out, 3, out // channels, 1, bias=False), norm(out)
            self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), norm(out)

        def forward(self, x):
            y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
            if self.extra:
                x = pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra, self.extra))
            return relu(y + x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), norm(16), nn.ReLU())
            self.blocks = nn.Sequential(*map(Block, WIDTHS, WIDTHS[1:]))
            self.classifier = nn.Linear(64, 10)

        def forward(self, x):
            return self.classifier(self.blocks(self.stem(x)).mean((2, 3)))

    return Net


def torch_step(o):
    """(a function that takes one gradient of every node, one that waits for it)."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap
    from torch.nn.functional import cross_entropy

    resnet20, exact = resnet20_class(), o.precision == "fp32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cudnn.benchmark = True
    wait = torch.cuda.synchronize if o.device == "cuda" else lambda: None
    label = torch.randint(0, 10, (o.nodes, o.batch), device=o.device)
    image = torch.randn(o.nodes, o.batch, 3, 32, 32, device=o.device)

    def autocast():
        if o.precision == "bf16":
            return torch.autocast(o.device, torch.bfloat16, cache_enabled=False)
        return contextlib.nullcontext()

    def loss_of(module, state, x, y):
        with autocast():
            return cross_entropy(functional_call(module, state, (x,)), y)

    if o.way.startswith("vmap"):
        stacked, _ = stack_module_state([resnet20().to(o.device) for _ in range(o.nodes)])
        stacked = {name: value.detach() for name, value in stacked.items()}
        base = resnet20().to(o.device)
        gradients = vmap(grad(lambda state, x, y: loss_of(base, state, x, y)))
        if o.way == "vmap_compile":
            gradients = torch.compile(gradients)
        return lambda: gradients(stacked, image, label), wait

    nets = [resnet20().to(o.device).to(memory_format=torch.channels_last) for _ in range(o.nodes)]
    states = [dict(net.named_parameters()) for net in nets]
    images = [x.contiguous(memory_format=torch.channels_last) for x in image]
    loss = loss_of
    if o.way == "compiled":
        loss = torch.compile(loss_of, dynamic=False)

    def gradients_of(k):
        return torch.autograd.grad(loss(nets[0], states[k], images[k], label[k]), list(states[k].values()))

    if o.way == "loop":
        return lambda: [gradients_of(k) for k in range(o.nodes)], wait

    branches = [torch.cuda.Stream() for _ in range(o.streams)]

    def all_nodes():
        here, kept = torch.cuda.current_stream(), []
        for branch in branches:
            branch.wait_stream(here)
        for k in range(o.nodes):
            with torch.cuda.stream(branches[k % o.streams]):
                kept.append(gradients_of(k))
        for branch in branches:
            here.wait_stream(branch)
        return kept

    warm = torch.cuda.Stream()
    warm.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(warm):
        for _ in range(3):
            all_nodes()
    torch.cuda.current_stream().wait_stream(warm)
    wait()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = all_nodes()

    def replay():
        graph.replay()
        return kept

    return replay, wait


def jax_step(o):
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    import jax
    import jax.numpy as jnp
    from jax import lax

    kind = jnp.bfloat16 if o.precision == "bf16" else jnp.float32
    if o.device == "cuda" and o.precision != "bf16":
        jax.config.update("jax_default_matmul_precision", "highest" if o.precision == "fp32" else "tensorfloat32")

    def conv(x, w, stride):
        padding = "SAME" if stride == 1 else [(1, 1), (1, 1)]
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, w.astype(kind), (stride, stride), padding, dimension_numbers=numbers)

    def norm(x, gamma, beta):
        f = x.astype(jnp.float32)
        return ((f - f.mean((0, 1, 2))) * lax.rsqrt(f.var((0, 1, 2)) + 1e-5) * gamma + beta).astype(kind)

    def initial(key):
        keys = iter(jax.random.split(key, 64))

        def half(channels, out):
            weight = jax.random.normal(next(keys), (3, 3, channels, out)) * (2 / (9 * channels)) ** 0.5
            return weight, jnp.ones(out), jnp.zeros(out)

        blocks = [half(channels, out) + half(out, out) for channels, out in zip(WIDTHS, WIDTHS[1:])]
        return half(3, 16), blocks, (jax.random.normal(next(keys), (64, 10)) / 8, jnp.zeros(10))

    def loss(parameters, x, y):
        (w, g, b), blocks, (dense, bias) = parameters
        x = jax.nn.relu(norm(conv(x.astype(kind), w, 1), g, b))
        for w1, g1, b1, w2, g2, b2 in blocks:
            stride, extra = w1.shape[3] // w1.shape[2], (w1.shape[3] - w1.shape[2]) // 2
            y1 = norm(conv(jax.nn.relu(norm(conv(x, w1, stride), g1, b1)), w2, 1), g2, b2)
            if extra:
                x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (extra, extra)))
            x = jax.nn.relu(x + y1)
        logits = x.astype(jnp.float32).mean((1, 2)) @ dense + bias
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()

    parameters = jax.jit(jax.vmap(initial))(jax.random.split(jax.random.key(0), o.nodes))
    x = jax.random.normal(jax.random.key(1), (o.nodes, o.batch, 32, 32, 3))
    y = jax.random.randint(jax.random.key(2), (o.nodes, o.batch), 0, 10)
    gradients = jax.jit(jax.vmap(jax.grad(loss)))
    last = [None]

    def step():
        last[0] = gradients(parameters, x, y)

    return step, lambda: jax.block_until_ready(last[0])


def work(o):
    """A way's process: warms up, then answers every line of its input by the median milliseconds of a step."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print
    try:
        step, wait = jax_step(o) if o.way == "jax_vmap" else torch_step(o)
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
        return NOT_INSTALLED
    least = LEAST_STEPS if o.device == "cuda" else 1
    for _ in range(min(WARM_UP, least)):
        step()
        wait()
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        times = []
        while len(times) < least or (sum(times) < o.seconds and len(times) < MOST_STEPS):
            began = time.perf_counter()
            step()
            wait()
            times.append(time.perf_counter() - began)
        print(statistics.median(times) * 1e3, file=answers, flush=True)
    return 0


def time_of_ours(o):
    """Milliseconds of a gradient of all nodes by network_bench."""
    name = f"network_gradients/resnet20/cuda/{o.ours_precision}/nodes:{o.nodes}/batch:{o.batch}/"
    if o.device == "cpu":
        name = f"network_gradients/resnet20/nodes:{o.nodes}/threads:{min(2, os.cpu_count())}/"
    command = [o.ours, f"--benchmark_filter={name}", f"--benchmark_min_time={o.seconds}", "--benchmark_format=json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)["benchmarks"][0]["real_time"]


def compare(way, o):
    """Turns of a way and of ours; None if what it needs is not installed."""
    command = [sys.executable, __file__, "--work", way, *sys.argv[1:]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        theirs, ours = [], []
        try:
            if process.stdout.readline() != "ready\n":
                if process.wait() == NOT_INSTALLED:
                    return None
                sys.exit(f"{way} failed")
            for _ in range(o.turns):
                process.stdin.write("go\n")
                process.stdin.flush()
                theirs.append(float(process.stdout.readline()))
                ours.append(time_of_ours(o))
        finally:
            process.kill()
    images = o.nodes * o.batch
    return {"ms": statistics.median(theirs), "images_per_s": images / statistics.median(theirs) * 1e3,
            "ours_ms": statistics.median(ours), "ours_images_per_s": images / statistics.median(ours) * 1e3,
            "over_ours": statistics.median(t / m for t, m in zip(theirs, ours))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", help="path of network_bench")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="tf32", help="of the ways")
    parser.add_argument("--ours-precision", choices=["fp32", "tf32"], default="tf32")
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn, at least")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--work", dest="way", choices=WAYS, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.way:
        return work(o)
    if not o.ours:
        parser.error("--ours is missing")
    results = {}
    for way in o.ways:
        result = compare(way, o)
        if result is None:
            print(f"{way}: not installed here", flush=True)
            continue
        results[way] = result
        print(f"{way}, {o.precision}: {result['ms']:.2f} ms, {result['images_per_s']:.0f} images/s, "
              f"{result['over_ours']:.2f} times the time of ours", flush=True)
        if o.json:
            settings = {"nodes": o.nodes, "batch": o.batch, "precision": o.precision, "ours": o.ours_precision}
            Path(o.json).write_text(json.dumps(settings | {"ways": results}, indent=1) + "\n")
    if results:
        best = min(results, key=lambda way: results[way]["ms"])
        print(f"best: {best}, {results[best]['over_ours']:.2f} times the time of ours")
    return 0


if __name__ == "__main__":
    sys.exit(main())
