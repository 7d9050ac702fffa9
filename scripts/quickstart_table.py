#!/usr/bin/env python3
"""Prints the quickstart's results as one Markdown table and draws their curves.

usage: scripts/quickstart_table.py FOLDER     FOLDER holds the run folders that scripts/quickstart.sh wrote
"""
import csv
import json
import pathlib
import subprocess
import sys

METHODS = {"sgp": "SGP (dense)", "sparse_push": "Sparse-Push 1 %", "scsp": "SCSP 1 %"}
TOPOLOGIES = {"ring": "directed ring", "irregular": "irregular digraph"}
DATA = {"iid": "IID", "skewed": "skewed"}
FULL_STEPS = 78_200  # 200 epochs of 391 steps: the length for which papers quote byte ratios


def last_row(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))[-1]


def row_at(folder, step):
    with open(folder / "metrics.csv", newline="") as file:
        return next(row for row in csv.DictReader(file) if int(row["step"]) == step)


def ratios(row, sgd_row):
    """Dense bytes of the SGD steps / all bytes that were sent, final rounds included, by every way of counting."""
    return {way: float(sgd_row["bytes_dense"]) / float(row[f"bytes_{way}"]) for way in ("authors", "coo32", "wire")}


def long_run_ratio(row, sgd_steps, sgd_row):
    """The ratio by our encoding of the same setting at FULL_STEPS: SGD steps scale, final rounds do not."""
    dense = float(sgd_row["bytes_dense"]) * FULL_STEPS / sgd_steps
    wire = float(sgd_row["bytes_wire"]) * FULL_STEPS / sgd_steps
    final = float(row["bytes_wire"]) - float(sgd_row["bytes_wire"])
    return dense / (wire + final)


def line_of(folder):
    """What one run ended with, a text for each column."""
    row = last_row(folder)
    sgd_steps = json.loads((folder / "summary.json").read_text())["sgd_steps"]
    sgd_row = row_at(folder, sgd_steps)
    return ([f"{100 * float(row[name]):.1f}" for name in ("accuracy_mean", "accuracy_mean_model")]
            + [f"{float(row['consensus']):.1e}", f"{float(row['bytes_wire']) / 1e6:.1f}"]
            + [f"{ratio:.1f}x" for ratio in ratios(row, sgd_row).values()]
            + [f"{long_run_ratio(row, sgd_steps, sgd_row):.1f}x"])


def table(out):
    lines = [["topology", "data", "method", "nodes %", "mean model %", "consensus", "MB sent", "authors", "coo32", "wire",
              "wire, 78,200 steps"]]
    for topology, topology_name in TOPOLOGIES.items():
        for data, data_name in DATA.items():
            for method, method_name in METHODS.items():
                lines.append([topology_name, data_name, method_name, *line_of(out / f"{topology}-{data}-{method}")])
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        print("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |")
    print("\nnodes %, mean model %: test accuracy, mean over the nodes and of the mean model. MB sent: by all nodes, in our "
          "encoding.\nauthors, coo32, wire: how many times fewer bytes than dense gossip, final rounds included, by three "
          "ways of counting;\nlast column: the ratio that the same setting has after 78,200 steps.")


def curves(out):
    runs = [f"{method_name}={out / f'{topology}-{data}-{method}'}"
            for topology in TOPOLOGIES for data in DATA for method, method_name in METHODS.items()]
    subprocess.run([sys.executable, pathlib.Path(__file__).with_name("plot_curves.py"), f"{out}.svg", *runs], check=True)
    print(f"\nCurves: {out}.svg")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table(pathlib.Path(sys.argv[1]))
    curves(pathlib.Path(sys.argv[1]))
