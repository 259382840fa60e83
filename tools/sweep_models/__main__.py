"""The command line of the sweep.

Usage:

    tools/sweep [NETWORK...] [options]       exports networks and measures them
    tools/sweep --from FOLDER [options]      measures the .onnx files of a folder
    tools/sweep --write FOLDER [NETWORK...]  exports networks and does nothing else
    tools/sweep --write-fixtures FOLDER [NETWORK...]

NETWORK is a collection (`families`, which is the default, `torchvision`, `timm`), a name
(`torchvision/resnet18`, `timm/ANY_OF_ITS_NAMES`) or a glob of names (`vit-*`, `timm/mobile*`).

Every network gets random weights and is exported by PyTorch's two exporters; prunec removes a
ratio of its channels; onnx's checker and onnxruntime compare the result with the masked original;
prunec's runtime runs the network that it was, beside onnxruntime.
Beside it stand what Torch-Pruning keeps of the same network and onnxsim of the same file. A row
says how prunec did:

    ok            the result does what it should
    nothing-cut   so does it, but it has all its channels
    broken        it differs by more than 1e-3 from the masked original, or does not run
    crash         prunec ended by a signal or with an exit code that it does not document
    refused       prunec ended with another exit code than 0
    timeout       prunec took too long
    misrun        its runtime fails, or differs by more than 1e-4 from onnxruntime (or four times
                  what that differs by from itself without its optimizations, where that is more)
    not-exported  there is no file that runs to begin with

then the percentages kept of the parameters and of the MACs, of the parameters by Torch-Pruning and
by onnxsim, the relative error, the seconds and megabytes that prunec took, and the relative error
of its runtime. Results go to a file as well, a line of JSON for each row, with what is pinned and
why; `--resume` continues it. Exits with 1 when a row is broken, a crash, a refusal, a timeout or a
misrun.
"""

