"""Budgets of time beside budgets of MACs: what is left of the accuracy at the same measured time.

usage: tools/bench_latency.py [--models NAME...] [--targets F...] [--threads N] [--calibration PATH]
       tools/bench_latency.py --zoo MODEL.onnx... [--targets F...] [--threads N]
       tools/bench_latency.py --by-onnxruntime ...

The first form prunes the trained fixtures with `--latency F`, and with the largest `--macs` that is no slower, and prints
the times of both by `prunec bench` and by onnxruntime, and the top-1 accuracy on Fashion-MNIST, as it is right after
pruning. The second prunes any models with `--latency F` alone, twice, and prints how long that takes with and without
a table of times. With `--by-onnxruntime`, tools/measure_onnxruntime.py measures the times that count, and the second form
prints the share of the time that `--macs F` leaves as well.

Needs numpy, onnxruntime and the Debian package dataset-fashion-mnist; PRUNEC is the program to run (default:
.build/release/prunec).
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools" / "models"), str(ROOT / "tools")]

import fashion_mnist  # noqa: E402
import measure_onnxruntime  # noqa: E402

PRUNEC = os.environ.get("PRUNEC", str(ROOT / ".build" / "release" / "prunec"))
FIXTURES = ROOT / "Fixtures" / "Models"
NAMES = ["resnet20", "vgg8", "mobilenetv2", "densenet", "vit", "lenet300"]


class Bench:
    def __init__(self, folder, threads, by_onnxruntime, calibration):
        self.folder = pathlib.Path(folder)
        self.threads = threads
        self.by_onnxruntime = by_onnxruntime
        self.samples = ["--calibration", str(calibration)] if calibration else []
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}

    def prune(self, model, *options):
        """The pruned model and the report; nothing where the budget cannot be met."""
        target = self.folder / f"{model.stem}{''.join(options[:2])}.onnx"
        result = subprocess.run(
            [PRUNEC, model, "-o", target, "--json", *options, *self.samples],
            env=self.environment, capture_output=True, text=True)
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

    def budget(self, target):
        """The options of a budget of time."""
        if not self.by_onnxruntime:
            return ["--latency", str(target), "--threads", str(self.threads)]
        script = ROOT / "tools" / "measure_onnxruntime.py"
        return ["--latency", str(target), "--measure",
                f"'{sys.executable}' '{script}' --threads {self.threads} {{models}}"]

    def peer_milliseconds(self, *models, rounds=15):
        """By onnxruntime, in turns."""
        timed = [measure_onnxruntime.TimedModel(str(model), self.threads) for model in models]
        for _ in range(rounds):
            for each in timed:
                each.measure(0.05)
        return [each.milliseconds() for each in timed]

    def share(self, pruned, model):
        """The share of the time that counts."""
        if self.by_onnxruntime:
            after, before = self.peer_milliseconds(pruned, model)
            return after / before
        return self.milliseconds(pruned) / self.milliseconds(model)

    def alike_by_macs(self, model, limit):
        """The model with the most MACs that takes no larger a share of the time than `limit`."""
        low, high, best = 0.02, 1.0, None
        for _ in range(8):
            middle = (low + high) / 2
            target, _ = self.prune(model, "--macs", f"{middle:.4f}", "--no-check")
            if target is None:
                low = middle
            elif self.share(target, model) <= limit:
                low, best = middle, target.rename(self.folder / f"{model.stem}-alike.onnx")
            else:
                high = middle
        return best


def compare(bench, names, targets):
    images, labels = fashion_mnist.read("t10k")
    print(f"{'model':12} {'target':>6}   {'--latency':^29}   {'--macs':^29}")
    heads = f"{'share':>6} {'prunec':>7} {'ort':>7} {'top-1':>6}"
    print(f"{'':12} {'':6}   {heads}   {heads}")
    for name in names:
        model = FIXTURES / f"{name}.onnx"
        own, [peer] = bench.milliseconds(model), bench.peer_milliseconds(model)
        print(f"{name:12} {'':6}   {'':6} {own:7.3f} {peer:7.3f} "
              f"{fashion_mnist.top1(model, images, labels):6.1f}")
        for target in targets:
            row = f"{name:12} {target:6.2f}"
            pruned, _ = bench.prune(model, *bench.budget(target))
            # Two measurements of one model differ by as much.
            limit = 1.005 * bench.share(pruned, model) if pruned else target
            for candidate in (lambda: pruned, lambda: bench.alike_by_macs(model, limit)):
                found = candidate()
                if found is None:
                    row += f"   {'out of reach':>29}"
                    continue
                [peer] = bench.peer_milliseconds(found)
                row += (f"   {bench.share(found, model):6.1%} {bench.milliseconds(found):7.3f} "
                        f"{peer:7.3f} {fashion_mnist.top1(found, images, labels):6.1f}")
            print(row, flush=True)


def time_searches(bench, models, targets):
    print(f"{'model':24} {'target':>6} {'share':>6} {'prunec':>6} {'ort':>6} {'MACs':>6} "
          f"{'first':>7} {'again':>7} {'--macs':>6}")
    for model in models:
        for target in targets:
            seconds = []
            for _ in range(2):
                start = time.perf_counter()
                pruned, report = bench.prune(
                    model, *bench.budget(target), "--no-check", "--compensate", "none")
                seconds.append(time.perf_counter() - start)
            if pruned is None:
                print(f"{model.stem:24} {target:6.2f} out of reach")
                continue
            own = bench.milliseconds(pruned, runs=15) / bench.milliseconds(model, runs=15)
            after, before = bench.peer_milliseconds(pruned, model)
            alike, _ = bench.prune(
                model, "--macs", str(target), "--no-check", "--compensate", "none")
            macs = report["after"]["macs"] / report["before"]["macs"]
            print(f"{model.stem:24} {target:6.2f} {bench.share(pruned, model):6.1%} {own:6.1%} "
                  f"{after / before:6.1%} {macs:6.1%} {seconds[0]:5.1f} s {seconds[1]:5.1f} s "
                  f"{bench.share(alike, model):6.1%}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--zoo", nargs="+", type=pathlib.Path)
    parser.add_argument("--targets", nargs="+", type=float, default=[0.8, 0.6])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--by-onnxruntime", action="store_true")
    parser.add_argument("--calibration", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            folder, arguments.threads, arguments.by_onnxruntime, arguments.calibration)
        if arguments.zoo:
            time_searches(bench, arguments.zoo, arguments.targets)
        else:
            compare(bench, arguments.models, arguments.targets)


if __name__ == "__main__":
    main()
