"""Runs on quadratic problems equal an independent NumPy emulator in every bit."""

import itertools
import math

import numpy as np

from program import METRICS_HEADER, ProgramTest, main, quadratic, read_metrics, read_safetensors
from twin.arithmetic import fma32, fmaf
from twin.compressors import Compressor
from twin.emulator import COMPRESSED, TRACKING, WITH_COPY, WITH_ERROR, Settings, Twin
from twin.messages import encode, top_k
from twin.topology import (
    base_graph_of_five, directed_ring, mixing_weights, one_peer_exponential, three_rings, to_csv)

STATE = {"x", "momentum", "second_moment", "last_z", "u", "block_u", "error", "public_copy", "tracker", "last_gradient",
         "correction", "reference", "heading", "syncs", "factor"}
ODD = (1, 7, 33, 2, 65, 92)
IRREGULAR = [[(int(edge[0]), int(edge[1]), None) for edge in ("01", "12", "13", "10", "20", "24", "34", "41")]]
VARYING = [
    [(0, 1, None), (0, 2, None), (0, 3, None), (1, 0, None), (3, 2, None)],  # node 2 keeps everything
    [(2, 3, None), (3, 0, None), (3, 1, None), (1, 2, None)],
    [(1, 3, None), (2, 0, None), (0, 0, None), (0, 1, None)],  # a self row is not an edge
]
REGULAR = [[(node, (node + offset) % 6, None) for node in range(6) for offset in (1, 2)],
           [(node, (node - 1) % 6, None) for node in range(6)]]  # as many edges in as out: doubly stochastic
SYMMETRIC = [[(*edge, weight) for i, j, weight in ((0, 1, 0.25), (0, 2, 0.3), (0, 3, 0.1), (1, 2, 0.1), (3, 4, 0.4))
              for edge in ((i, j), (j, i))]]  # every node keeps more than a third
WEIGHTED = [
    [(0, 1, 0.1), (0, 2, 0.65), (0, 0, 0.25), (1, 2, 1 / 3), (2, 0, 0.7), (1, 1, 2 / 3)],
    [(0, 2, 0.5), (1, 0, 0.125), (1, 2, 0.375), (2, 1, 0.9)],
]


class Arithmetic(ProgramTest):
    def test_fma32_equals_libm(self):
        random = np.random.default_rng(1)
        special = [0.0, -0.0, 1.0, -1.0, 1 + 2**-23, 1 - 2**-24, 2**-149, 2**-126, 2**-75, 3e38, math.inf, -math.inf]
        triples = [np.array(list(itertools.product(special, repeat=3)))]
        triples.append(random.integers(0, 2**32, (6000, 3), dtype=np.uint32).view(np.float32))
        near_ties = 1 + random.integers(0, 2**23, (6000, 3)) * 2.0**-23
        near_ties[:, 1] = 1 + 2.0 ** -random.integers(1, 24, 6000)
        near_ties[:, 2] *= random.choice([-1, 1], 6000) * 2.0 ** random.integers(-60, 30, 6000)
        ties = (1 + 2.0**-12) * np.array([[1, 1, 2.0**-60], [1, 1, -(2.0**-60)], [1, -1, 2.0**-60], [1, 1, 0]])
        for block in (near_ties, ties):  # at the size of normal numbers, then of denormal ones
            triples += [block, block * [2.0**-70, 2.0**-70, 2.0**-140], block * [2.0**-75, 2.0**-74, 2.0**-148]]
        with np.errstate(all="ignore"):
            a, b, c = np.concatenate(triples).astype(np.float32).T
            rounded_twice = (a.astype(np.float64) * b + c).astype(np.float32)
        expected = np.array([fmaf(*triple) for triple in zip(a.tolist(), b.tolist(), c.tolist())], np.float32)
        actual = fma32(a, b, c)
        number = ~(np.isnan(expected) & np.isnan(actual))
        np.testing.assert_array_equal(actual[number].view(np.uint32), expected[number].view(np.uint32))
        self.assertGreater(np.sum(rounded_twice[number] != expected[number]), 0)  # so the inputs are hard enough

    def test_columns_of_the_mixing_weights_sum_to_zero_exactly(self):
        for eta in (1.0, 0.7, 0.5, 0.1, 0.001):
            for edges in IRREGULAR + VARYING + WEIGHTED:
                weights = mixing_weights(edges, eta)
                for column in {source for _, source in weights}:
                    parts = [np.float32(weight) for (_, source), weight in weights.items() if source == column]
                    self.assertEqual(math.fsum(parts), 0.0)

    def test_ties_keep_the_lower_index(self):
        v = np.array([1, -2, 2, 2, 0, 0, 0], np.float32)
        self.assertEqual(top_k(v, (4, 3), "layer", 0.5).tolist(), [1, 2, 4])
        self.assertEqual(top_k(v, (4, 3), "global", 0.5).tolist(), [1, 2, 3])

    def test_a_matrix_that_stays_comes_to_its_best_approximation(self):
        random = np.random.default_rng(3)
        matrix, w = (random.normal(size=shape).astype(np.float32) for shape in ((20, 15), (15, 2)))
        best = np.sqrt(np.sum(np.linalg.svd(matrix.astype(np.float64))[1][2:] ** 2))
        ratios = [np.linalg.norm((matrix - Compressor.factored(matrix, w)).astype(np.float64)) / best for _ in range(40)]
        self.assertGreater(ratios[0], 1.05)
        self.assertLess(ratios[-1], 1.0001)
        self.assertEqual(sorted(ratios, reverse=True)[:10], ratios[:10])

    def test_the_smaller_index_encoding_is_taken(self):
        values = np.zeros(3, np.float32)
        self.assertEqual(len(encode(1.0, np.array([0, 1, 200]), values, 201)), 13 + 4 + 12)  # gaps 0, 0, 198
        self.assertEqual(len(encode(1.0, np.array([0, 1, 2]), values, 9)), 13 + 2 + 12)  # bitmap


