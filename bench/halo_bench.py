#!/usr/bin/env python3
"""What it costs to share a gossip round out to processes: the time of 2 processes with a thread each over that of one
with 2 threads, and of 4 over it. All are started in turn, so that what else the machine does meets them alike.
usage: bench/halo_bench.py [--turns T] [PROGRAM]   (PROGRAM: build/bench/halo_bench)"""
import argparse
import json
import os
import statistics
import subprocess

CASES = [(keep, topology) for keep in ("0.01", "0") for topology in ("directed_ring", "random_out")]
LAUNCHED = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def measure(program, processes, threads, arguments):
    command = [program, "--threads", str(threads), *arguments]
    if processes > 1:
        command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(processes), *command]
    done = subprocess.run(command, env=os.environ | LAUNCHED, capture_output=True, text=True, check=True,
                          timeout=600)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default="build/bench/halo_bench")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--nodes", default="64")
    options = parser.parse_args()
    print("| keep | topology | 1 process, ms | 2 processes, ratio | 4 processes, ratio | vectors |")
    print("|---|---|---|---|---|---|")
    for keep, topology in CASES:
        arguments = ["--keep", keep, "--topology", topology, "--nodes", options.nodes]
        ratios = {2: [], 4: []}
        alone = []
        for _ in range(options.turns):
            one = measure(options.program, 1, 2, arguments)
            alone.append(one["round_ms"])
            for processes, found in ratios.items():
                found.append(measure(options.program, processes, 1, arguments)["round_ms"] / one["round_ms"])
        cells = ["1 %" if keep == "0.01" else "dense", topology, f"{statistics.median(alone):.2f}"]
        cells += [f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})" for found in ratios.values()]
        print("| " + " | ".join([*cells, one["vectors"]]) + " |", flush=True)


if __name__ == "__main__":
    main()
