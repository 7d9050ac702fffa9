"""The networks of tests/models/network_reference_test.cpp written down from the papers' descriptions, and their initial
parameters, drawn as the C++ code draws them, from Philox."""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SEED = 5
INITIALIZE = 1  # kernels/backend/random.h: Stream
torch.set_default_dtype(torch.float64)


def philox(c0, c1, c2, c3, seed):
    """Four arrays of random 32-bit words for arrays of counters."""
    c = [np.asarray(x, np.uint64) for x in np.broadcast_arrays(c0, c1, c2, c3)]
    word = np.uint64(0xFFFFFFFF)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & word,
             (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & word]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def words(parameter, size):
    bits = philox(np.arange(size), parameter, 0, INITIALIZE, SEED)
    return [(bits[2 * half] << np.uint64(32)) | bits[2 * half + 1] for half in (0, 1)]


def uniform(parameter, size):
    return (words(parameter, size)[0] >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(parameter, size):
    u, v = ((w >> np.uint64(12)).astype(np.float64) + 0.5 for w in words(parameter, size))
    return np.sqrt(-2 * np.log(u * 2.0**-52)) * np.cos(2 * np.pi * v * 2.0**-52)


class EvoNormS0(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.groups = next(g for g in range(8, 0, -1) if channels % g == 0)
        self.weight, self.bias, self.v = (nn.Parameter(torch.full((channels,), x)) for x in (1.0, 0.0, 1.0))

    def forward(self, x):
        shape = x.shape
        grouped = x.reshape(shape[0], self.groups, -1)
        deviation = (grouped.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        per_channel = lambda p: p.reshape(1, -1, 1, 1)
        raised = x * torch.sigmoid(per_channel(self.v) * x)
        normalized = (raised.reshape(grouped.shape) / deviation).reshape(shape)
        return normalized * per_channel(self.weight) + per_channel(self.bias)


def make_norm(norm, channels):
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "group":
        return nn.GroupNorm(2, channels)
    return EvoNormS0(channels) if norm == "evonorm" else nn.Identity()


def activation(norm):
    return nn.Identity() if norm == "evonorm" else nn.ReLU()


class LeNet5(nn.Module):
    def __init__(self, channels, side, classes, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=2 if side == 28 else 0)
        self.norm1 = make_norm(norm, 6)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.norm2 = make_norm(norm, 16)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)
        self.activation, self.pool, self.relu = activation(norm), nn.MaxPool2d(2), nn.ReLU()

    def forward(self, x):
        x = self.pool(self.activation(self.norm1(self.conv1(x))))
        x = self.pool(self.activation(self.norm2(self.conv2(x))))
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x.flatten(1))))))


class Block(nn.Module):
    def __init__(self, before, channels, stride, norm):
        super().__init__()
        self.stride, self.added, self.activation = stride, channels - before, activation(norm)
        bias = norm == "none"
        self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=bias)
        self.bn1 = make_norm(norm, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=bias)
        self.bn2 = make_norm(norm, channels)

    def forward(self, x):
        y = self.bn2(self.conv2(self.activation(self.bn1(self.conv1(x)))))
        half = self.added // 2
        shortcut = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, half, half))
        return self.activation(y + shortcut)


class ResNet20(nn.Module):
    def __init__(self, channels, side, classes, norm):
        super().__init__()
        self.norm, self.activation = norm, activation(norm)
        self.conv1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=norm == "none")
        self.bn1 = make_norm(norm, 16)
        blocks = lambda before, channels, stride: nn.Sequential(
            Block(before, channels, stride, norm), *(Block(channels, channels, 1, norm) for _ in range(2)))
        self.layer1, self.layer2, self.layer3 = blocks(16, 16, 1), blocks(16, 32, 2), blocks(32, 64, 2)
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(self.activation(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


class VGG11(nn.Module):
    def __init__(self, channels, side, classes, norm):
        super().__init__()
        layers = []
        for width in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            if norm != "none":
                layers.append(make_norm(norm, width))
            if norm != "evonorm":
                layers.append(nn.ReLU())
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def initialize(model, name):
    """As the papers and PyTorch say, from our random numbers, rounded to float32 as our parameters are."""
    modules = dict(model.named_modules())
    for number, (path, p) in enumerate(model.named_parameters()):
        owner = modules[path.rpartition(".")[0]]
        if not isinstance(owner, (nn.Conv2d, nn.Linear)):
            continue
        weight = owner.weight
        fan_in = weight[0].numel()
        values = (2 * uniform(number, p.numel()) - 1) / math.sqrt(fan_in)
        if name == "resnet20" and p.dim() == 4:
            scale = 1.0
            if model.norm == "none" and path.startswith("layer"):  # [Fixup]
                scale = 1 / 3 if "conv1" in path else 0.0
            values = normal(number, p.numel()) * scale * math.sqrt(2 / fan_in)
        if name == "vgg11" and isinstance(owner, nn.Conv2d):
            values = normal(number, p.numel()) * math.sqrt(2 / (9 * weight.shape[0]))
        if name != "lenet5" and isinstance(owner, nn.Conv2d) and p.dim() == 1:
            values = np.zeros(p.numel())
        p.data = torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(p.shape)
