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


def long_run_ratio(row, sgd_steps, sgd_row):
    """dense bytes / wire bytes of the same setting at FULL_STEPS: SGD steps scale, final rounds do not."""
    dense = float(sgd_row["bytes_dense"]) * FULL_STEPS / sgd_steps
    wire = float(sgd_row["bytes_wire"]) * FULL_STEPS / sgd_steps
    final = float(row["bytes_wire"]) - float(sgd_row["bytes_wire"])
    return dense / (wire + final)


def table(out):
    print("| topology | data | method | nodes % | mean model % | consensus | MB sent | fewer bytes | at 78,200 steps |")
    print("|---|---|---|---|---|---|---|---|---|")
    for topology, topology_name in TOPOLOGIES.items():
        for data, data_name in DATA.items():
            for method, method_name in METHODS.items():
                folder = out / f"{topology}-{data}-{method}"
                row = last_row(folder)
                sgd_steps = json.loads((folder / "summary.json").read_text())["sgd_steps"]
                sgd_row = row_at(folder, sgd_steps)
                ratio = float(sgd_row["bytes_dense"]) / float(row["bytes_wire"])
                print(f"| {topology_name} | {data_name} | {method_name} "
                      f"| {100 * float(row['accuracy_mean']):.1f} | {100 * float(row['accuracy_mean_model']):.1f} "
                      f"| {float(row['consensus']):.2g} | {float(row['bytes_wire']) / 1e6:.1f} "
                      f"| {ratio:.1f}x | {long_run_ratio(row, sgd_steps, sgd_row):.1f}x |")


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
