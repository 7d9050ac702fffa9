"""run.tensorboard = true: event files for TensorBoard, read by a decoder of the test's own, and by TensorBoard where
Python has it."""

import importlib.util
import json
import resource
import struct
import subprocess
import time

from program import ProgramTest, main, quadratic, read_metrics, toml

CONFIG = {
    "run": {"nodes": 4, "steps": 40, "replicas": 2, "tensorboard": True},
    "data": {"name": "synthetic", "samples": 300, "features": 8, "classes": 3, "batch": 4},
    "model": {"hidden": [8]},
    "evaluate": {"every_steps": 10},
}
TAGS = {
    "lr": "lr", "train_loss": "loss/train", "test_loss": "loss/test", "loss_mean_model": "loss/mean_model",
    "accuracy_mean": "accuracy/mean", "accuracy_min": "accuracy/min", "accuracy_max": "accuracy/max",
    "accuracy_mean_model": "accuracy/mean_model", "consensus": "consensus", "u_sum": "push_weight/sum",
    "u_min": "push_weight/min", "u_max": "push_weight/max", "error_ratio": "error_ratio", "messages": "messages",
    "bytes_authors": "bytes/authors", "bytes_coo32": "bytes/coo32", "bytes_wire": "bytes/wire",
    "bytes_dense": "bytes/dense", "syncs": "syncs",
}
FILE = "tensorboard/replica_{}/events.out.tfevents.sparsepush"


def crc32c(data):
    """Bit by bit, as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc):
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """The data of each record, both checksums checked; one that is torn at the end is left out."""
    found, at = [], 0
    while at + 12 <= len(data):
        length, crc = struct.unpack_from("<QI", data, at)
        assert masked(crc32c(data[at:at + 8])) == crc, "checksum of a length"
        if at + 16 + length > len(data):
            break
        found.append(data[at + 12:at + 12 + length])
        assert masked(crc32c(found[-1])) == struct.unpack_from("<I", data, at + 12 + length)[0], "checksum of data"
        at += 16 + length
    return found, at == len(data)


def message(data):
    """The fields of a protobuf message: {number: [values]}; what has a length as bytes."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 1:
            (value,) = struct.unpack_from("<d", data, at)
            at += 8
        elif key & 7 == 2:
            length = varint()
            value = data[at:at + length]
            at += length
        else:
            assert key & 7 == 5, key
            (value,) = struct.unpack_from("<f", data, at)
            at += 4
        fields.setdefault(key >> 3, []).append(value)
    assert at == len(data)
    return fields


class Events:
    """An event file, decoded."""

    def __init__(self, path):
        found, self.is_whole = records(path.read_bytes())
        events = [message(record) for record in found]
        assert events[0][3] == [b"brain.Event:2"]
        self.scalars, self.wall_times, self.plugins = [], [], {}
        for event in events[1:]:
            step = event.get(2, [0])[0]
            for value in message(event[5][0])[1]:
                fields = message(value)
                tag = fields[1][0].decode()
                if 9 in fields:
                    plugin = message(message(fields[9][0])[1][0])
                    assert plugin[1] == [b"hparams"]
                    self.plugins[tag] = message(plugin[2][0])
                else:
                    self.scalars.append((tag, step, fields[2][0]))
                    self.wall_times.append(event[1][0])

    def hyperparameters(self):
        session = message(self.plugins["_hparams_/session_start_info"][3][0])
        values = {}
        for entry in session[1]:
            fields = message(entry)
            ((kind, (value,)),) = message(fields[2][0]).items()
            values[fields[1][0].decode()] = {2: float, 3: bytes.decode, 4: bool}[kind](value)
        return values

    def status(self):
        return message(self.plugins["_hparams_/session_end_info"][4][0])[1][0]


