"""The command line of the fuzzer.

A mutant is a seed, an entrance and a number, and the same ones make the same mutant. prunec gets it in one of its
commands, in a folder of its own, with limits of address space and time. A finding is

    signal          prunec ends by a signal
    timeout         it takes longer than --limit
    undocumented    its exit code is none of those in README.md
    internal        its exit code is 6: an error in prunec
    check-failed    it says that its own result is wrong
    silent          it fails without a message
    touched         it fails, and the output is not what it was
    leftover        it fails, and leaves files behind
    missing         it succeeds, and there is no output
    refused         onnx's checker takes the original, and not the small model
    different       onnxruntime computes something else with the small model than with the masked original
    memory          a sanitizer reports an error (of a sanitizer build, with --sanitized)

The table at the end has a row an entrance. Exits with 1 where there is a finding.
"""

import argparse
import sys
from pathlib import Path

from . import campaign, faults
from .entrances import ENTRANCES

REPOSITORY = Path(__file__).resolve().parents[2]


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/fuzz", description=__doc__.split("\n\n", 1)[1] + "\nEntrances:\n\n" + "\n".join(
            f"    {name:<15} {entrance.summary}" for name, entrance in ENTRANCES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the seed of all mutants (1)")
    parser.add_argument("--mutants", type=int, default=2000, help="how many, over all entrances (2000)")
    parser.add_argument("--entrance", action="append", choices=ENTRANCES, dest="entrances",
                        metavar="NAME", help="this entrance alone; repeatable")
    parser.add_argument("--mutant", type=int, metavar="NUMBER",
                        help="this mutant of the one --entrance alone, with what prunec says")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at once (1)")
    parser.add_argument("--time", type=float, metavar="SECONDS", help="end after so long")
    parser.add_argument("--limit", type=float, default=20, metavar="SECONDS",
                        help="time that a mutant may take (20)")
    parser.add_argument("--oracle", type=float, default=0.2, metavar="FRACTION",
                        help="of the pruned models, so many are run by onnxruntime (0.2)")
    parser.add_argument("--models", type=Path, action="append", default=[], metavar="FOLDER",
                        help="mutate the .onnx files of this folder too (up to 64 KiB each); repeatable")
    parser.add_argument("--keep", type=Path, default=REPOSITORY / ".cache/fuzz", metavar="FOLDER",
                        help="where findings go, a folder each, with a command to repeat them (.cache/fuzz)")
    parser.add_argument("--faults", nargs="*", choices=faults.FAULTS, metavar="FAULT",
                        help=f"no mutants, but faults while models are written, all or some of {', '.join(faults.FAULTS)}")
    parser.add_argument("--runs", type=int, default=200, help="the most of each fault (200)")
    parser.add_argument("--sanitized", action="store_true",
                        help="prunec is built with a sanitizer, which reserves all address space: it gets no limit of it")
    parser.add_argument("--prunec", type=Path, default=REPOSITORY / ".build/release/prunec",
                        help="prunec; prunec-opt stands beside it. Without it, this repository's, built anew")
    options = parser.parse_args(arguments)
    if options.mutant is not None and len(options.entrances or []) != 1:
        parser.error("--mutant needs one --entrance")
    options.entrances = options.entrances or list(ENTRANCES)
    options.prunec = options.prunec.resolve()
    options.keep = options.keep.resolve()
    return options


def main(arguments):
    options = parse(arguments)
    if options.faults is not None:
        return faults.run(options)
    if options.mutant is not None:
        return campaign.repeat(options)
    return campaign.run(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
