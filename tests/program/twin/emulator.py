"""Sparse-Push, SCSP, stochastic gradient push, D-PSGD, DeepSqueeze, CHOCO, quantized push-sum, gradient tracking, D2, shared
blocks, exact means and Federated Dynamic Averaging on quadratic problems, from their definition.

Rows are nodes; states are float32 except the push-sum weights u, which are float64.
"""

from dataclasses import dataclass

import numpy as np

from twin.arithmetic import fma, fma32
from twin.compressors import Compressor
from twin.topology import mixing_weights

TRACKING = ("gradient_tracking", "push_gradient_tracking")
DENSE = ("sgp", "d_psgd") + TRACKING
DIFFERENCES = ("d2",)
EXACT_MEANS = ("all_reduce", "local_sgd", "fda")
WITHOUT_PUSH_SUM = ("d_psgd", "deep_squeeze", "gradient_tracking") + DIFFERENCES + EXACT_MEANS
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
    monitor: str = "linear"
    threshold: float = None
    lr: float = 0.05
    momentum: float = 0.9
    nesterov: bool = False
    kind: str = ""
    beta2: float = 0.99
    epsilon: float = 1e-6
    compress: str = "parameters"
    blocks: int = 0
    weight_decay: float = 1e-4
    steps: int = 40
    epoch_steps: int = 0
    milestones: tuple = ()
    decay: float = 0.1


    @property
    def optimizer(self):
        return self.kind or ("nesterov" if self.nesterov else "heavy_ball")

    @property
    def pushes_u(self):
        return self.algorithm not in WITHOUT_PUSH_SUM and self.compress == "parameters"


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
        self.correction = np.zeros_like(self.x)
        self.bounds = [b * self.params // settings.blocks for b in range(settings.blocks + 1)] if settings.blocks else []
        self.block_u = np.ones((self.nodes, settings.blocks))
        self.second_moment, self.last_z = np.zeros_like(self.x), np.zeros_like(self.x)
        self.tracker, self.last_gradient = np.zeros_like(self.x), np.zeros_like(self.x)
        self.reference, self.heading, self.syncs = self.x[0].copy(), np.zeros(self.params, np.float32), 0
        self.u = np.ones(self.nodes)
        self.step = self.round = self.messages = 0
        self.merging = False
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

    def by_element(self, of_blocks):
        """[..., blocks] as [..., params]."""
        return np.repeat(of_blocks, np.diff(self.bounds), axis=-1)

    def z(self):
        if self.settings.blocks:
            return self.x * self.by_element((1.0 / self.block_u).astype(np.float32))
        return self.x * (1.0 / self.u).astype(np.float32)[:, None]

    def milestones_passed(self, step):
        settings = self.settings
        return sum(milestone <= step // settings.epoch_steps for milestone in settings.milestones)

    def averaging_rate(self):
        if self.settings.algorithm == "quantized_push_sum":
            return 1.0
        factors, passed = self.settings.averaging_decay, self.milestones_passed(self.step)
        return self.settings.averaging_rate * (factors[passed - 1] if factors and passed else 1.0)

    def update(self):
        settings = self.settings
        z = self.z()
        self.train_loss.append(self.mean_loss(z))
        gradient = fma32(np.float32(settings.weight_decay), z, self.followed(self.curvature * (z - self.target)))
        rate, direction = getattr(self, settings.optimizer)(z, gradient)
        self.x = fma32(-np.float32(rate), direction, self.x)
        if settings.compress == "update":
            self.error = fma32(-np.float32(rate), direction, self.error)

    def learning_rate(self, step):
        return self.settings.lr * self.settings.decay ** self.milestones_passed(step)

    def heavy_ball(self, _, gradient):
        self.momentum = fma32(np.float32(self.settings.momentum), self.momentum, gradient)
        return self.learning_rate(self.step), self.momentum

    def nesterov(self, z, gradient):
        rate, momentum = self.heavy_ball(z, gradient)
        return rate, fma32(np.float32(self.settings.momentum), momentum, gradient)

    def quasi_global(self, z, gradient):
        beta, last = self.settings.momentum, self.learning_rate(self.step - 1) if self.step else 0.0
        inverse = np.float32((1 - beta) / last if last else 0.0)
        self.momentum = fma32(np.float32(beta), self.momentum, inverse * (self.last_z - z))
        self.last_z = z
        return self.learning_rate(self.step), fma32(np.float32(beta), self.momentum, gradient)

    def adam(self, _, gradient):
        beta, beta2 = self.settings.momentum, self.settings.beta2
        taken, taken2 = (1 - kept ** (self.step + 1) for kept in (beta, beta2))
        self.momentum = fma32(np.float32(beta), self.momentum, np.float32(1 - beta) * gradient)
        self.second_moment = fma32(np.float32(beta2), self.second_moment, np.float32(1 - beta2) * (gradient * gradient))
        root = fma32(np.sqrt(self.second_moment), np.float32(1 / np.sqrt(taken2)), np.float32(self.settings.epsilon))
        return self.learning_rate(self.step) / taken, self.momentum / root

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

    def count_exact_mean(self, dense=None):
        for _ in range(2 * (self.nodes - 1)):
            self.count_message(dense=dense)

    @staticmethod
    def sum_of_elements(terms):
        """Term j, a float64, is added to partial sum j mod 16, and these are added up in order."""
        lanes, total = np.zeros(16), 0.0
        for first in range(0, len(terms), 16):
            part = terms[first : first + 16]
            lanes[: len(part)] += part
        for lane in lanes:
            total += lane
        return total

    def average_where_models_vary(self):
        settings = self.settings
        self.count_exact_mean(dense=8)
        sums = np.zeros(2)
        for row in self.x:
            drift = (row - self.reference).astype(np.float64)
            for i, factor in enumerate((drift, self.heading.astype(np.float64))):
                sums[i] += np.float64(np.float32(self.sum_of_elements(factor * drift)))
        squares, along = sums / self.nodes
        threshold = 4.91e-5 * self.params if settings.threshold is None else settings.threshold
        if not (squares - along * along if settings.monitor == "linear" else squares) > threshold:
            return
        self.syncs += 1
        self.count_exact_mean()
        self.x = self.mean_of_nodes(self.x).copy()
        moved = (self.x[0] - self.reference).astype(np.float64)
        norm = np.sqrt(self.sum_of_elements(moved * moved))
        self.heading = (moved / norm if norm > 0 else np.zeros_like(moved)).astype(np.float32)
        self.reference = self.x[0].copy()

    def exchange(self):
        """One round of messages: whole rows, or what top-k keeps of parameters and error, or of a difference."""
        settings, everything = self.settings, np.arange(self.params)
        if settings.algorithm == "local_sgd":
            self.count_exact_mean()
            self.x = self.mean_of_nodes(self.x).copy()
        elif settings.algorithm == "fda":
            self.average_where_models_vary()
        elif settings.algorithm == "all_reduce":
            pass  # before the step
        elif settings.algorithm == "shared_block":
            self.mix_block()
        elif settings.algorithm in DIFFERENCES:
            self.mix_differences()
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
            v = self.error if settings.compress == "update" else self.x + self.error
            sent, self.error = self.compressed(v), v.copy()
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

    def mix_block(self):
        weights = mixing_weights(self.rounds[self.round % len(self.rounds)], 1.0)
        due = self.round % self.settings.blocks
        begin, end = self.bounds[due : due + 2]
        self.round += 1
        x, u = self.x[:, begin:end].copy(), self.block_u[:, due].copy()
        for target in range(self.nodes):
            sources = [source for i, source in weights if i == target]
            for source in sorted(sources, key=lambda source: (source != target, source)):
                weight, mixed = weights[target, source], self.x[target, begin:end]
                self.x[target, begin:end] = fma32(np.float32(weight), x[source], mixed)
                self.block_u[target, due] = fma(weight, u[source], self.block_u[target, due])
                if source != target:
                    self.count_message(dense=4 * (end - begin) + 4)

    def mix_differences(self):
        weights = mixing_weights(self.rounds[self.round % len(self.rounds)], self.averaging_rate())
        self.round += 1
        before = self.x + self.correction
        added = np.zeros_like(before)
        for target, source in sorted(weights):
            if target != source:
                difference = before[source] - before[target]
                added[target] = fma32(np.float32(weights[target, source]), difference, added[target])
                self.count_message()
        self.x, self.correction = before + added, self.correction + added

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
                if self.settings.pushes_u or self.merging:
                    self.u[target] = fma(weight, before[source], self.u[target])
        for target, source in weights:
            if target != source:
                self.count_message(sent[source] and sent[source][2])

    def count_message(self, compressed=None, dense=None):
        """Books one message: of these bytes by (authors, coo32, wire), else dense, with u where it is sent."""
        arrays = 2 if self.settings.algorithm in TRACKING else 1
        if dense is None:
            dense = 4 * self.params * arrays + (4 if self.settings.pushes_u or self.merging else 0)
        self.messages += 1
        self.bytes["dense"] += 4 * self.params + 4
        for name, size in zip(("authors", "coo32", "wire"), compressed or (dense,) * 3):
            self.bytes[name] += size

    def finish_with_dense_rounds(self):
        self.merging = True
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
        u, at = self.u[:, None], self.x / self.u[:, None]
        mean = self.sum_of_nodes(self.x) / self.sum_of_nodes(self.u)
        if self.settings.blocks:
            u, at = self.block_u, self.z().astype(np.float64)
            mean = self.sum_of_nodes(self.x) / self.by_element(self.sum_of_nodes(u))
        spread = np.linalg.norm(at - mean)
        row = {
            "test_loss": self.mean_loss(self.z()),
            "loss_mean_model": self.mean_loss(mean),
            "consensus": spread / (np.sqrt(self.nodes) * np.linalg.norm(mean)),
            "u_sum": np.sum(u) / u.shape[1], "u_min": np.min(u), "u_max": np.max(u),
            "messages": self.messages,
        }
        if self.settings.algorithm in WITH_ERROR:
            error, x = (np.linalg.norm(state.astype(np.float64)) for state in (self.error, self.x))
            row["error_ratio"] = error / x
        if self.settings.algorithm == "fda":
            row["syncs"] = self.syncs
        return row | {f"bytes_{name}": count for name, count in self.bytes.items()}
