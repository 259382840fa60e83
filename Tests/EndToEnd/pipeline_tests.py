"""The printed pipeline is all that runs: run by itself, it makes the same bytes as the options that it is printed for.

usage: PRUNEC=path/to/prunec PRUNEC_OPT=path/to/prunec-opt python -m unittest pipeline_tests
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import numpy
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "Fixtures" / "Models"
# For each model the options to try, which are together all that passes take from a command line. But where they say
# otherwise, weights alone decide: running the models on samples takes long.
CASES = {
    "densenet": [[], ["--params", "0.6", "--criterion", "l1"]],
    "lenet300": [
        [], ["--ratio", "0.3", "--align", "3"], ["--criterion", "random", "--seed", "9"],
        ["--macs", "0.4", "--compensate", "none"], ["--criterion", "fpgm", "--scope", "uniform"],
        ["--max-ratio", "0.75", "--min-channels", "3"], ["--peak-memory", "0.85"],
        ["--compensate", "reconstruct", "--scope", "individual", "--effort", "quick"],
    ],
    "mobilenetv2": [[], ["--macs", "0.7", "--keep", "*feat*[0-3]*", "--keep", "residual"]],
    "resnet20": [[], ["--only", "conv", "--macs", "0.7"]],
    "resnet20-bn": [
        [], ["--criterion", "bn-scale"],
        ["--ratio-for", "conv=0.25", "--ratio-for", "residual=0.125"],
    ],
    "vgg8": [[]],
    "vit": [
        [], ["--direction", "outer", "--ratio", "0.5"], ["--only", "head", "--ratio", "0.5"],
        ["--only", "head-dim", "--only", "ffn", "--ratio", "0.5"],
    ],
    "vit-dynamo": [[], ["--direction", "inner"]],
}
# A time is measured anew in each run.
MEASURED = ["--latency", "0.8", "--threads", "1"]
MEASURED_BY_COMMAND = [
    "--latency", "0.8", "--measure", "wc -c < {model} # \"a\\b\"", "--device", "a file"]
WITHOUT_SAMPLES = ["--compensate", "merge"]
# Beside a pipeline the data that it names are given again.
WITH_DATA = [["--calibration", "samples.npz", "--samples", "100"], ["--stats", "samples.stats"]]


def run(program, *arguments):
    result = subprocess.run(
        [os.environ[program], *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
        text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


class PrintedPipelineTests(unittest.TestCase):
    def test_same_bytes(self):
        for name, variants in CASES.items():
            for options in variants:
                if "--compensate" not in options:
                    options = [*options, *WITHOUT_SAMPLES]
                with self.subTest(model=name, options=options), \
                        tempfile.TemporaryDirectory() as folder:
                    self.check(MODELS / f"{name}.onnx", options, pathlib.Path(folder))

    def check(self, model, options, folder):
        pipeline = run("PRUNEC", model, *options, "--print-pipeline").strip()

        def files(tag, *arguments):
            paths = [folder / f"{tag}.{kind}" for kind in ("onnx", "masked.onnx", "plan.json")]
            run("PRUNEC", model, "-q", "--no-check", "-o", paths[0], "--emit-masked", paths[1],
                "--plan", paths[2], *arguments)
            return [path.read_bytes() for path in paths]

        by_options, by_pipeline = files("a", *options), files("b", "--pipeline", pipeline)
        self.assertEqual(by_options, by_pipeline)
        if "data=" in pipeline:
            return
        # Without samples, the passes alone do the same to a model that has no functions and sequences.
        run("PRUNEC_OPT", model, "--passes", pipeline, "-o", folder / "c.onnx")
        self.assertEqual((folder / "c.onnx").read_bytes(), by_options[0])

    def test_same_bytes_with_data(self):
        model = MODELS / "lenet300.onnx"
        shape = [d.dim_value or 160
                 for d in onnx.load(model).graph.input[0].type.tensor_type.shape.dim]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            samples = numpy.random.default_rng(1).standard_normal(shape, numpy.float32)
            numpy.savez(folder / "samples.npz", samples)
            run("PRUNEC", "calibrate", model, "--calibration", folder / "samples.npz",
                "-o", folder / "samples.stats")
            for options in WITH_DATA:
                options = [folder / text if "." in text else text for text in options]
                with self.subTest(options=options):
                    pipeline = run("PRUNEC", model, *options, "--print-pipeline").strip()
                    for tag, more in (("a", []), ("b", ["--pipeline", pipeline])):
                        run("PRUNEC", model, "-q", "-o", folder / f"{tag}.onnx", *options, *more)
                    self.assertEqual(
                        *((folder / f"{tag}.onnx").read_bytes() for tag in ("a", "b")))

    def test_times_are_printed_as_they_are_read(self):
        model = MODELS / "lenet300.onnx"
        for time in ("0.8", "4ms", "12.5us", "0.1s"):
            options = ["--latency", time, "--threads", "3", "--print-pipeline"]
            pipeline = run("PRUNEC", model, *options)
            self.assertIn("threads=3", pipeline)
            self.assertEqual(
                run("PRUNEC", model, "--pipeline", pipeline.strip(), "--print-pipeline"), pipeline)

    def test_commands_are_printed_as_they_are_read(self):
        model = MODELS / "lenet300.onnx"
        pipeline = run("PRUNEC", model, *MEASURED_BY_COMMAND, "--print-pipeline")
        self.assertIn('measure="wc -c < {model} # \\"a\\\\b\\""', pipeline)
        self.assertIn('device="a file"', pipeline)
        self.assertEqual(
            run("PRUNEC", model, "--pipeline", pipeline.strip(), "--print-pipeline"), pipeline)

    def test_every_option_is_tried(self):
        tried = {
            option for variants in [*CASES.values(), WITH_DATA, [MEASURED, MEASURED_BY_COMMAND]]
            for options in variants
            for option in options if option.startswith("--")}
        keys = set(re.findall(r"^  ([a-z-]+)=", run("PRUNEC_OPT", "--help-passes"), re.MULTILINE))
        options = set(re.findall(r"(--[a-z-]+) <", run("PRUNEC", "prune", "--help")))
        shared = {f"--{key}" for key in keys} & options
        self.assertGreaterEqual(len(shared), 15)
        self.assertLessEqual(shared, tried)

    def test_what_a_pipeline_would_say(self):
        """Options that are parts of a pipeline are refused beside one."""
        model = MODELS / "lenet300.onnx"
        for options in (["--macs", "0.4"], ["--direction", "outer"], ["--compensate", "none"]):
            result = subprocess.run(
                [os.environ["PRUNEC"], model, "--pipeline", "infer-shapes", "--print-pipeline",
                 *options], capture_output=True, text=True)
            self.assertEqual(result.returncode, 2, options)
            self.assertIn("a pipeline says all that is done", result.stderr)


if __name__ == "__main__":
    unittest.main()
