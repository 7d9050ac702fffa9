"""Sparse-Push, SCSP, stochastic gradient push, D-PSGD, DeepSqueeze, CHOCO, quantized push-sum, gradient tracking and exact
means on quadratic problems, from their definition.

Rows are nodes; states are float32 except the push-sum weights u, which are float64.
"""

from dataclasses import dataclass

import numpy as np

from twin.arithmetic import fma, fma32
from twin.compressors import Compressor
from twin.topology import mixing_weights

TRACKING = ("gradient_tracking", "push_gradient_tracking")
DENSE = ("sgp", "d_psgd") + TRACKING
EXACT_MEANS = ("all_reduce", "local_sgd")
WITHOUT_PUSH_SUM = ("d_psgd", "deep_squeeze", "gradient_tracking") + EXACT_MEANS
WITH_ERROR = ("sparse_push", "scsp", "deep_squeeze")
WITH_COPY = ("choco", "quantized_push_sum")
COMPRESSED = WITH_ERROR + WITH_COPY


@dataclass(frozen=True)
class Settings:
    algorithm: str = "sparse_push"
    compressor: str = "top_k"
    scope: str = "layer"
    keep: float = 0.05
    value_bits: int = 32
    levels: int = 127
    rank: int = 2
    seed: int = 1
    averaging_rate: float = 0.05
    averaging_decay: tuple = ()
    local_steps: int = 1
    final_rounds: int = 0
    final: str = "gossip"
    lr: float = 0.05
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    steps: int = 40
    epoch_steps: int = 0
    milestones: tuple = ()
    decay: float = 0.1