class TensorBoardTest(ProgramTest):
    def assert_scalars(self, folder, replicas=2):
        """Each value of metrics.csv occurs once, in float32, and nothing else does."""
        rows = read_metrics(folder)
        self.assertEqual(len(list(folder.glob("tensorboard/**/*tfevents*"))), replicas)
        for replica in range(replicas):
            expected = [(TAGS[column], int(row["step"]), struct.unpack("<f", struct.pack("<f", float(value)))[0])
                        for row in rows if row["replica"] == str(replica)
                        for column, value in row.items() if column in TAGS and value]
            events = Events(folder / FILE.format(replica))
            self.assertTrue(events.is_whole)
            self.assertEqual(events.scalars, expected)
            self.assertEqual(events.wall_times, sorted(events.wall_times))
            self.assertGreater(len(expected), 20)
        return events

    def train(self, out="run", *arguments, config=CONFIG):
        return self.run_ok(self.write_config(config), out, *arguments)


class Written(TensorBoardTest):
    def test_is_what_the_metrics_have(self):
        events = self.assert_scalars(self.train())
        self.assertEqual(events.status(), 1)
        self.assertLess(abs(events.wall_times[-1] - time.time()), 600)

    def test_is_nothing_unless_asked_for_and_changes_no_result(self):
        folder = self.train()
        other = self.train("without", "--set", "run.tensorboard=false")
        self.assertFalse((other / "tensorboard").exists())
        self.assert_same_results(folder, other)
        hashes = {json.loads((path / "summary.json").read_text())["config_hash"] for path in (folder, other)}
        self.assertEqual(len(hashes), 1)

    def test_hyperparameters_are_the_keys_that_were_changed(self):
        lines = ["--set", 'algorithm.name="choco"', "--set", "optimizer.milestones=[1, 2]", "--set", "run.shards=2",
                 "--set", "optimizer.lr=0.05", "--set", "algorithm.averaging_rate=0.25", "--set", "run.verify=true"]
        folder = self.train("run", *lines)
        for replica in range(2):
            self.assertEqual(Events(folder / FILE.format(replica)).hyperparameters(), {
                "run.nodes": 4, "run.steps": 40, "run.replicas": 2, "run.tensorboard": True, "run.verify": True, "run.shards": 2,
                "data.name": "synthetic", "data.samples": 300, "data.features": 8, "data.classes": 3, "data.batch": 4,
                "model.hidden": "[8]", "algorithm.name": "choco", "algorithm.averaging_rate": 0.25,
                "optimizer.milestones": "[1, 2]", "optimizer.lr": 0.05, "evaluate.every_steps": 10})

    def test_tasks_without_accuracy_and_methods_with_syncs_have_their_columns(self):
        self.write("problem.safetensors", quadratic(4, (30,)))
        config = {"run": {"nodes": 4, "steps": 20, "tensorboard": True}, "evaluate": {"every_steps": 5},
                  "data": {"name": "quadratic", "file": "problem.safetensors"}, "algorithm": {"name": "fda"}}
        events = self.assert_scalars(self.train("run", config=config), 1)
        tags = {tag for tag, _, _ in events.scalars}
        self.assertIn("syncs", tags)
        self.assertFalse({tag for tag in tags if tag.startswith("accuracy")})

    def test_a_run_that_diverges_says_so(self):
        config = CONFIG | {"optimizer": {"lr": 1e6, "weight_decay": 0.9}, "run": CONFIG["run"] | {"steps": 200}}
        done = self.command("run", self.write_config(config), "--out", "run", "--quiet")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(Events(self.folder / "run" / FILE.format(0)).status(), 2)


