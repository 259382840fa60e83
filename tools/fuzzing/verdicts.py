"""Judges how prunec ended."""

from dataclasses import dataclass
from pathlib import Path

OLD = b"what was there before"
DONE, CHECK_FAILED, INTERNAL, UNCHECKED = 0, 1, 6, 7
SANITIZER = 99
OUR_FAULT = ["this is an error in prunec", "changed what the graph computes", "computes something else"]


@dataclass(frozen=True)
class Finding:
    kind: str
    text: str

    @property
    def last_line(self):
        return (self.text.splitlines() or [""])[-1][:200]


def judge(trial, ending, folder, before, oracle):
    """The finding, or `None`. `before` has the names of the files that were there."""
    code, message = ending.code, ending.message
    last = message.strip()[-300:]
    if code is None:
        return Finding("timeout", last)
    if code == SANITIZER or "AddressSanitizer" in message:
        return Finding("memory", message[:2000])
    if code < 0:
        return Finding("signal", f"{-code}: {last}")
    if code > UNCHECKED:
        return Finding("undocumented", f"{code}: {last}")
    if code == INTERNAL:
        return Finding("internal", last)
    if code == CHECK_FAILED and any(words in message for words in OUR_FAULT):
        return Finding("check-failed", last)
    output = trial.output and folder / trial.output
    if code in (DONE, UNCHECKED):
        return _judge_success(trial, code, folder, output, oracle)
    if not message.strip():
        return Finding("silent", f"exit code {code}")
    if trial.output in before and output.read_bytes() != OLD:
        return Finding("touched", last)
    left = sorted(names(folder) - before)
    if left:
        return Finding("leftover", f"{', '.join(left)}: {last}")
    return None


def _judge_success(trial, code, folder, output, oracle):
    if output and "--print-pipeline" not in trial.arguments and "--dry-run" not in trial.arguments:
        if not output.exists() or output.read_bytes() == OLD:
            return Finding("missing", f"exit code {code}")
        if trial.original and oracle:
            masked = trial.masked and folder / trial.masked
            kind, text = oracle.compare(folder / trial.original, masked, output, code == DONE)
            if kind:
                return Finding(kind, text)
    return None


def names(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*")}
