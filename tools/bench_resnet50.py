"""Times prunec on ResNet-50 against Python's onnx.load and onnx.save of the same file.

Usage:

    python tools/bench_resnet50.py [--runs 9]

The model is torchvision's with random weights, exported once into .cache/resnet50.onnx, which
needs tools/requirements-training.txt; the measurement itself needs only onnx. The runs alternate,
so that a busy machine slows both alike:

  * a fresh Python process that loads and saves the file, timed inside it without the imports;
  * `prunec resnet50.onnx -o OUT --ratio 0.5 --no-check`, timed as a whole process.

Prints both medians, their ratio, and prunec's peak memory relative to the size of the file. Exits
with 1 when prunec is not the faster one or its peak memory is over that of the file.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
MEMORY_LIMIT = 1.0

LOAD_AND_SAVE = """
import sys, time
import onnx
start = time.perf_counter()
onnx.save(onnx.load(sys.argv[1]), sys.argv[2])
print(time.perf_counter() - start)
"""

# The export runs in a process of its own, because the peak that the system reports for a process
# includes what its parent had at the time of the fork, and this one must stay small.
EXPORT = """
import sys
import torch
sys.path.insert(0, sys.argv[1])
from models import export
try:
    import torchvision
except RuntimeError:
    # torchvision's own operators cannot be loaded beside a torch built for CPU only, and it fails
    # where it refers to these two. ResNet uses none of them.
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(operator + "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    import torchvision
torch.manual_seed(0)
network = torchvision.models.resnet50(weights=None)
export.by_torchscript(network, sys.argv[2], image_shape=(3, 224, 224))
"""


def make_model(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under its own name only when it is whole.
    partial = path.with_suffix(".partial")
    subprocess.run([sys.executable, "-c", EXPORT, str(REPOSITORY / "tools"), str(partial)],
                   check=True)
    partial.rename(path)


def time_python(model, output):
    finished = subprocess.run([sys.executable, "-c", LOAD_AND_SAVE, str(model), str(output)],
                              check=True, capture_output=True, text=True)
    return float(finished.stdout)


def time_prunec(prunec, model, output):
    """Seconds and peak memory in bytes of one whole run."""
    command = [str(prunec), str(model), "-o", str(output), "--ratio", "0.5", "--no-check"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)} ended with {process.returncode}")
    return seconds, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description="prunec on ResNet-50 against Python's onnx.")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--model", type=Path, default=REPOSITORY / ".cache" / "resnet50.onnx",
                        help="made here when it is missing")
    parser.add_argument("--prunec", type=Path, help="without it, this repository's, built anew")
    arguments = parser.parse_args()
    if not arguments.model.is_file():
        make_model(arguments.model)
    prunec = arguments.prunec
    if prunec is None:
        # The script builds what has changed; the executable alone is what is timed.
        subprocess.run([REPOSITORY / "tools" / "prunec", "--help"], check=True,
                       stdout=subprocess.DEVNULL)
        prunec = REPOSITORY / ".build" / "release" / "prunec"
    size = arguments.model.stat().st_size
    python_times, prunec_times, peaks = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.onnx"
        # The first pair only brings the file into the page cache.
        for run in range(arguments.runs + 1):
            python_seconds = time_python(arguments.model, output)
            # Each side writes a new file.
            output.unlink()
            prunec_seconds, peak = time_prunec(prunec, arguments.model, output)
            small = output.stat().st_size
            output.unlink()
            if run > 0:
                python_times.append(python_seconds)
                prunec_times.append(prunec_seconds)
                peaks.append(peak)
    python_median, prunec_median = statistics.median(python_times), statistics.median(prunec_times)
    print(f"file                  {size / 1e6:.1f} MB, pruned {small / 1e6:.1f} MB")
    print(f"onnx.load, onnx.save  {python_median:.3f} s (median of {arguments.runs}, "
          f"{min(python_times):.3f} to {max(python_times):.3f})")
    print(f"prunec                {prunec_median:.3f} s (median of {arguments.runs}, "
          f"{min(prunec_times):.3f} to {max(prunec_times):.3f})")
    print(f"prunec / Python       {prunec_median / python_median:.2f}")
    print(f"peak memory           {max(peaks) / 1e6:.0f} MB, "
          f"{max(peaks) / size:.2f} times the file")
    complaints = []
    if prunec_median >= python_median:
        complaints.append("prunec is slower than onnx.load and onnx.save")
    if max(peaks) > MEMORY_LIMIT * size:
        complaints.append(f"the peak memory is over {MEMORY_LIMIT:g} times the file")
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