class AfterInterruptions(TensorBoardTest):
    def start(self, steps):
        config = self.write_config(CONFIG | {"run": CONFIG["run"] | {"steps": steps}})
        process = subprocess.Popen([self.program, "run", config, "--out", "run", "--resume", "--quiet"],
                                   cwd=self.folder, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_by_kill_every_step_occurs_once(self):
        folder = self.folder / "run"
        for _ in range(4):
            process = self.start(100_000_000)
            before = (folder / "metrics.csv").stat().st_size if (folder / "metrics.csv").exists() else 0
            while not (folder / "metrics.csv").exists() or (folder / "metrics.csv").stat().st_size < before + 3000:
                self.assertIsNone(process.poll())
                time.sleep(0.002)
            process.kill()
            process.wait()
        event_file = folder / FILE.format(1)
        event_file.write_bytes(event_file.read_bytes()[:-5])  # torn, too
        last = int(read_metrics(folder)[-1]["step"])
        done = self.command("resume", folder, "--set", f"run.steps={last + 40}", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        events = self.assert_scalars(folder)
        self.assertEqual(max(step for _, step, _ in events.scalars), last + 40)
        self.assertEqual(events.status(), 1)

    def test_a_longer_run_has_no_end_in_the_middle(self):
        self.train()
        self.train("run", "--resume", "--set", "run.steps=60")
        self.assert_scalars(self.folder / "run")

    def test_a_finished_run_can_be_written_later(self):
        folder = self.train("run", "--set", "run.tensorboard=false")
        for _ in range(2):
            done = self.command("resume", folder, "--set", "run.tensorboard=true", "--quiet")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.assert_scalars(folder).status(), 1)

    def test_a_full_disk_is_an_error_that_names_the_file(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # metrics.csv has half of this then

        steps = {"run": CONFIG["run"] | {"steps": 400}, "evaluate": {"every_steps": 1, "nodes": 1}}
        config = self.write_config(CONFIG | steps | {"run": steps["run"] | {"replicas": 1, "checkpoint_steps": 1000}})
        done = subprocess.run([self.program, "run", config, "--out", "run", "--quiet"], cwd=self.folder,
                              capture_output=True, text=True, preexec_fn=limit, timeout=self.timeout)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"sparsepush: cannot write run/{FILE.format(0)}: File too large\n")
        self.assertEqual(json.loads((self.folder / "run/summary.json").read_text())["status"], "failed")

    def test_tables_have_them_in_their_points(self):
        text = toml(CONFIG) + '[sweep]\n"algorithm.keep" = [0.5, 0.1]\n'
        self.assertEqual(self.command("table", self.write("a.toml", text), "--quiet").returncode, 0)
        for folder in (self.folder / "tables/a/points").iterdir():
            self.assert_scalars(folder)


class ByTensorBoard(TensorBoardTest):
    def test_scalars_and_hyperparameters_are_read(self):
        if importlib.util.find_spec("tensorboard") is None:
            self.skipTest("Python has no tensorboard")
        from tensorboard import context as tensorboard_context
        from tensorboard.backend.event_processing import data_provider, event_accumulator, plugin_event_multiplexer
        from tensorboard.data import provider as provider_module
        from tensorboard.plugins import base_plugin
        from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

        folders = [self.train(f"runs/{keep}", "--set", f"algorithm.keep={keep}") for keep in (0.5, 0.1)]
        multiplexer = plugin_event_multiplexer.EventMultiplexer()
        for folder in folders:
            rows = [row for row in read_metrics(folder) if row["replica"] == "1"]
            accumulator = event_accumulator.EventAccumulator(str(folder / "tensorboard/replica_1"))
            accumulator.Reload()
            for column, tag in TAGS.items():
                expected = [(int(row["step"]), row[column]) for row in rows if row.get(column)]
                if not expected:
                    continue
                found = accumulator.Scalars(tag)
                self.assertEqual([event.step for event in found], [step for step, _ in expected])
                for event, (_, value) in zip(found, expected, strict=True):
                    self.assertAlmostEqual(event.value, float(value), delta=1e-6 * abs(float(value)))
        multiplexer.AddRunsFromDirectory(str(self.folder / "runs"))
        multiplexer.Reload()
        provider = data_provider.MultiplexerDataProvider(multiplexer, str(self.folder / "runs"))
        context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
        request = api_pb2.ListSessionGroupsRequest(
            start_index=0, slice_size=10,
            allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_RUNNING])
        nothing = provider_module.ListHyperparametersResult(hyperparameters=[], session_groups=[])
        asked = tensorboard_context.RequestContext()
        experiment = context.experiment_from_metadata(asked, "", True, context.hparams_metadata(asked, ""), nothing)
        groups = list_session_groups.Handler(asked, context, "", request).run().session_groups
        self.assertIn("algorithm.keep", [info.name for info in experiment.hparam_infos])
        self.assertEqual(sorted(group.hparams["algorithm.keep"].number_value for group in groups), [0.1, 0.5])
        self.assertEqual([len(group.sessions) for group in groups], [2, 2])  # replicas
        self.assertEqual({session.status for group in groups for session in group.sessions}, {api_pb2.STATUS_SUCCESS})


if __name__ == "__main__":
    main()
