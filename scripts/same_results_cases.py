"""What same_results.py has two builds of the program do: runs that must end well, and mistakes that must be refused."""

import copy
import re
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "program"))
from program import quadratic, safetensors_bytes, toml  # noqa: E402

INPUTS = "../../../inputs/"  # from the folder of a case
RUN = "run experiment.toml --out out --quiet"
NODES, SIZES = 6, (1, 30, 66, 5)  # of the quadratic problem


@dataclass
class Case:
    name: str
    experiment: dict  # {section: {key: value}}
    commands: list = field(default_factory=lambda: [RUN, "plan experiment.toml", "topology experiment.toml"])
    cuda: bool = False  # whether Cuda has the model's layers
    fails: bool = False  # whether the last command is to be refused
    files: dict = field(default_factory=dict)  # further ones: {name: content}


DIGITS = {
    "run": {"nodes": 6, "steps": 7, "threads": 1},
    "data": {"batch": 4},
    "model": {"hidden": [9]},
    "topology": {"name": "directed_ring"},
    "algorithm": {"name": "sparse_push", "keep": 0.05},
    "evaluate": {"every_steps": 3, "nodes": 2},
}
QUADRATIC = DIGITS | {"data": {"name": "quadratic", "file": INPUTS + "problem.safetensors"}, "model": {},
                      "optimizer": {"lr": 0.05}}
IMAGES = DIGITS | {"run": {"nodes": 2, "steps": 2, "threads": 1}, "evaluate": {"every_steps": 2, "nodes": 1}}
RESNET = IMAGES | {"run": {"nodes": 3, "steps": 2, "threads": 1}, "data": {"batch": 4, "augment": True},
                   "model": {"name": "resnet20", "norm": "batch"}}


def changed(experiment, **sections):
    """A copy of `experiment` with the keys of `sections` set."""
    result = copy.deepcopy(experiment)
    for section, keys in sections.items():
        result[section] = result.get(section, {}) | keys
    return result


def with_algorithm(experiment, **keys):
    """A copy of `experiment` with no key of [algorithm] but these."""
    return copy.deepcopy(experiment) | {"algorithm": keys}


def on_file(name, **keys):
    return {"name": "file", "file": INPUTS + name, **keys}


