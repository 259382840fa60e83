"""onnx's checker and onnxruntime, in a process of their own: hostile models may end it.

As a program it reads lines of JSON with the paths of an original, a masked and a small model, and whether results are
compared, and answers each by a line: the kind and text of a finding, or nulls, and whether results have been compared.
"""

import contextlib
import json
import os
import subprocess
import sys

TOLERANCE = 2e-3
SECONDS = 30
ADDRESS_SPACE = 6 << 30


class Oracle:
    """The process, started when it is needed and again when it has ended; `compared` counts the small models whose results it has
    compared."""

    def __init__(self):
        self.process = None
        self.compared = 0

    def compare(self, original, masked, small, results):
        """The kind and the text of what is wrong with a small model; `None` twice where nothing is, or nothing can be said."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            paths = [path and str(path) for path in (original, masked, small)]
            self.process.stdin.write(json.dumps([*paths, results]) + "\n")
            self.process.stdin.flush()
            kind, text, compared = json.loads(self.process.stdout.readline())
            self.compared += compared
            return kind, text
        except (OSError, ValueError):
            # Whatever ended it, the original is as likely as the result.
            self.close()
            return None, None

    def close(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


def judge(original, masked, small, results):
    """onnx's checker must take the small model where it takes the original, and onnxruntime likewise; the results of the masked and
    the small model must agree where those of the masked one are finite."""
    import numpy
    import onnx

    from check_pruned import differences, random_inputs

    if failure(onnx.checker.check_model, original, full_check=True) is None:
        refusal = failure(onnx.checker.check_model, small, full_check=True)
        if refusal:
            return "refused", f"onnx.checker: {refusal}", False
    # onnxruntime takes no model without nodes, which is what is left of one without outputs.
    if failure(session, original) or not session(original).get_outputs():
        return None, None, False
    refusal = failure(session, small)
    if refusal:
        return "refused", f"onnxruntime: {refusal}", False
    if not masked or not results:
        return None, None, False
    try:
        before = session(masked)
        inputs = random_inputs(before, numpy.random.default_rng(0))
        expected = before.run(None, inputs)
    except Exception:
        return None, None, False
    if not all(isinstance(output, numpy.ndarray) and output.dtype.kind in "fiub" and numpy.isfinite(output).all() for output in expected):
        return None, None, False
    try:
        error = differences(expected, session(small).run(None, inputs))[1]
    except Exception as reason:
        return "different", f"the small model does not run: {reason}", True
    if error > TOLERANCE:
        return "different", f"relative difference {error:.3g}", True
    return None, None, True


def session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def failure(function, *arguments, **options):
    """Text of the error that a function raises, or `None`."""
    try:
        function(*arguments, **options)
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def serve():
    import resource
    import signal

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE if hard == resource.RLIM_INFINITY else min(ADDRESS_SPACE, hard), hard))
    answers = os.fdopen(os.dup(1), "w")
    # Messages of onnxruntime are its own.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        # A run that does not end ends the process.
        signal.alarm(SECONDS)
        answer = (None, None, False)
        with contextlib.suppress(MemoryError):
            answer = judge(*json.loads(line))
        signal.alarm(0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