class Twin:
    """All nodes after `step` steps and final rounds; rows[step] measures it, train_loss has one mean a step."""

    def __init__(self, problem, settings, rounds):
        self.curvature, self.target = problem["curvature"], problem["target"]
        self.nodes, self.params = self.target.shape
        self.sizes = problem.get("segments", [self.params])
        self.settings, self.rounds = settings, rounds
        self.compressor = Compressor(settings, self.sizes, problem.get("shapes"), self.nodes,
                                     settings.algorithm == "quantized_push_sum")
        self.x = np.array(np.broadcast_to(problem["start"], self.target.shape))
        self.momentum, self.error = np.zeros_like(self.x), np.zeros_like(self.x)
        self.public_copy = np.zeros_like(self.x)
        self.tracker, self.last_gradient = np.zeros_like(self.x), np.zeros_like(self.x)
        self.u = np.ones(self.nodes)
        self.step = self.round = self.messages = 0
        self.bytes = {"authors": 0, "coo32": 0, "wire": 0, "dense": 0}
        self.train_loss, self.rows = [], [self.measure()]

    def run(self):
        for _ in range(self.settings.steps):
            self.update()
            if self.settings.algorithm != "none" and (self.step + 1) % self.settings.local_steps == 0:
                self.exchange()
            self.finish_step()
        if self.settings.algorithm == "scsp":
            self.finish_with_dense_rounds()
        return self

    def finish_step(self):
        self.step += 1
        self.rows.append(self.measure())

    def z(self):
        return self.x * (1.0 / self.u).astype(np.float32)[:, None]

    def milestones_passed(self):
        settings = self.settings
        return sum(milestone <= self.step // settings.epoch_steps for milestone in settings.milestones)

    def averaging_rate(self):
        if self.settings.algorithm == "quantized_push_sum":
            return 1.0
        factors, passed = self.settings.averaging_decay, self.milestones_passed()
        return self.settings.averaging_rate * (factors[passed - 1] if factors and passed else 1.0)

    def update(self):
        settings = self.settings
        lr = np.float32(settings.lr * settings.decay ** self.milestones_passed())
        beta, decay = np.float32(settings.momentum), np.float32(settings.weight_decay)
        z = self.z()
        self.train_loss.append(self.mean_loss(z))
        gradient = fma32(decay, z, self.followed(self.curvature * (z - self.target)))
        self.momentum = fma32(beta, self.momentum, gradient)
        direction = fma32(beta, self.momentum, gradient) if settings.nesterov else self.momentum
        self.x = fma32(-lr, direction, self.x)

    def followed(self, gradient):
        """What a node steps along: its gradient, the mean of all, or what it knows of that."""
        if self.settings.algorithm == "all_reduce":
            self.count_exact_mean()
            gradient = self.mean_of_nodes(gradient)
        elif self.settings.algorithm in TRACKING:
            self.tracker = self.tracker + (gradient - self.last_gradient)
            self.last_gradient, gradient = gradient, self.tracker
        return gradient

    def mean_of_nodes(self, rows):
        return np.broadcast_to((self.sum_of_nodes(rows) / self.nodes).astype(np.float32), rows.shape)

    def count_exact_mean(self):
        for _ in range(2 * (self.nodes - 1)):
            self.count_message()

    def exchange(self):
        """One round of messages: whole rows, or what top-k keeps of parameters and error, or of a difference."""
        settings, everything = self.settings, np.arange(self.params)
        if settings.algorithm == "local_sgd":
            self.count_exact_mean()
            self.x = self.mean_of_nodes(self.x).copy()
        elif settings.algorithm == "all_reduce":
            pass  # before the step
        elif settings.algorithm in DENSE:
            if settings.algorithm in TRACKING:
                self.mix_tracker()
            rows = [(everything, row) for row in self.x.copy()]
            self.mix(rows, self.averaging_rate(), [None] * self.nodes)
        elif settings.algorithm in WITH_COPY:
            sent = self.compressed(self.x - self.public_copy)
            for node, (chosen, values, _) in enumerate(sent):
                self.public_copy[node, chosen] += values
            rows = [(everything, row) for row in self.public_copy.copy()]
            self.mix(rows, self.averaging_rate(), sent)
        else:
            v = self.x + self.error
            sent, self.error = self.compressed(v), v
            for node, (chosen, values, _) in enumerate(sent):
                self.error[node, chosen] -= values
            self.mix([message[:2] for message in sent], self.averaging_rate(), sent)

    def compressed(self, rows):
        """For each node indices, values and bytes of its message."""
        return [self.compressor.compress(row, self.u[node], node, self.round) for node, row in enumerate(rows)]

    def mix_tracker(self):
        weights = mixing_weights(self.rounds[self.round % len(self.rounds)], self.averaging_rate())
        before = self.tracker.copy()
        for target in range(self.nodes):
            sources = [source for i, source in weights if i == target]
            for source in sorted(sources, key=lambda source: (source != target, source)):
                self.tracker[target] = fma32(np.float32(weights[target, source]), before[source], self.tracker[target])

    def mix(self, rows, eta, sent):
        """x += eta (P - I) q, u += eta (P - I) u: the node's own part first, then its in-edges by ascending source.

        rows: q of every node as (indices, values); sent: its message as compressors have it, or None where it is x.
        """
        weights = mixing_weights(self.rounds[self.round % len(self.rounds)], eta)
        self.round += 1
        before = self.u.copy()
        for target in range(self.nodes):
            sources = [source for i, source in weights if i == target]
            for source in sorted(sources, key=lambda source: (source != target, source)):
                weight, (indices, values) = weights[target, source], rows[source]
                self.x[target, indices] = fma32(np.float32(weight), values, self.x[target, indices])
                if self.settings.algorithm not in WITHOUT_PUSH_SUM:
                    self.u[target] = fma(weight, before[source], self.u[target])
        for target, source in weights:
            if target != source:
                self.count_message(sent[source] and sent[source][2])

    def count_message(self, compressed=None):
        """Books one message: of these bytes by (authors, coo32, wire), else dense, with u where it is sent."""
        arrays = 2 if self.settings.algorithm in TRACKING else 1
        dense = 4 * self.params * arrays + (0 if self.settings.algorithm in WITHOUT_PUSH_SUM else 4)
        self.messages += 1
        self.bytes["dense"] += 4 * self.params + 4
        for name, size in zip(("authors", "coo32", "wire"), compressed or (dense,) * 3):
            self.bytes[name] += size

    def finish_with_dense_rounds(self):
        self.error[:] = 0.0
        if self.settings.final == "all_reduce":
            self.x[:] = (self.sum_of_nodes(self.x) / self.sum_of_nodes(self.u)).astype(np.float32)
            self.u[:] = 1.0
            self.count_exact_mean()
            self.finish_step()
            return
        everything = np.arange(self.params)
        for _ in range(self.settings.final_rounds):
            self.mix([(everything, row) for row in self.x.copy()], 1.0, [None] * self.nodes)
            self.finish_step()

    @staticmethod
    def sum_of_nodes(rows):
        total = np.zeros(rows.shape[1:])
        for row in rows:
            total = total + row
        return total

    def mean_loss(self, z):
        """mean_i f_i(z_i) in float64; z: [nodes, params], or [params] for one model on every node's objective."""
        distance = z.astype(np.float64) - self.target
        return np.mean(0.5 * np.sum(self.curvature * distance * distance, axis=1))

    def measure(self):
        mean = self.sum_of_nodes(self.x) / self.sum_of_nodes(self.u)
        spread = np.linalg.norm(self.x / self.u[:, None] - mean)
        row = {
            "test_loss": self.mean_loss(self.z()),
            "loss_mean_model": self.mean_loss(mean),
            "consensus": spread / (np.sqrt(self.nodes) * np.linalg.norm(mean)),
            "u_sum": np.sum(self.u), "u_min": np.min(self.u), "u_max": np.max(self.u),
            "messages": self.messages,
        }
        if self.settings.algorithm in WITH_ERROR:
            error, x = (np.linalg.norm(state.astype(np.float64)) for state in (self.error, self.x))
            row["error_ratio"] = error / x
        return row | {f"bytes_{name}": count for name, count in self.bytes.items()}
