"""What is left of other people's trained models after pruning, with data that is made exactly.

Usage (tools/compare-field sets up what this needs and passes its arguments on):

    tools/compare-field [--subjects NAME...] [--budgets F...] [--columns NAME...] [--prunec PATH]
                        [--cache FOLDER] [--out FILE] [--prunec-options "--align 1"]

The subjects are PP-OCR's recogniser and its angle classifier (from the package
rapidocr-onnxruntime) on lines of text drawn in Debian's fonts, and Basic Pitch (basic-pitch) on
synthetic tones. Each is pruned to fractions of its MACs and run in onnxruntime on samples other
than those for calibration. The columns:

    plain       `--compensate none`
    no-data     the defaults
    calibrated  `--calibration` with 256 samples, without labels

Prints a table in Markdown, and writes all figures to --out. The models and the samples stay in
--cache; nothing of them is part of this repository.
"""

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

import numpy
import onnxruntime

from comparison import prunec_method
from field_models import classifier, pitch, recogniser

REPOSITORY = Path(__file__).resolve().parent.parent
SUBJECTS = {"recogniser": recogniser, "classifier": classifier, "pitch": pitch}
COLUMNS = ("plain", "no-data", "calibrated")
BUDGETS = (0.7, 0.5)
CALIBRATION_SAMPLES = 256
CALIBRATION_SEED, TEST_SEED = 1, 2


def run(path, inputs, name, batch=16):
    """The outputs of onnxruntime for all samples."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    parts = [session.run(None, {name: inputs[start:start + batch]})
             for start in range(0, len(inputs), batch)]
    return [numpy.concatenate(outputs) for outputs in zip(*parts)]


def calibration(subject, folder):
    path = folder / f"{subject.__name__.rsplit('.', 1)[-1]}-{CALIBRATION_SAMPLES}.npz"
    if not path.is_file():
        inputs, _ = subject.samples(CALIBRATION_SAMPLES, CALIBRATION_SEED)
        numpy.savez(path, **{subject.INPUT: inputs})
    return path


def measure(subject, arguments, folder):
    """One entry for the original, and one for each budget and column."""
    model = subject.model(arguments.cache)
    inputs, truth = subject.samples(subject.TESTS, TEST_SEED)

    def score(path):
        return subject.score(run(path, inputs, subject.INPUT), truth, model)

    yield {"column": "before", "budget": 1.0, "macs": 1.0, "score": score(model)}
    for budget in arguments.budgets:
        for column in arguments.columns:
            options = shlex.split(arguments.prunec_options)
            if column == "plain":
                options += ["--compensate", "none"]
            data = calibration(subject, arguments.cache) if column == "calibrated" else None
            small = folder / "small.onnx"
            outcome = prunec_method.prune(
                arguments.prunec, model, small, budget, data, CALIBRATION_SAMPLES, options)
            yield {"column": column, "budget": budget, "macs": outcome.macs,
                   "seconds": outcome.seconds, "reason": outcome.reason,
                   "score": score(small) if outcome.macs else None}


def table(results, columns, budgets):
    lines = ["| model | measured | MACs | before | " + " | ".join(columns) + " | seconds |",
             "| --- | --- | --- | --- |" + " --- |" * (len(columns) + 1)]
    for name, entries in results.items():
        subject = SUBJECTS[name]
        found = {(entry["column"], entry["budget"]): entry for entry in entries}
        before = found["before", 1.0]["score"]
        for budget in budgets:
            row = [found[column, budget] for column in columns]
            scores = ["–" if entry["score"] is None else f"{entry['score']:.1f}" for entry in row]
            seconds = ", ".join(f"{entry['seconds']:.1f}" for entry in row)
            lines.append(f"| {subject.NAME} | {subject.MEASURE} | {budget:g} | {before:.1f} | "
                         + " | ".join(scores) + f" | {seconds} |")
    return "\n".join(lines)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--budgets", nargs="+", type=float, default=list(BUDGETS), metavar="F")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    parser.add_argument("--prunec", type=Path, default=REPOSITORY / "tools" / "prunec")
    parser.add_argument("--prunec-options", default="", metavar="OPTIONS",
                        help="more options for prunec, in one argument")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / ".cache" / "field",
                        metavar="FOLDER")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        default=REPOSITORY / ".cache" / "field" / "results.json")
    return parser.parse_args()


def main():
    arguments = parse()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.subjects:
            results[name] = []
            for entry in measure(SUBJECTS[name], arguments, Path(folder)):
                results[name].append(entry)
                print(name, entry, file=sys.stderr, flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results, arguments.columns, arguments.budgets))


if __name__ == "__main__":
    main()
