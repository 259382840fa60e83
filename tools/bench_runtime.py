"""prunec's runtime beside onnxruntime, in one run.

Usage: tools/bench-runtime [MODEL.onnx...] [--threads 1,2] [--rounds N] [--runs N] [--json FILE]

For every model and number of threads the two take turns: a round is some runs of one and then as
many of the other. Shown are the medians of the rounds' medians, onnxruntime's over prunec's (above
1: prunec is faster), the share of what the processor could compute, the largest difference of the
outputs relative to their largest element, prunec's memory for activations beside the least that is
possible, and for both the seconds until the first result and the peak memory of the process.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

OPEN_EXTENTS = {"batch": 1, "image": 224, "sequence": 128}


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def made_up_inputs(declared):
    """Standard normal floats and zeros and ones, of the shapes that a model declares."""
    random = np.random.default_rng(0)
    inputs = {}
    for value in declared:
        other = OPEN_EXTENTS["image" if len(value.shape) >= 4 else "sequence"]
        shape = [extent if isinstance(extent, int) else OPEN_EXTENTS["batch"] if axis == 0 else other
                 for axis, extent in enumerate(value.shape)]
        kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64,
                 "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
        kind = kinds[value.type]
        drawn = (random.standard_normal(shape) if kind is np.float32
                 else random.integers(0, 2, shape))
        inputs[value.name] = drawn.astype(kind)
    return inputs


def timed(runs, function):
    """The median of some runs, in milliseconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


# A process counts the memory of the one that it was forked from as its own: this one is small.
LAUNCH = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measured(command):
    """The seconds that a command takes and its peak memory in megabytes."""
    finished = subprocess.run([sys.executable, "-S", "-c", LAUNCH, *map(str, command)],
                              capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {finished.stderr}")
    seconds, kilobytes = finished.stdout.split()
    return float(seconds), float(kilobytes) / 1e3


FIRST_RUN = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
with numpy.load(sys.argv[2]) as inputs:
    session.run(None, dict(inputs))
"""


def row(prunec, path, threads, options):
    peer = session(path, threads)
    inputs = made_up_inputs(peer.get_inputs())
    with tempfile.TemporaryDirectory() as folder:
        given = pathlib.Path(folder) / "inputs.npz"
        np.savez(given, **inputs)
        common = [path, "--input", given, "--threads", str(threads)]
        output = pathlib.Path(folder) / "outputs.npz"
        run = [prunec, "run", *common, "-o", output]
        own_load, own_memory = measured(run)
        peer_load, peer_memory = measured([sys.executable, "-c", FIRST_RUN, path, given])
        expected = peer.run(None, inputs)
        difference = 0
        with np.load(output) as outputs:
            for declared, value in zip(peer.get_outputs(), expected):
                scale = max(np.abs(value).max(), np.finfo(np.float32).tiny)
                difference = max(difference, np.abs(outputs[declared.name] - value).max() / scale)
        peer.run(None, inputs)
        own, others, shares = [], [], []
        for _ in range(options.rounds):
            others.append(timed(options.runs, lambda: peer.run(None, inputs)))
            report = json.loads(subprocess.run(
                [prunec, "bench", *common, "--runs", str(options.runs), "--json"],
                check=True, capture_output=True, text=True).stdout)
            own.append(report["median_ms"])
            shares.append(report["share_of_peak"])
    return {
        "model": pathlib.Path(path).stem, "threads": threads,
        "prunec_ms": statistics.median(own), "onnxruntime_ms": statistics.median(others),
        "ratio": statistics.median(others) / statistics.median(own),
        "share_of_peak": statistics.median(shares), "difference": float(difference),
        "arena": report["arena_bytes"] / max(1, report["arena_lower_bound"]),
        "first_s": own_load, "onnxruntime_first_s": peer_load,
        "memory_mb": own_memory, "onnxruntime_memory_mb": peer_memory,
    }


COLUMNS = [
    ("model", "{:24}"), ("threads", "{:>7}"), ("prunec_ms", "{:9.2f}"),
    ("onnxruntime_ms", "{:14.2f}"), ("ratio", "{:5.2f}"), ("share_of_peak", "{:13.2f}"),
    ("difference", "{:10.1e}"), ("arena", "{:5.2f}"), ("first_s", "{:7.2f}"),
    ("onnxruntime_first_s", "{:19.2f}"), ("memory_mb", "{:9.0f}"),
    ("onnxruntime_memory_mb", "{:21.0f}"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx")
    parser.add_argument("--prunec", default=os.environ.get("PRUNEC", "prunec"))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    print("  ".join(name.rjust(len(form.format(0 if "." in form else ""))) if name != "model"
                    else name.ljust(24) for name, form in COLUMNS))
    rows = []
    for path in options.models:
        for threads in map(int, options.threads.split(",")):
            rows.append(row(options.prunec, path, threads, options))
            print("  ".join(form.format(rows[-1][name]) for name, form in COLUMNS), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
