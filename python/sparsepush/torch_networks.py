"""The program's networks as PyTorch modules: equal parameters give equal outputs, to rounding."""

import torch
from torch import nn
from torch.nn import functional as F

VGG11_WIDTHS = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0)  # 0: pooling


# The networks, and a tensor that each begins with.
NETWORKS = {
    "softmax": ("fc.weight", lambda shapes, norm: Softmax(shapes)),
    "mlp": ("fc1.weight", lambda shapes, norm: Mlp(shapes)),
    "lenet5": ("conv1.weight", lambda shapes, norm: LeNet5(*sizes_of(shapes, "conv1", "fc3"), norm)),
    "resnet20": ("conv1.weight", lambda shapes, norm: ResNet20(*sizes_of(shapes, "conv1", "linear"), norm)),
    "vgg11": ("features.0.weight", lambda shapes, norm: Vgg11(*sizes_of(shapes, "features.0", "classifier.2"), norm)),
}


def make_network(model, shapes):
    """The network of a configuration's section [model], of the sizes that its tensors' shapes tell."""
    first, make = NETWORKS.get(model.get("name"), (None, None))
    if first not in shapes:
        raise ValueError(f"torch_model(): there is no PyTorch module for tensors such as {next(iter(shapes))!r}")
    return make(shapes, model.get("norm", "none"))


def sizes_of(shapes, first, last):
    """Channels of images, and classes."""
    return shapes[f"{first}.weight"][1], shapes[f"{last}.weight"][0]


def features_of(x):
    """[samples, features]: of images, the channels of a pixel together, as the program keeps them."""
    return (x.permute(0, 2, 3, 1) if x.dim() == 4 else x).flatten(1)


def linear_of(shape):
    return nn.Linear(shape[1], shape[0])


class Softmax(nn.Module):
    def __init__(self, shapes):
        super().__init__()
        self.fc = linear_of(shapes["fc.weight"])

    def forward(self, x):
        return self.fc(features_of(x))


class Mlp(nn.Module):
    def __init__(self, shapes):
        super().__init__()
        self.depth = sum(name.endswith(".weight") for name in shapes)
        for layer in range(1, self.depth + 1):
            self.add_module(f"fc{layer}", linear_of(shapes[f"fc{layer}.weight"]))

    def forward(self, x):
        x = features_of(x)
        for layer in range(1, self.depth):
            x = F.relu(self.get_submodule(f"fc{layer}")(x))
        return self.get_submodule(f"fc{self.depth}")(x)


class EvoNormS0(nn.Module):
    """An activation as well."""

    def __init__(self, channels):
        super().__init__()
        self.groups = largest_divisor(channels, 8)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.v = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        weight, bias, v = (p[:, None, None] for p in (self.weight, self.bias, self.v))
        variance = x.unflatten(1, (self.groups, -1)).var((2, 3, 4), unbiased=False, keepdim=True)
        raised = (x * torch.sigmoid(v * x)).unflatten(1, (self.groups, -1))
        return (raised / (variance + 1e-5).sqrt()).flatten(1, 2) * weight + bias


def largest_divisor(number, most):
    return next(d for d in range(most, 0, -1) if number % d == 0)


def norm_of(norm, channels):
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "group":
        return nn.GroupNorm(largest_divisor(channels, 2), channels)
    return EvoNormS0(channels) if norm == "evonorm" else nn.Identity()


def activation_of(norm):
    return nn.Identity() if norm == "evonorm" else nn.ReLU()


class LeNet5(nn.Module):
    """For images of 28 or 32 pixels a side."""

    def __init__(self, channels, classes, norm):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, 6, 5), norm_of(norm, 6)
        self.conv2, self.norm2 = nn.Conv2d(6, 16, 5), norm_of(norm, 16)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)
        self.activation = activation_of(norm)

    def forward(self, x):
        padding = 2 if x.shape[-1] == 28 else 0
        x = F.pad(x, (padding,) * 4)
        x = F.max_pool2d(self.activation(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(self.activation(self.norm2(self.conv2(x))), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class Block(nn.Module):
    """A residual block, with a shortcut without parameters."""

    def __init__(self, before, channels, norm):
        super().__init__()
        self.stride, self.added = (1 if before == channels else 2), channels - before
        has_bias = norm == "none"
        self.conv1 = nn.Conv2d(before, channels, 3, self.stride, 1, bias=has_bias)
        self.bn1 = norm_of(norm, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=has_bias)
        self.bn2 = norm_of(norm, channels)
        self.activation = activation_of(norm)

    def forward(self, x):
        y = self.bn2(self.conv2(self.activation(self.bn1(self.conv1(x)))))
        half = self.added // 2
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))
        return self.activation(y + shortcut)


class ResNet20(nn.Module):
    def __init__(self, channels, classes, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=norm == "none")
        self.bn1, self.activation = norm_of(norm, 16), activation_of(norm)
        for stage, (before, width) in enumerate(((16, 16), (16, 32), (32, 64)), start=1):
            blocks = [Block(before, width, norm), Block(width, width, norm), Block(width, width, norm)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = self.activation(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class Vgg11(nn.Module):
    def __init__(self, channels, classes, norm):
        super().__init__()
        layers = []
        for width in VGG11_WIDTHS:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            channels = width
            if norm != "none":
                layers.append(norm_of(norm, width))
            if norm != "evonorm":
                layers.append(nn.ReLU())
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
