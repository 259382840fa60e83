"""Budgets of time beside budgets of MACs: what is left of the accuracy at the same measured time.

usage: tools/bench_latency.py [--models NAME...] [--targets F...] [--threads N]
       tools/bench_latency.py --zoo MODEL.onnx... [--targets F...] [--threads N]

The first form prunes the trained fixtures with `--latency F`, and with the largest `--macs` that is no slower, and prints
the times of both by `prunec bench` and by onnxruntime, and the top-1 accuracy on Fashion-MNIST, as it is right after
pruning. The second prunes any models with `--latency F` alone, twice, and prints how long that takes with and without
a table of times.

Needs numpy, onnxruntime and the Debian package dataset-fashion-mnist; PRUNEC is the program to run (default:
.build/release/prunec).
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

import numpy
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools" / "models"))

import fashion_mnist  # noqa: E402

PRUNEC = os.environ.get("PRUNEC", str(ROOT / ".build" / "release" / "prunec"))
FIXTURES = ROOT / "Fixtures" / "Models"
NAMES = ["resnet20", "vgg8", "mobilenetv2", "densenet", "vit", "lenet300"]


class Bench:
    def __init__(self, folder, threads):
        self.folder = pathlib.Path(folder)
        self.threads = threads
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}

    def prune(self, model, *options):
        """The pruned model and the report; nothing where the budget cannot be met."""
        target = self.folder / f"{model.stem}{''.join(options)}.onnx".replace("/", "_")
        result = subprocess.run(
            [PRUNEC, model, "-o", target, "--json", *options], env=self.environment,
            capture_output=True, text=True)
        if result.returncode == 1:
            return None, None
        if result.returncode:
            sys.exit(result.stderr)
        return target, json.loads(result.stdout)

    def milliseconds(self, model, runs=200):
        """By prunec's own runtime."""
        result = subprocess.run(
            [PRUNEC, "bench", model, "--json", "--threads", str(self.threads), "--runs", str(runs)],
            check=True, capture_output=True, text=True)
        return json.loads(result.stdout)["median_ms"]

    def peer_milliseconds(self, model, runs=200):
        """By onnxruntime."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"])
        declared = session.get_inputs()[0]
        shape = [extent if isinstance(extent, int) else 1 for extent in declared.shape]
        inputs = {declared.name: numpy.random.default_rng(0).standard_normal(
            shape, dtype=numpy.float32)}
        times = []
        for _ in range(runs + 5):
            start = time.perf_counter()
            session.run(None, inputs)
            times.append(time.perf_counter() - start)
        return 1000 * statistics.median(times[5:])

    def alike_by_macs(self, model, limit):
        """The model with the most MACs that takes no longer than `limit` milliseconds."""
        low, high, best = 0.02, 1.0, None
        for _ in range(8):
            middle = (low + high) / 2
            target, _ = self.prune(model, "--macs", f"{middle:.4f}", "--no-check")
            if target is None:
                low = middle
            elif self.milliseconds(target) <= limit:
                low, best = middle, target
            else:
                high = middle
        return best


def compare(bench, names, targets):
    images, labels = fashion_mnist.read("t10k")
    print(f"{'model':12} {'target':>6}   {'--latency':^31}   {'--macs':^31}")
    heads = f"{'ms':>7} {'share':>6} {'ort':>7} {'top-1':>6}"
    print(f"{'':12} {'':6}   {heads}      {heads}")
    for name in names:
        model = FIXTURES / f"{name}.onnx"
        whole, peer = bench.milliseconds(model), bench.peer_milliseconds(model)
        print(f"{name:12} {'':6}   {whole:7.3f} {'':6} {peer:7.3f} "
              f"{fashion_mnist.top1(model, images, labels):6.1f}")
        for target in targets:
            row = f"{name:12} {target:6.2f}"
            pruned, _ = bench.prune(
                model, "--latency", str(target), "--threads", str(bench.threads))
            limit = None
            for pruned in (pruned, None):
                if limit is not None:
                    pruned = bench.alike_by_macs(model, limit)
                if pruned is None:
                    row += f"   {'out of reach':>31}"
                    limit = limit or target * whole
                    continue
                own = bench.milliseconds(pruned)
                # Two measurements of one model differ by as much.
                limit = limit or own * 1.005
                row += (f"   {own:7.3f} {own / whole:6.1%} {bench.peer_milliseconds(pruned):7.3f} "
                        f"{fashion_mnist.top1(pruned, images, labels):6.1f}")
            print(row, flush=True)


def time_searches(bench, models, targets):
    print(f"{'model':24} {'target':>6} {'before':>9} {'after':>9} {'share':>6} {'ort':>6} "
          f"{'MACs':>6} {'first':>7} {'again':>7}")
    for model in models:
        peer = bench.peer_milliseconds(model, runs=15)
        before = bench.milliseconds(model, runs=15)
        for target in targets:
            seconds = []
            for _ in range(2):
                start = time.perf_counter()
                pruned, report = bench.prune(
                    model, "--latency", str(target), "--threads", str(bench.threads),
                    "--no-check", "--compensate", "none")
                seconds.append(time.perf_counter() - start)
            if pruned is None:
                print(f"{model.stem:24} {target:6.2f} out of reach")
                continue
            after = bench.milliseconds(pruned, runs=30)
            share = bench.peer_milliseconds(pruned, runs=15) / peer
            macs = report["after"]["macs"] / report["before"]["macs"]
            print(f"{model.stem:24} {target:6.2f} {before:6.2f} ms {after:6.2f} ms "
                  f"{after / before:6.1%} {share:6.1%} {macs:6.1%} "
                  f"{seconds[0]:5.1f} s {seconds[1]:5.1f} s", flush=True)
            pruned.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--zoo", nargs="+", type=pathlib.Path)
    parser.add_argument("--targets", nargs="+", type=float, default=[0.8, 0.6])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, arguments.threads)
        if arguments.zoo:
            time_searches(bench, arguments.zoo, arguments.targets)
        else:
            compare(bench, arguments.models, arguments.targets)


if __name__ == "__main__":
    main()