def good_cases():
    drawn, redrawn = {"name": "random_out", "degree": 2}, {"name": "random_out", "degree": 3, "redraw": True}
    scsp = {"name": "scsp", "keep": 0.05, "final_rounds": 3}
    both = dict(cuda=True)
    stop = RUN + " --set run.steps=4"
    longer = RUN + " --resume"
    return [
        # methods, compressors, final rounds
        Case("none", with_algorithm(DIGITS, name="none"), **both),
        Case("sgp", with_algorithm(DIGITS, name="sgp", averaging_rate=0.7), **both),
        Case("layer", changed(DIGITS, topology=drawn), **both),
        Case("global", changed(DIGITS, topology={"name": "complete"}, algorithm={"scope": "global"}), **both),
        Case("identity", with_algorithm(DIGITS, name="sparse_push", compressor="identity"), **both),
        Case("everything_kept", changed(QUADRATIC, algorithm={"keep": 1.0, "averaging_rate": 0.6}), **both),
        Case("scsp", changed(DIGITS, topology=drawn, algorithm=scsp), **both),
        Case("scsp_auto", changed(QUADRATIC, algorithm=scsp | {"final_rounds": "auto"}), **both),
        Case("scsp_identity", with_algorithm(QUADRATIC, name="scsp", compressor="identity", final_rounds=3), **both),
        Case("all_reduce", with_algorithm(changed(DIGITS, topology=redrawn, run={"replicas": 2}), name="scsp",
                                          keep=0.05, final="all_reduce"), **both),
        Case("local_steps", changed(DIGITS, topology=redrawn, algorithm=scsp | {"local_steps": 3}), **both),
        # topologies
        Case("exponential", changed(QUADRATIC, topology={"name": "exponential"}), **both),
        Case("one_peer", changed(QUADRATIC, topology={"name": "one_peer_exponential"}), **both),
        Case("one_peer_sgp", with_algorithm(changed(DIGITS, topology={"name": "one_peer_exponential"}), name="sgp"),
             **both),
        Case("redrawn", changed(QUADRATIC, topology=redrawn, run={"steps": 20}), **both),
        Case("drawn_replicas", changed(QUADRATIC, topology=drawn, run={"replicas": 3}), **both),
        Case("edges", changed(QUADRATIC, topology=on_file("edges.csv")), **both),
        Case("weighted", changed(QUADRATIC, topology=on_file("weighted.csv"), algorithm=scsp), **both),
        Case("rounds", changed(DIGITS, topology=on_file("rounds.csv"), algorithm=scsp), **both),
        Case("rounds_sgp", with_algorithm(changed(QUADRATIC, topology=on_file("rounds.csv")), name="sgp"), **both),
        # data, its division, models, optimizers
        Case("synthetic", changed(DIGITS, data={"name": "synthetic", "samples": 300, "features": 7, "classes": 3,
                                                "separation": 2.0, "partition": "dirichlet", "alpha": 0.5}), **both),
        Case("skew", changed(DIGITS, data={"partition": "skew", "skew": 0.5, "augment": True},
                             model={"hidden": [9, 5]}, evaluate={"nodes": 0}), **both),
        Case("dirichlet", changed(DIGITS, data={"partition": "dirichlet", "alpha": 0.3}), **both),
        Case("softmax", DIGITS | {"model": {"name": "softmax"}, "optimizer": {"kind": "nesterov"}}, **both),
        Case("schedule", changed(DIGITS, run={"steps": 0, "epochs": 3}, data={"batch": 64}, optimizer={
            "kind": "nesterov", "milestones": [1, 2], "decay": 0.3, "warmup_epochs": 1, "weight_decay": 0.01},
            evaluate={"every_steps": 0, "nodes": 3}), **both),
        Case("plain_sgd", changed(QUADRATIC, optimizer={"momentum": 0.0, "weight_decay": 0.0}), **both),
        Case("mnist", IMAGES | {"data": {"name": "mnist", "path": INPUTS + "mnist", "batch": 4},
                                "model": {"name": "lenet5", "norm": "group"}}),
        Case("cifar10", IMAGES | {"data": {"name": "cifar10", "path": INPUTS + "cifar10", "batch": 4, "augment": True},
                                  "model": {"name": "softmax"}}),
        Case("vgg11_plan", IMAGES | {"data": {"name": "cifar10", "path": INPUTS + "cifar10", "batch": 4},
                                     "model": {"name": "vgg11", "norm": "batch"}}, ["plan experiment.toml"]),
        Case("resnet20", changed(RESNET, topology=redrawn | {"degree": 1}, algorithm=scsp, run={"replicas": 2})),
        Case("resnet20_local", changed(RESNET, algorithm=scsp | {"final_statistics": "local"})),
        Case("resnet20_evonorm", changed(RESNET, model={"norm": "evonorm"})),
        Case("resnet20_none", changed(RESNET, model={"norm": "none"}, data={"augment": False})),
        # ways to run
        Case("verify", changed(DIGITS, run={"verify": True, "shards": 2, "threads": 2}), **both),
        Case("shards", changed(QUADRATIC, topology=redrawn, run={"shards": 3, "replicas": 2}, algorithm=scsp), **both),
        Case("shards_digits", changed(DIGITS, run={"shards": 2}, algorithm=scsp, topology=drawn), **both),
        Case("resume", changed(DIGITS, topology=redrawn, run={"replicas": 2}), [stop, longer], **both),
        Case("resume_final", changed(QUADRATIC, algorithm=scsp), [RUN + " --set algorithm.final_rounds=1", longer],
             **both),
        Case("resume_statistics", changed(RESNET, algorithm=scsp),
             [RUN + " --set algorithm.final_rounds=1", longer]),
        Case("resume_saved", changed(QUADRATIC, run={"checkpoint_steps": 2}), [stop, longer, longer, RUN + " --resume"
                                                                              " --set run.shards=2"], **both),
        Case("output", changed(DIGITS, algorithm=scsp), ["run experiment.toml --out out", "--version", "--help",
                                                         "run --help", "run experiment.toml --out out --resume"]),
        Case("default_folder", QUADRATIC, ["run experiment.toml"]),
    ]


def refused(name, *settings, experiment=QUADRATIC, **options):
    """A run of `experiment` that is refused for the settings "section.key=value"."""
    command = " ".join([RUN, *(f"--set '{setting}'" for setting in settings)])
    return Case(name, experiment, [command], fails=True, **options)


