"""Times models by onnxruntime, as `prunec --latency T --measure` asks for it.

usage: tools/measure_onnxruntime.py [--threads N] [--seconds S] MODEL...

Prints for each model the median time of a run in milliseconds, a number a line. Inputs are made up: normal numbers,
and integers of 0 and 1; an open extent is 1. Several models are timed in turns, so that what disturbs the machine for a while
disturbs all of them alike.

Needs numpy and onnxruntime.
"""

import argparse
import statistics
import time

import numpy
import onnxruntime

ROUNDS = 5
TYPES = {"tensor(float)": "f4", "tensor(float16)": "f2", "tensor(double)": "f8"}
MODELS_AT_ONCE = 32


class TimedModel:
    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"])
        generator = numpy.random.default_rng(0)
        self.inputs = {
            each.name: self.made_up(each, generator) for each in self.session.get_inputs()}
        self.times = []
        self.run()

    @staticmethod
    def made_up(declared, generator):
        shape = [extent if isinstance(extent, int) else 1 for extent in declared.shape]
        if declared.type in TYPES:
            return generator.standard_normal(shape).astype(TYPES[declared.type])
        name = declared.type.removeprefix("tensor(").removesuffix(")")
        return generator.integers(0, 2, shape).astype(name)

    def run(self):
        start = time.perf_counter()
        self.session.run(None, self.inputs)
        return time.perf_counter() - start

    def measure(self, seconds):
        """Runs the model for that long; the first run finds what other models have left in the caches."""
        end = time.perf_counter() + seconds
        self.run()
        times = [self.run()]
        while time.perf_counter() < end:
            times.append(self.run())
        self.times.append(statistics.median(times))

    def milliseconds(self):
        return 1000 * statistics.median(self.times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--seconds", type=float, default=0.03, help="time spent on a model (default: 0.03)")
    arguments = parser.parse_args()
    for start in range(0, len(arguments.models), MODELS_AT_ONCE):
        models = [
            TimedModel(path, arguments.threads)
            for path in arguments.models[start:start + MODELS_AT_ONCE]]
        for _ in range(ROUNDS):
            for model in models:
                model.measure(arguments.seconds / ROUNDS)
        for model in models:
            print(f"{model.milliseconds():.6f}")


if __name__ == "__main__":
    main()
