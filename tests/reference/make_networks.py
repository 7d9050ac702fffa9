#!/usr/bin/env python3
"""Computes with PyTorch, in float64, what tests/models/network_reference_test.cpp compares our networks with.

Writes networks.json beside this script. Each case trains one network on one batch for five steps of SGD with momentum.
Initial parameters and batches are drawn as the C++ code draws them, from Philox, so that the file holds results only:
the loss of each step; of every gradient of the first and the last step, how far every parameter has moved after the
last one, and every running statistic three numbers (`digest`).

Rounding must not decide what a gradient is. The file therefore also says how drawn parameters are changed, so that no
input of a ReLU and no difference within a max pooling is near its kink in any of the steps (margins.py): shifts of
biases, rotations of filters before a pooling. Learning rates are small enough for steps not to use the margins up. When
the results are computed, the margin is checked at all of these steps; if one is too small, nothing is written.

Takes about 9 minutes of processor time, in two processes. Two runs wrote the same file.
"""
import copy
import json
import multiprocessing
import re
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from margins import UNIT, Kinks, adjust, search
from networks import SEED, VGG11, LeNet5, ResNet20, initialize, philox

BATCH, STEPS, MOMENTUM, WEIGHT_DECAY = 6, 5, 0.9, 1e-4
MODELS = {"lenet5": LeNet5, "resnet20": ResNet20, "vgg11": VGG11}
LR = {"lenet5": {"batch": 1e-4, "group": 1e-4, "evonorm": 1e-4, "none": 5e-4},
      "resnet20": {"batch": 3e-5, "group": 1e-5, "evonorm": 4e-3, "none": 2e-4},
      "vgg11": {"batch": 2e-6, "group": 5e-6, "evonorm": 5e-6, "none": 5e-6}}


def digest(values):
    """Euclidean norm, sum weighted by a fixed pattern, and the largest magnitude."""
    flat = values.detach().numpy().reshape(-1)
    pattern = (np.arange(flat.size, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)).astype(np.float64)
    numbers = np.sqrt((flat**2).sum()), (flat * (pattern / 2**32 - 0.5)).sum(), np.abs(flat).max()
    return [float("%.10g" % number) for number in numbers]


def batch(channels, side, classes):
    """Bytes and labels from Philox, its first word of counter (i, 0, 0, 0)."""
    count = BATCH * channels * side * side
    images = philox(np.arange(count), 0, 0, 0, SEED)[0] & np.uint64(255)
    labels = philox(np.arange(BATCH), 1, 0, 0, SEED)[0] % np.uint64(classes)
    inputs = torch.tensor(images.astype(np.float64)).reshape(BATCH, channels, side, side) / 64 - 2
    return inputs, torch.tensor(labels.astype(np.int64))


def sgd(model, inputs, labels, lr):
    """Trains a model; yields the loss of each step before it moves the parameters, with the gradients in them."""
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        yield loss.item()
        optimizer.step()


def results(model, inputs, labels, lr):
    """What the file has of a training."""
    digests = lambda tensors: {path: digest(tensor) for path, tensor in tensors}
    gradients = lambda: digests((path, p.grad) for path, p in model.named_parameters())
    initial = {path: p.detach().clone() for path, p in model.named_parameters()}
    found = {"losses": []}
    for step, loss in enumerate(sgd(model, inputs, labels, lr)):
        found["losses"].append(loss)
        if step in (0, STEPS - 1):
            found["gradients" if step == 0 else "last_gradients"] = gradients()
    found["moved"] = digests((path, p - initial[path]) for path, p in model.named_parameters())
    found["statistics"] = digests((path, s) for path, s in model.named_buffers() if s.dim() == 1)
    model.eval()
    return found | {"test_loss": F.cross_entropy(model(inputs), labels).item()}


def make(case):
    """Completes a case, whose keys say what is trained."""
    torch.set_num_threads(1)
    drawn = MODELS[case["model"]](case["channels"], case["side"], case["classes"], case["norm"])
    initialize(drawn, case["model"])
    inputs, labels = batch(case["channels"], case["side"], case["classes"])

    def adjusted(rotations, shifts):
        model = copy.deepcopy(drawn)
        adjust(model, rotations, shifts)
        return model, Kinks(model)

    def meet(rotations, shifts, trained):
        model, kinks = adjusted(rotations, shifts)
        if trained:
            list(sgd(model, inputs, labels, case["lr"]))
        else:
            model(inputs)
        return kinks

    rotations, shifts = search(meet)
    model, kinks = adjusted(rotations, shifts)
    found = results(model, inputs, labels, case["lr"])
    lists = lambda tensors: {path: tensor.tolist() for path, tensor in tensors.items()}
    case |= {"parameters": sum(p.numel() for p in model.parameters()), "margin": kinks.check()}
    print(*case.values(), "losses", *("%.5f" % loss for loss in found["losses"]), flush=True)
    return case | {"rotations": lists(rotations), "shifts": lists(shifts)} | found


def main():
    shapes = {"lenet5": [(1, 28), (3, 32)], "resnet20": [(3, 32)], "vgg11": [(3, 32)]}
    cases = [{"model": model, "norm": norm, "channels": channels, "side": side, "classes": 10, "lr": lr}
             for model, norms in LR.items() for channels, side in shapes[model] for norm, lr in norms.items()]
    with multiprocessing.Pool(2) as pool:
        cases = pool.map(make, cases, chunksize=1)
    file = {"seed": SEED, "batch": BATCH, "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY, "shift": UNIT,
            "torch": torch.__version__, "cases": cases}
    in_lines = re.sub(r"\[[^][{}]*\]", lambda numbers: " ".join(numbers[0].split()), json.dumps(file, indent=1))
    Path(__file__).with_name("networks.json").write_text(in_lines + "\n")


if __name__ == "__main__":
    main()