def wrong_settings():
    settings = """
        run.nodes=many run.nodes=0 run.nodes=-3 run.nodes=5 run.steps=1.5 run.steps=0 run.seed=-1 run.replicas=0
        run.threads=-1 run.shards=0 run.shards=7 run.backend=tpu run.verify=1 run.speed=9 running.nodes=4 nodes=4
        data.name=imagenet data.batch=0 data.augment=true data.file=lost.safetensors data.samples=9
        model.hidden=[] model.hidden=[0] model.name=transformer topology.name=moebius topology.degree=2
        topology.weights=heavy topology.file=edges.csv algorithm.name=gossip algorithm.scope=tensor
        algorithm.compressor=zip algorithm.keep=0 algorithm.keep=1.5 algorithm.keep=nan algorithm.kep=0.1
        algorithm.topk=0.1 algorithm.averaging_rate=0 algorithm.averaging_rate=2 algorithm.local_steps=0
        algorithm.final_rounds=3 algorithm.final=gossip optimizer.kind=sgd optimizer.lr=nan optimizer.lr=-1
        optimizer.momentum=1 optimizer.milestones=[1] optimizer.warmup_epochs=2 evaluate.nodes=9
        evaluate.every_steps=-1 nonsense
    """.split()
    return [refused(f"set {setting}", setting) for setting in settings]


def wrong_combinations():
    mnist = IMAGES | {"data": {"name": "mnist", "path": INPUTS + "mnist"}}
    return [
        refused("keep of sgp", "algorithm.name=sgp", "algorithm.keep=0.1"),
        refused("compressor of none", "algorithm.name=none", "algorithm.compressor=identity"),
        refused("final_rounds 0", "algorithm.name=scsp", "algorithm.final_rounds=0"),
        refused("final_rounds often", "algorithm.name=scsp", "algorithm.final_rounds=often"),
        refused("degree too large", "topology.name=random_out", "topology.degree=6"),
        refused("topology without its file", "topology.name=file"),
        refused("final_statistics without batch norm", "algorithm.name=scsp", "algorithm.final_statistics=local"),
        refused("skew of iid", "data.skew=0.5", experiment=DIGITS),
        refused("alpha of skew", "data.partition=skew", "data.alpha=1", experiment=DIGITS),
        refused("unknown partition", "data.partition=stripes", experiment=DIGITS),
        refused("unknown norm", "model.norm=layer", experiment=RESNET),
        refused("unknown model", "model.name=transformer", experiment=IMAGES),
        refused("norm of an mlp", "model.norm=batch", experiment=DIGITS),
        refused("milestones that fall", "optimizer.milestones=[3, 1]", experiment=DIGITS),
        refused("more nodes than samples", "run.nodes=2000", experiment=DIGITS),
        refused("lenet5 of small images", "model.name=lenet5", experiment=IMAGES),
        refused("vgg11 of small images", "model.name=vgg11", experiment=mnist),
        refused("no such folder", "data.path=nowhere", experiment=mnist),
        refused("auto of different topologies", "algorithm.name=scsp", "algorithm.final_rounds=auto", "run.replicas=3",
                "run.nodes=40", experiment=changed(DIGITS, topology={"name": "random_out"})),
        refused("too large for memory", "run.nodes=1400", "model.hidden=[1000000]", experiment=DIGITS),
    ]


def wrong_files():
    ring = "0,0,1\n0,1,2\n0,2,3\n0,3,4\n0,4,5\n0,5,0\n"
    plain, weighted = "round,source,target\n", "round,source,target,weight\n"
    topologies = {
        "disconnected": plain + "0,0,1\n0,1,0\n0,2,3\n0,3,2\n0,4,5\n0,5,4\n",
        "duplicate edge": plain + ring + "0,2,3\n",
        "node out of range": plain + ring + "0,2,6\n",
        "missing round": plain + ring + "2,0,1\n",
        "no number": plain + ring + "0,one,2\n",
        "wrong header": "from,to\n0,1\n",
        "empty topology": "",
        "weights above 1": weighted + ring.replace("\n", ",0.5\n") + "0,0,0,0.6\n",
        "no weight left": weighted + ring.replace("\n", ",1.0\n"),
    }
    use = ("topology.name=file", "topology.file=edges.csv")
    problem = quadratic(NODES, SIZES)
    problems = {
        "problem of other nodes": safetensors_bytes(quadratic(NODES + 1, SIZES)),
        "problem without start": safetensors_bytes({name: problem[name] for name in ("curvature", "target")}),
        "problem of no header": b"1234",
    }
    documents = {
        "key twice": "[run]\nnodes = 3\nnodes = 4\n", "not TOML": "[run]\nnodes = = 4\n", "unknown section": "[ruin]\n",
        "unknown key": "[run]\nnodes = 4\n[algorithm]\nkep = 0.1\n", "key without section": "nodes = 4\n",
        "section as a value": "run = 4\n", "binary": bytes(range(256)),
    }
    cases = [refused(name, *use, files={"edges.csv": text}) for name, text in topologies.items()]
    cases += [refused("weights of a weighted file", *use, "topology.weights=uniform",
                      files={"edges.csv": weighted + ring.replace("\n", ",0.5\n")})]
    cases += [refused(name, "data.file=bad.safetensors", files={"bad.safetensors": content})
              for name, content in problems.items()]
    return cases + [Case(name, DIGITS, ["run wrong.toml --out out"], fails=True, files={"wrong.toml": content})
                    for name, content in documents.items()]


