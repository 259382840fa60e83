"""Results: one row for each network, export and ratio, as a line of a file and of a table."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

# How prunec did: a file that is wrong or does not run; a signal or an exit code that it does not
# document; a documented one that is no success; a runtime that computes something else; and what is
# not for it to answer for.
STATUSES = ("ok", "nothing-cut", "broken", "crash", "refused", "timeout", "misrun", "not-exported")
FAILURES = ("broken", "crash", "refused", "timeout", "misrun")
FAR_BEHIND = 1.05
MENTIONED_SHARE = 0.05


@dataclass
class Row:
    model: str
    export: str
    ratio: float
    status: str = "ok"
    reason: str = ""
    bytes: int = 0
    exit_code: int | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    relative_error: float | None = None
    parameters_before: int | None = None
    parameters_after: int | None = None
    macs_before: int | None = None
    macs_after: int | None = None
    warnings: list = field(default_factory=list)
    pins: list = field(default_factory=list)
    # Each with `parameters_before` and `parameters_after`, or with `failure`; empty if not run.
    torch_pruning: dict = field(default_factory=dict)
    onnxsim: dict = field(default_factory=dict)
    # prunec's runtime beside onnxruntime: `relative_error`, `tolerance` and `references` (the share
    # of the time of each operator without a kernel), or `failure`; empty if not run.
    runtime: dict = field(default_factory=dict)

    @property
    def key(self):
        return self.model, self.export, self.ratio

    @property
    def parameters_kept(self):
        """The parameters that prunec keeps, in percent; none where there is no result."""
        return _percent(self.parameters_after, self.parameters_before)

    @property
    def macs_kept(self):
        return _percent(self.macs_after, self.macs_before)

    @property
    def behind(self):
        """How much more than Torch-Pruning prunec keeps, as a quotient."""
        peer = peer_kept(self.torch_pruning)
        return self.parameters_kept / peer if peer and self.parameters_kept else None


def _percent(after, before):
    return 100 * after / before if after is not None and before else None


def peer_kept(result):
    return _percent(result.get("parameters_after"), result.get("parameters_before"))


def read(path):
    """The rows of a file of results; a last line that was not finished is not one."""
    known = {entry.name for entry in fields(Row)}
    rows = []
    for line in Path(path).read_text().splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        rows.append(Row(**{key: value for key, value in record.items() if key in known}))
    return rows


def line(row):
    return json.dumps(asdict(row)) + "\n"


HEADER = (f"{'model':34} {'export':15} {'ratio':>5} {'prunec':12} {'kept %':>6} {'MACs %':>6} "
          f"{'T-P %':>6} {'sim %':>6} {'error':>8} {'s':>6} {'MB':>5} {'run error':>9}")


def table_row(row):
    def number(value, form):
        return "" if value is None else format(value, form)

    def peer(result):
        if "failure" in result:
            return "fails"
        return number(peer_kept(result), ".1f")

    memory = None if row.peak_memory is None else row.peak_memory / 1e6
    text = (f"{row.model:34} {row.export:15} {row.ratio:5} {row.status:12} "
            f"{number(row.parameters_kept, '.1f'):>6} {number(row.macs_kept, '.1f'):>6} "
            f"{peer(row.torch_pruning):>6} {peer(row.onnxsim):>6} "
            f"{number(row.relative_error, '.1g'):>8} {number(row.seconds, '.2f'):>6} "
            f"{number(memory, '.0f'):>5} "
            f"{number(row.runtime.get('relative_error'), '.1g'):>9}")
    return f"{text}  {row.reason[:150]}".rstrip()


def _references(rows):
    """For each operator without a kernel, its shares of the time where they are worth mention."""
    found = {}
    for row in rows:
        for operator, share in row.runtime.get("references", {}).items():
            if share > MENTIONED_SHARE:
                found.setdefault(operator, []).append(share)
    return found


def summary(rows):
    """How many of each status; what failed; where prunec is far behind Torch-Pruning."""
    lines = ["", "  ".join(
        f"{status} {count}" for status in STATUSES
        if (count := sum(row.status == status for row in rows)))]
    for name, results in (("Torch-Pruning", [row.torch_pruning for row in rows]),
                          ("onnxsim", [row.onnxsim for row in rows])):
        tried = [result for result in results if result]
        if tried:
            failed = sum("failure" in result for result in tried)
            lines.append(f"{name} fails for {failed} of {len(tried)}")
    errors = sorted((row.runtime["relative_error"], row.model, row.export)
                    for row in rows if "relative_error" in row.runtime)
    if errors:
        error, model, export = errors[-1]
        lines.append(f"runtime: {len(errors)} run, at worst with an error of {error:.2g} "
                     f"({model} {export})")
    for operator, shares in sorted(_references(rows).items(), key=lambda entry: -sum(entry[1])):
        lines.append(f"no kernel: {operator} takes up to {100 * max(shares):.0f} % of the time of "
                     f"{len(shares)}")
    for status in FAILURES:
        lines += [f"{status}: {row.model} {row.export} at {row.ratio}: {row.reason}"
                  for row in rows if row.status == status]
    behind = [row for row in rows if row.behind and row.behind > FAR_BEHIND]
    for row in sorted(behind, key=lambda row: -row.behind):
        lines.append(f"behind: {row.model} {row.export} at {row.ratio} keeps "
                     f"{row.parameters_kept:.1f} %, Torch-Pruning "
                     f"{peer_kept(row.torch_pruning):.1f} %")
    return "\n".join(lines)