import argparse
import importlib.util
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import isolation, rows, subjects
from .sweeping import Sweep

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / ".cache" / "sweep-results.jsonl"
FOLDED_EXPORTS = ["torchscript", "dynamo"]
ALL_EXPORTS = ["torchscript", "torchscript-raw", "dynamo", "dynamo-raw"]


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/sweep", description=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="tools/sweep [NETWORK...] [options]")
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--from", dest="folder", type=Path, metavar="FOLDER",
                        help="measure the files of a folder; needs no PyTorch")
    parser.add_argument("--ratios", default="0.5", help="separated by commas (0.5)")
    parser.add_argument("--exports", default=",".join(FOLDED_EXPORTS),
                        help=f"of {', '.join(ALL_EXPORTS)}, or all; raw means without folding "
                             "constants (the first and the third)")
    parser.add_argument("--open-batch", action="store_true",
                        help="export with a batch of any size")
    parser.add_argument("--check", action="store_true", help="with prunec's own check as well")
    parser.add_argument("--no-peers", action="store_true", help="prunec alone")
    parser.add_argument("--runtime-only", action="store_true",
                        help="prune nothing, and run the networks in prunec's runtime")
    parser.add_argument("--jobs", type=int, default=1, help="networks at once (1)")
    parser.add_argument("--limit", type=float, default=600, help="seconds for each step (600)")
    parser.add_argument("--peer-limit", type=float, metavar="LIMIT",
                        help="seconds for each peer (as many)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="a file of JSON lines")
    parser.add_argument("--resume", action="store_true",
                        help="keep the results that the file has, and do the rest")
    parser.add_argument("--keep", type=Path, metavar="FOLDER",
                        help="copy the files with which prunec fails there")
    parser.add_argument("--prunec", type=Path, help="without it, this repository's, built anew")
    parser.add_argument("--list", action="store_true", help="print the names of the networks")
    parser.add_argument("--write", type=Path, metavar="FOLDER",
                        help="write the networks as files and measure nothing")
    parser.add_argument("--write-fixtures", type=Path, metavar="FOLDER",
                        help="write the networks, which are families, as small files")
    options = parser.parse_args(arguments)
    options.exports = ALL_EXPORTS if options.exports == "all" else options.exports.split(",")
    if set(options.exports) - set(ALL_EXPORTS):
        parser.error(f"exports are {', '.join(ALL_EXPORTS)}")
    if options.runtime_only:
        options.ratios, options.no_peers = "0", True
    try:
        options.ratios = [float(ratio) for ratio in options.ratios.split(",")]
    except ValueError:
        parser.error("ratios are numbers")
    return options


def built_prunec():
    """The executable, after its script has built what has changed."""
    subprocess.run([REPOSITORY / "tools" / "prunec", "--help"], check=True,
                   stdout=subprocess.DEVNULL)
    return REPOSITORY / ".build" / "release" / "prunec"


def selected(patterns, fixtures=False):
    """The names, which only what imports the libraries knows."""
    outcome = isolation.call("subjects.select", patterns, fixtures, limit=120)
    if outcome.failure:
        raise SystemExit(f"error: {outcome.failure}")
    return outcome.value


def write(options, folder, fixtures):
    """Writes the networks, in their smaller forms for fixtures."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in selected(options.networks or ["families"], fixtures=fixtures):
        for export in options.exports:
            path = folder / f"{name.split('/')[1]}-{export}.onnx"
            outcome = isolation.call(
                "building.export_network", name, str(path), export, False, fixtures,
                limit=options.limit)
            print(f"{path.name:40} {outcome.failure or f'{outcome.value} bytes'}", flush=True)
            failed = failed or outcome.failure is not None
    return 1 if failed else 0


def run(sweep, subjects_and_measures, results, resume, jobs):
    """Measures everything, prints and notes rows as they come, and gives back all of them."""
    found = list(sweep.known.values())
    lock = threading.Lock()
    results.parent.mkdir(parents=True, exist_ok=True)
    print(rows.HEADER, flush=True)
    with open(results, "a" if resume else "w") as file:

        def measure(task):
            subject, measured = task
            for row in measured(subject):
                with lock:
                    found.append(row)
                    file.write(rows.line(row))
                    file.flush()
                    print(rows.table_row(row), flush=True)

        with ThreadPoolExecutor(jobs) as executor:
            # Asked for, so that an error of the sweep itself is not lost.
            for _ in executor.map(measure, subjects_and_measures):
                pass
    return found


def main():
    options = parse(sys.argv[1:])
    if options.folder:
        isolation.preload(["numpy"])
    else:
        isolation.preload(["torch", f"{__package__}.timm_zoo"])
        if options.write:
            return write(options, options.write, fixtures=False)
        if options.write_fixtures:
            return write(options, options.write_fixtures, fixtures=True)
        names = selected(options.networks or ["families"])
        if options.list:
            print("\n".join(names))
            return 0
    known = rows.read(options.results) if options.resume and options.results.is_file() else []
    sweep = Sweep(
        prunec=options.prunec or built_prunec(), ratios=options.ratios, exports=options.exports,
        limit=options.limit, peer_limit=options.peer_limit or options.limit,
        open_batch=options.open_batch, check=options.check,
        torch_pruning=not options.no_peers and not options.folder,
        onnxsim=not options.no_peers and importlib.util.find_spec("onnxsim") is not None,
        only_runtime=options.runtime_only, kept_files=options.keep,
        known={row.key: row for row in known})
    if options.folder:
        tasks = [(path, sweep.rows_of_file) for path in sorted(options.folder.glob("*.onnx"))]
    else:
        tasks = [(name, sweep.rows_of_network) for name in names]
    if not tasks:
        raise SystemExit(f"error: no .onnx files in {options.folder}")
    found = run(sweep, tasks, options.results, options.resume, options.jobs)
    print(rows.summary(found))
    return 1 if any(row.status in rows.FAILURES for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