def damaged(change):
    """Changes the bytes of the checkpoint in the case's folder `out`."""
    def damage(folder):
        path = folder / "out" / "checkpoint.safetensors"
        path.write_bytes(change(path.read_bytes()))
    return damage


def wrong_commands():
    resume = RUN + " --resume"
    lines = ["", "fly", "run", "run lost.toml", "plan lost.toml", "topology .", RUN + " --frobnicate",
             "topology experiment.toml --backend cpu", "run experiment.toml --backend", "plan experiment.toml --out x"]
    cases = [Case(f"line {line}", QUADRATIC, [line], fails=True) for line in lines]
    histories = {
        "existing folder": [RUN, RUN],
        "resume of another seed": [RUN, resume + " --set run.seed=2"],
        "resume of another method": [RUN, resume + " --set algorithm.name=sgp --set algorithm.averaging_rate=1.0"],
        "resume of other nodes": [RUN, resume + " --set run.nodes=5"],
        "resume of a shorter run": [RUN, resume + " --set run.steps=3"],
        "resume behind final rounds": [RUN + " --set algorithm.name=scsp", resume + " --set algorithm.name=scsp "
                                       "--set run.steps=9"],
        "short checkpoint": [RUN, damaged(lambda data: data[:-9]), resume],
        "empty checkpoint": [RUN, damaged(lambda data: b""), resume],
        "checkpoint without a header": [RUN, damaged(lambda data: struct.pack("<Q", 1 << 40) + data[8:]), resume],
        "checkpoint without momentum": [RUN, damaged(lambda data: data.replace(b'"momentum"', b'"momentus"')), resume],
        "checkpoint of another hash": [RUN, damaged(lambda data: re.sub(rb'("config_hash":")..', rb"\1zz", data)),
                                       resume],
        "out is a file": ["run experiment.toml --out experiment.toml"],
    }
    without_keep = with_algorithm(QUADRATIC, name="sparse_push")
    cases += [Case(name, without_keep, commands, fails=True) for name, commands in histories.items()]
    diverging = changed(QUADRATIC, optimizer={"lr": 1e6}, run={"steps": 300})
    dense = with_algorithm(diverging, name="sgp")
    return cases + [Case("divergence", diverging, [RUN], cuda=True, fails=True),
                    Case("divergence of sgp", dense, [RUN], cuda=True, fails=True)]


def bad_cases():
    return wrong_settings() + wrong_combinations() + wrong_files() + wrong_commands()


def write_inputs(folder, cases):
    """Writes what `cases` read from files; image sets have their true sizes and random content."""
    edges = [(0, i, (i + 1) % NODES) for i in range(NODES)] + [(0, 0, 3), (0, 4, 1)]
    rounds = edges + [(1, i, (i + 2) % NODES) for i in range(NODES)] + [(2, 5, 2), (2, 0, 1)]
    (folder / "problem.safetensors").write_bytes(safetensors_bytes(quadratic(NODES, SIZES)))
    (folder / "edges.csv").write_text("round,source,target\n" + "".join("%d,%d,%d\n" % e for e in edges))
    (folder / "rounds.csv").write_text("round,source,target\n" + "".join("%d,%d,%d\n" % e for e in rounds))
    (folder / "weighted.csv").write_text(
        "round,source,target,weight\n" + "".join("%d,%d,%d,%.2f\n" % (*e, 0.2 + 0.05 * e[1]) for e in edges))
    paths = {case.experiment.get("data", {}).get("path") for case in cases}
    for name, write in (("mnist", write_mnist), ("cifar10", write_cifar10)):
        if INPUTS + name in paths:
            write(folder / name, np.random.default_rng(1))


def write_mnist(folder, random):
    folder.mkdir()
    for part, count in (("train", 60000), ("t10k", 10000)):
        images = np.resize(random.integers(0, 256, (1000, 28, 28), "u1"), (count, 28, 28))
        labels = random.integers(0, 10, count).astype("u1")
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels.tobytes())


def write_cifar10(folder, random):
    folder.mkdir()
    records = np.resize(random.integers(0, 256, (500, 3073), "u1"), (10000, 3073))
    records[:, 0] = random.integers(0, 10, 10000)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        (folder / f"{name}.bin").write_bytes(records.tobytes())


def prepare(folder, case):
    """Writes the configuration and the further files of a case."""
    (folder / "experiment.toml").write_text(toml(case.experiment))
    for name, content in case.files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