class TwinTest(ProgramTest):
    def compare(self, rounds, settings, nodes=5, sizes=ODD, replicas=1, every=7, topology=None, problem=None):
        problem = problem or quadratic(nodes, sizes, seed=nodes)
        twin = Twin(problem, settings, rounds).run()
        config = self.configure(problem, settings, rounds, replicas, every, topology)
        out = self.run_ok(config, f"out{len(list(self.folder.glob('out*')))}")
        tensors, _ = read_safetensors(out / "checkpoint.safetensors")
        self.assertEqual(tensors["step"].tolist(), [twin.step])
        state = {"x": twin.x, "momentum": twin.momentum, "u": twin.u}
        state |= {"error": twin.error} if settings.algorithm in WITH_ERROR else {}
        state |= {"public_copy": twin.public_copy} if settings.algorithm in WITH_COPY else {}
        state |= {"factor": twin.compressor.factor} if settings.compressor == "low_rank" else {}
        if settings.algorithm in TRACKING:
            state |= {"tracker": twin.tracker, "last_gradient": twin.last_gradient}
        if settings.algorithm == "fda":
            state |= {"reference": twin.reference[None], "heading": twin.heading[None], "syncs": np.array([twin.syncs])}
        state |= {"correction": twin.correction} if settings.algorithm == "d2" else {}
        state |= {"block_u": twin.block_u} if settings.blocks else {}
        state |= {"second_moment": twin.second_moment} if settings.optimizer == "adam" else {}
        state |= {"last_z": twin.last_z} if settings.optimizer == "quasi_global" else {}
        self.assertEqual(set(tensors) & STATE, set(state))
        for name, expected in state.items():
            expected = np.concatenate([expected] * replicas)
            self.assertEqual(tensors[name].shape, expected.shape, name)
            different = np.argwhere(tensors[name].view("u1") != expected.view("u1"))
            self.assertEqual(len(different), 0, f"{name} differs first at {different[:1].tolist()}")
        self.compare_metrics(out, twin, replicas, every)
        return twin

    def configure(self, problem, settings, rounds, replicas, every, topology):
        self.write("problem.safetensors", problem)
        self.write("edges.csv", to_csv(rounds))
        algorithm = {"name": settings.algorithm}
        if settings.algorithm != "quantized_push_sum":
            algorithm["averaging_rate"] = settings.averaging_rate
        if settings.algorithm == "fda":
            algorithm["monitor"] = settings.monitor
            algorithm["threshold"] = "auto" if settings.threshold is None else settings.threshold
        if settings.blocks:
            algorithm["blocks"] = settings.blocks
        if settings.compress != "parameters":
            algorithm["compress"] = settings.compress
        if settings.algorithm not in (*TRACKING, "all_reduce", "d2", "fda"):
            algorithm["local_steps"] = settings.local_steps
        if settings.averaging_decay:
            algorithm["averaging_decay"] = list(settings.averaging_decay)
        if settings.algorithm in COMPRESSED:
            keys = {"top_k": ("scope", "keep", "value_bits"), "random_k": ("scope", "keep", "value_bits"),
                    "qsgd": ("levels",), "low_rank": ("rank",)}.get(settings.compressor, ())
            algorithm |= {"compressor": settings.compressor} | {key: getattr(settings, key) for key in keys}
        if settings.algorithm == "scsp":
            algorithm |= {"final_rounds": settings.final_rounds, "final": settings.final}
        adam = {"beta2": settings.beta2, "epsilon": settings.epsilon} if settings.optimizer == "adam" else {}
        return self.write_config({
            "run": {"nodes": len(problem["target"]), "steps": settings.steps, "replicas": replicas, "threads": 2,
                    "seed": settings.seed},
            "data": {"name": "quadratic", "file": "problem.safetensors", "epoch_steps": settings.epoch_steps},
            "topology": topology or {"name": "file", "file": "edges.csv"},
            "algorithm": algorithm,
            "optimizer": {
                "lr": settings.lr, "momentum": settings.momentum, "weight_decay": settings.weight_decay,
                "kind": settings.optimizer, "milestones": list(settings.milestones), "decay": settings.decay,
            } | adam,
            "evaluate": {"every_steps": every},
        })

    def compare_metrics(self, out, twin, replicas, every):
        header = METRICS_HEADER + (",syncs" if twin.settings.algorithm == "fda" else "")
        self.assertEqual((out / "metrics.csv").read_text().splitlines()[0], header)
        rows = read_metrics(out)
        for replica in range(replicas):
            own = [row for row in rows if int(row["replica"]) == replica]
            steps = [int(row["step"]) for row in own]
            trained = twin.settings.steps
            expected = {0, trained, twin.step} | set(range(0, trained, every) if every else ())
            self.assertEqual(set(steps) & set(range(trained + 1)) | {twin.step}, expected)
            self.assertEqual(steps, sorted(set(steps)))
            for previous, row in zip([0, *steps], own):
                self.compare_row(row, twin, int(row["step"]), previous)

    def compare_row(self, row, twin, step, previous):
        losses = twin.train_loss[previous:step]
        self.assert_close(row["train_loss"], np.mean(losses) if losses else None, f"train_loss at step {step}")
        for name, expected in twin.rows[step].items():
            self.assert_close(row[name], expected, f"{name} at step {step}")
        epoch_steps = twin.settings.epoch_steps
        self.assertEqual(row["epoch"], str(min(step, twin.settings.steps) // epoch_steps) if epoch_steps else "")
        for name in ("accuracy_mean", "accuracy_min", "accuracy_max", "accuracy_mean_model"):
            self.assertEqual(row[name], "")
        self.assertEqual(row["lr"] == "", step > twin.settings.steps)

    def assert_close(self, text, expected, what):
        if expected is None:
            self.assertEqual(text, "", what)
        elif isinstance(expected, int):
            self.assertEqual(int(text), expected, what)
        else:
            close = math.isclose(float(text), expected, rel_tol=2e-8, abs_tol=1e-15)
            self.assertTrue(close, f"{what}: {text}, expected {expected}")

    def test_sparse_push_from_all_to_a_thousandth(self):
        for scope, keep in itertools.product(("layer", "global"), (1.0, 0.3, 0.05, 0.01, 0.001)):
            settings = Settings(scope=scope, keep=keep, averaging_rate=min(1.0, 2 * keep), steps=12)
            for rounds, nodes in ((IRREGULAR, 5), (VARYING, 4)):
                with self.subTest(scope=scope, keep=keep, nodes=nodes):
                    self.compare(rounds, settings, nodes, sizes=(7, 2500, 33))

    def test_sparse_push_with_weights_from_a_file(self):
        self.compare(WEIGHTED, Settings(keep=0.2, averaging_rate=0.3), nodes=3)

    def test_exact_means(self):
        for settings in (Settings("all_reduce", nesterov=True), Settings("local_sgd"), Settings("local_sgd", local_steps=7)):
            with self.subTest(settings.algorithm, local_steps=settings.local_steps):
                self.compare(IRREGULAR, settings, replicas=2)

    def test_federated_dynamic_averaging(self):
        problem = quadratic(5, ODD, seed=5)
        problem["start"] = problem["start"][0].copy()
        for monitor, threshold in itertools.product(("linear", "naive"), (0.0, 3.0, 1e12, None)):
            with self.subTest(monitor=monitor, threshold=threshold):
                settings = Settings("fda", monitor=monitor, threshold=threshold)
                syncs = self.compare(IRREGULAR, settings, problem=problem).syncs
                if threshold == 3.0:
                    self.assertTrue(1 < syncs < settings.steps, syncs)
                elif threshold is not None:
                    self.assertEqual(syncs, 0 if threshold else settings.steps)
        self.compare(IRREGULAR, Settings("fda", threshold=300.0, nesterov=True), replicas=2)  # nodes start apart

    def test_gradient_tracking(self):
        for rate in (1.0, 0.3):
            with self.subTest(rate=rate):
                self.compare(REGULAR, Settings("gradient_tracking", averaging_rate=rate), nodes=6)
                self.compare(IRREGULAR, Settings("push_gradient_tracking", averaging_rate=rate), replicas=2)
        self.compare(VARYING, Settings("push_gradient_tracking", averaging_rate=1.0, nesterov=True), nodes=4)

    def test_optimizers(self):
        falling = {"milestones": (2, 4), "epoch_steps": 6, "steps": 30, "decay": 0.4}
        for kind in ("quasi_global", "adam"):
            for settings in (Settings("sgp", averaging_rate=1.0, kind=kind, **falling), Settings(kind=kind),
                             Settings("scsp", kind=kind, local_steps=3, final_rounds=4, weight_decay=0.03),
                             Settings("local_sgd", kind=kind, local_steps=2), Settings("choco", kind=kind, keep=0.2)):
                with self.subTest(settings.algorithm, kind=kind):
                    self.compare(IRREGULAR, settings, replicas=2)
        for name in ("all_reduce", "none"):
            self.compare(IRREGULAR, Settings(name, kind="adam"))

    def test_blocks_that_are_mixed_in_turn(self):
        for settings in (Settings("shared_block", blocks=7), Settings("shared_block", blocks=200, steps=30),
                         Settings("shared_block", blocks=4, local_steps=3, nesterov=True, weight_decay=0.03),
                         Settings("shared_block", blocks=2, kind="quasi_global"),
                         Settings("shared_block", blocks=5, kind="adam")):
            with self.subTest(blocks=settings.blocks, kind=settings.optimizer):
                self.compare(IRREGULAR, settings, replicas=2)
        self.compare(VARYING, Settings("shared_block", blocks=4), nodes=4)

    def test_d2(self):
        for rate, nesterov in ((1.0, False), (0.5, False), (0.3, True)):
            self.compare(SYMMETRIC, Settings("d2", averaging_rate=rate, momentum=0.5, nesterov=nesterov), replicas=2)

    def test_updates_are_compressed(self):
        for kind in ("heavy_ball", "nesterov", "quasi_global", "adam"):
            for name in ("sparse_push", "deep_squeeze", "scsp"):
                settings = Settings(name, compress="update", averaging_rate=1.0, keep=0.2, kind=kind, local_steps=3,
                                    final_rounds=4, steps=15)
                with self.subTest(name, kind=kind):
                    rounds, nodes = (REGULAR, 6) if name == "deep_squeeze" else (IRREGULAR, 5)
                    self.compare(rounds, settings, nodes=nodes)

    def test_averaging_rates_that_fall_at_milestones(self):
        falling = {"milestones": (2, 4), "averaging_decay": (0.5, 0.3), "epoch_steps": 6, "steps": 30, "decay": 0.4}
        for settings in (Settings(keep=0.2, averaging_rate=0.3, **falling), Settings("sgp", averaging_rate=1.0, **falling),
                         Settings("choco", keep=0.2, averaging_rate=0.3, local_steps=4, **falling),
                         Settings("scsp", keep=0.2, averaging_rate=0.3, final_rounds=3, **falling)):
            with self.subTest(settings.algorithm):
                self.compare(IRREGULAR, settings, every=6)

    def test_sgp_on_an_irregular_digraph(self):
        for rate in (1.0, 0.01):
            with self.subTest(rate=rate):
                self.compare(IRREGULAR, Settings("sgp", averaging_rate=rate))

    def test_without_communication(self):
        self.compare(IRREGULAR, Settings("none", averaging_rate=1.0))

    def test_sgp_with_weights_from_a_file(self):
        self.compare(WEIGHTED, Settings("sgp", averaging_rate=1.0), nodes=3)

    def test_sgp_on_a_time_varying_digraph(self):
        self.compare(VARYING, Settings("sgp", averaging_rate=0.7, nesterov=True), nodes=4, every=0)

    def test_sgp_one_peer_exponential(self):
        topology = {"name": "one_peer_exponential"}
        self.compare(one_peer_exponential(6), Settings("sgp", averaging_rate=1.0), nodes=6, topology=topology)

    def test_sparse_push_three_rings(self):
        settings = Settings(keep=0.1, averaging_rate=0.1)
        self.compare(three_rings(), settings, nodes=4, topology={"name": "three_rings"})

    def test_sgp_base_graph(self):
        self.compare(base_graph_of_five(), Settings("sgp", averaging_rate=1.0), topology={"name": "base_graph"})

    def test_sparse_push_one_peer_exponential(self):
        settings = Settings(keep=0.1, averaging_rate=0.1, nesterov=True)
        self.compare(one_peer_exponential(8), settings, nodes=8, topology={"name": "one_peer_exponential"})

    def test_nesterov_with_weight_decay(self):
        self.compare(IRREGULAR, Settings(nesterov=True, weight_decay=0.03, momentum=0.6))

    def test_without_momentum_and_decay(self):
        self.compare(IRREGULAR, Settings(momentum=0.0, weight_decay=0.0))

    def test_pure_gossip_with_ties(self):
        problem = quadratic(5, ODD, pull=0.0)
        problem["start"] = np.round(problem["start"])
        self.compare(IRREGULAR, Settings(momentum=0.0, weight_decay=0.0), problem=problem)

    def test_exchange_after_every_third_step(self):
        for name in ("none", "sgp", "sparse_push"):
            with self.subTest(name):
                self.compare(VARYING, Settings(name, local_steps=3), nodes=4)
        self.compare(VARYING, Settings("scsp", local_steps=3, final_rounds=5), nodes=4)

    def test_d_psgd_on_doubly_stochastic_rounds(self):
        for rate in (1.0, 0.3):
            with self.subTest(rate=rate):
                self.compare(REGULAR, Settings("d_psgd", averaging_rate=rate, nesterov=rate == 1.0), nodes=6)
        self.compare(REGULAR, Settings("d_psgd", averaging_rate=1.0, local_steps=2), nodes=6, replicas=2)

    def test_deep_squeeze_on_doubly_stochastic_rounds(self):
        for scope, keep in itertools.product(("layer", "global"), (0.3, 0.02)):
            with self.subTest(scope=scope, keep=keep):
                settings = Settings("deep_squeeze", scope=scope, keep=keep, averaging_rate=keep)
                self.compare(REGULAR, settings, nodes=6)

    def test_deep_squeeze_is_sparse_push_where_u_stays_1(self):
        tensors = []
        for name in ("deep_squeeze", "sparse_push"):
            config = self.configure(quadratic(6, ODD, seed=6), Settings(name), REGULAR, 2, 7, None)
            tensors.append(read_safetensors(self.run_ok(config, name) / "checkpoint.safetensors")[0])
        for name in tensors[0]:
            np.testing.assert_array_equal(tensors[0][name], tensors[1][name], name)

    def test_choco_on_an_irregular_digraph(self):
        for scope, keep in itertools.product(("layer", "global"), (0.3, 0.02)):
            with self.subTest(scope=scope, keep=keep):
                settings = Settings("choco", scope=scope, keep=keep, averaging_rate=keep)
                self.compare(IRREGULAR, settings)
        self.compare(IRREGULAR, Settings("choco", local_steps=3, nesterov=True), replicas=2)
        self.compare(directed_ring(8), Settings("choco", keep=0.2), nodes=8)

    def test_entries_that_are_drawn(self):
        for scope, keep in itertools.product(("layer", "global"), (1.0, 0.2, 0.02)):
            with self.subTest(scope=scope, keep=keep):
                settings = Settings(compressor="random_k", scope=scope, keep=keep, averaging_rate=keep / 2, seed=2**40 + 3)
                self.compare(VARYING, settings, nodes=4)
        self.compare(IRREGULAR, Settings("choco", compressor="random_k", keep=0.2, averaging_rate=0.2, local_steps=2))

    def test_values_of_16_bits(self):
        for name, compressor in itertools.product(("sparse_push", "choco"), ("top_k", "random_k")):
            with self.subTest(name, compressor=compressor):
                settings = Settings(name, compressor=compressor, keep=0.3, averaging_rate=0.2, value_bits=16)
                self.compare(IRREGULAR, settings)

    def test_levels_and_signs(self):
        for levels in (1, 7, 127, 65535):
            with self.subTest(levels=levels):
                self.compare(VARYING, Settings(compressor="qsgd", levels=levels, averaging_rate=0.01), nodes=4)
        self.compare(IRREGULAR, Settings("choco", compressor="qsgd", levels=15, averaging_rate=0.1, seed=7))
        self.compare(REGULAR, Settings("deep_squeeze", compressor="sign", averaging_rate=0.01), nodes=6)
        self.compare(IRREGULAR, Settings("choco", compressor="sign", averaging_rate=0.02))
        self.compare(VARYING, Settings("scsp", compressor="sign", averaging_rate=0.01, final_rounds=3), nodes=4)

    def test_matrices_of_low_rank(self):
        shapes = [(1, 20), (20, 1), (9, 5), (2, 2), (17, 33)]
        problem = quadratic(5, [rows * columns for rows, columns in shapes], seed=5)
        problem["shapes"] = np.array(shapes, "<i8")
        for rank in (1, 2, 4):
            with self.subTest(rank=rank):
                settings = Settings(compressor="low_rank", rank=rank, averaging_rate=0.02, steps=15)
                self.compare(IRREGULAR, settings, problem=problem)
        settings = Settings("choco", compressor="low_rank", averaging_rate=0.1, seed=2**33, steps=15)
        self.compare(IRREGULAR, settings, problem=problem)

    def test_quantized_push_sum(self):
        for compressor in ("qsgd", "identity"):
            with self.subTest(compressor=compressor):
                settings = Settings("quantized_push_sum", compressor=compressor, levels=63, local_steps=2)
                self.compare(IRREGULAR, settings)

    def test_everything_may_be_kept(self):
        for name in ("sparse_push", "choco"):
            self.compare(IRREGULAR, Settings(name, compressor="identity", averaging_rate=0.5))

    def test_replicas_share_problem_and_topology(self):
        self.compare(IRREGULAR, Settings(), replicas=3)

    def test_one_segment_and_one_start_for_all(self):
        problem = quadratic(2, (129,))
        problem["start"] = problem["start"][0].copy()
        del problem["segments"]
        self.compare([[(0, 1, None), (1, 0, None)]], Settings(keep=0.02), problem=problem)

    def test_directed_ring(self):
        self.compare(directed_ring(8), Settings(), nodes=8, sizes=(4, 4, 31), topology={"name": "directed_ring"})

    def test_scsp_ends_with_dense_gossip(self):
        self.compare(VARYING, Settings("scsp", final_rounds=11, steps=31), nodes=4)

    def test_scsp_ends_with_an_exact_mean(self):
        self.compare(IRREGULAR, Settings("scsp", final_rounds=5, final="all_reduce"))


if __name__ == "__main__":
    main()
