"""Keeps what a network meets away from its kinks, where rounding decides what a gradient is.

Kinks are the 0 of a ReLU and the ties of a max pooling. Distances from them are in deviations of the pre-activations of
the layer over the batch, so that their scale is the same for normalized and other layers.
"""
import torch
from torch import nn
from torch.nn import functional as F

MARGIN = 2e-4  # that everything keeps
GOOD = 1e-3  # where a layer lacks the margin, the search changes all of its channels below this
SHIFT, UNIT = 0.25, 2.0**-14  # bound of the shifts; they are multiples of the unit
ROTATIONS, TRIES = 16, 100


class Kinks:
    """Notes what a model meets in training: inputs of a ReLU under the path of the bias that was added last; under the
    path of the last filters the difference of the two largest values of each window of a max pooling. `met` has under
    each path an entry a forward pass, with a row a channel."""

    def __init__(self, model):
        self.met, self.deviations, self.deviation = {}, {}, None
        for path, module in model.named_modules():
            if not list(module.children()):
                module.register_forward_hook(lambda *call, path=path: self.note(path, *call))

    def note(self, path, module, inputs, _):
        if not module.training:
            return  # of an evaluation no gradient is taken
        values = inputs[0].detach()
        if isinstance(module, nn.ReLU):
            self.deviation = self.deviations[self.bias] = values.std()
            self.met.setdefault(self.bias, []).append(values.transpose(0, 1).flatten(1) / self.deviation)
        elif isinstance(module, nn.MaxPool2d):
            windows = F.unfold(values.flatten(0, 1)[:, None], 2, stride=2).reshape(*values.shape[:2], 4, -1)
            largest, second = windows.topk(2, 2).values.unbind(2)
            difference = (largest - second) / (self.deviation or values.std())
            if self.deviation is not None:  # of a window with at most one positive value the ReLU takes care
                difference[second == 0] = torch.inf
            self.met.setdefault(self.filters, []).append(difference.transpose(0, 1).flatten(1))
        else:
            self.deviation = None
            if getattr(module, "bias", None) is not None:
                self.bias = path + ".bias"
            if isinstance(module, nn.Conv2d):
                self.filters = path + ".weight"

    def margins(self):
        """The smallest distance of each channel. A pooling is before its ReLU: rotated filters need new shifts."""
        order = list(self.met)
        for i in range(1, len(order)):
            if order[i].endswith("weight") and order[i - 1].endswith("bias"):
                order[i - 1:i + 1] = order[i], order[i - 1]
        return {path: torch.stack([values.abs().amin(1) for values in self.met[path]]).amin(0) for path in order}

    def check(self):
        """The smallest distance of all, None without kinks. Raises an error if one is below the margin."""
        margins = {path: margin.min().item() for path, margin in self.margins().items()}
        poor = {path: f"{margin:.1e}" for path, margin in margins.items() if not margin >= MARGIN}
        if poor:
            raise ValueError(f"less than {MARGIN} from a kink: {poor}")
        return min((float(f"{margin:.2g}") for margin in margins.values()), default=None)


def adjust(model, rotations, shifts):
    """Rotates filters by so many elements to the right, and adds so many units to biases, which stay float32."""
    parameters = dict(model.named_parameters())
    for path, counts in rotations.items():
        for filter, count in zip(parameters[path].data, counts):
            filter.copy_(filter.flatten().roll(int(count)).reshape(filter.shape))
    for path, counts in shifts.items():
        bias = parameters[path].data
        bias.copy_((bias + counts * UNIT).float())


def widest_gap(values, bound):
    """Per row, the middle of the widest gap between values whose middle is in [-bound, bound]."""
    edges = torch.tensor([[-2 * bound, 2 * bound]]).expand(len(values), 2)
    values = torch.cat([values, edges], 1).sort(1).values
    middle = (values[:, 1:] + values[:, :-1]) / 2
    gap = torch.where(middle.abs() <= bound, values.diff(), 0)
    return middle.gather(1, gap.argmax(1, keepdim=True)).squeeze(1)


def search(meet):
    """Rotations and shifts, per channel under the paths of parameters, that make the margins wide.

    meet(rotations, shifts, trained): the Kinks of all steps of a training, or of its first forward pass only.

    The first layer that lacks the margin is changed until there is none. Biases go to the middle of the widest gap
    between the values of all steps. Filters go to the rotation that is best in the first pass, and where that turns out
    poor in later steps, to the next best. Steps are so small that a change hardly reaches the layers before it.
    """
    rotations, shifts, seen = {}, {}, {}
    for _ in range(TRIES):
        kinks = meet(rotations, shifts, True)
        margins = kinks.margins()
        path = next((path for path, margin in margins.items() if margin.min() < MARGIN), None)
        if path is None:
            break
        poor = margins[path] < GOOD
        zeros = torch.zeros(poor.shape, dtype=torch.int64)
        if path.endswith("bias"):
            old = shifts.get(path, zeros)
            unit = UNIT / kinks.deviations[path]
            middle = widest_gap(torch.cat(kinks.met[path], 1) - old[:, None] * unit, SHIFT)
            shifts[path] = torch.where(poor, -(middle / unit).round().long(), old)
            continue
        if path not in seen:
            seen[path] = torch.stack([meet(rotations | {path: zeros + r}, shifts, False).margins()[path]
                                      for r in range(ROTATIONS)])
        old = rotations.get(path, zeros)
        seen[path].scatter_(0, old[None], torch.minimum(margins[path], seen[path].gather(0, old[None])[0])[None])
        rotations[path] = torch.where(poor, seen[path].argmax(0), old)
    return rotations, shifts
