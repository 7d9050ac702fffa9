#!/usr/bin/env python3
"""Prints the quickstart's results as one Markdown table and draws their curves.

usage: scripts/quickstart_table.py FOLDER     FOLDER holds the run folders that scripts/quickstart.sh wrote
"""
import csv
import pathlib
import subprocess
import sys

METHODS = {"sgp": "SGP (dense)", "sparse_push": "Sparse-Push 1 %", "scsp": "SCSP 1 %"}
TOPOLOGIES = {"ring": "directed ring", "irregular": "irregular digraph"}
DATA = {"iid": "IID", "skewed": "skewed 0.8"}
FULL_STEPS = 78_200  # 200 epochs of 391 steps: the length for which papers quote byte ratios


def last_row(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))[-1]


def rows_at(folder, step):
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
                sgd_steps = 6900
                sgd_row = rows_at(folder, sgd_steps)
                ratio = float(sgd_row["bytes_dense"]) / float(row["bytes_wire"])
                print(f"| {topology_name} | {data_name} | {method_name} "
                      f"| {100 * float(row['accuracy_mean']):.1f} | {100 * float(row['accuracy_mean_model']):.1f} "
                      f"| {float(row['consensus']):.2g} | {float(row['bytes_wire']) / 1e6:.1f} "
                      f"| {ratio:.1f}x | {long_run_ratio(row, sgd_steps, sgd_row):.1f}x |")


def curves(out):
    """One panel per topology and partition, drawn by plot_curves.py."""
    runs = [f"{METHODS[m]} | {TOPOLOGIES[t]}, {DATA[d]}={out / f'{t}-{d}-{m}'}"
            for t in TOPOLOGIES for d in DATA for m in METHODS]
    script = pathlib.Path(__file__).with_name("plot_curves.py")
    subprocess.run([sys.executable, script, f"{out}.svg", *runs], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table(pathlib.Path(sys.argv[1]))
