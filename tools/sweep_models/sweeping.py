"""One network through all of it: exported, pruned, judged, and pruned by the peers."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import isolation, pruning
from .rows import Row

TOLERANCE = 1e-3


@dataclass
class Sweep:
    """What is done to every network."""

    prunec: Path
    ratios: list
    exports: list
    limit: float
    peer_limit: float
    open_batch: bool = False
    check: bool = False
    torch_pruning: bool = True
    onnxsim: bool = True
    # Whether the runtime runs the files, and whether nothing else is done.
    runtime: bool = True
    only_runtime: bool = False
    seed: int = 0
    kept_files: Path | None = None
    # The rows that there are already, by their keys.
    known: dict = field(default_factory=dict)

    def rows_of_network(self, name):
        """Exports a network in every way and gives the rows as they come."""
        peers = {row.ratio: row.torch_pruning for row in self.known.values()
                 if row.model == name and row.torch_pruning}
        for export in self.exports:
            with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
                label = f"{export}-open" if self.open_batch else export
                ratios = [ratio for ratio in self.ratios
                          if (name, label, ratio) not in self.known]
                if not ratios:
                    continue
                model = Path(folder) / f"{name.replace('/', '-')}-{label}.onnx"
                exported = isolation.call(
                    "building.export_network", name, str(model), export, self.open_batch,
                    limit=self.limit)
                runtime = {} if exported.failure else self._run(model)
                for ratio in ratios:
                    row = Row(name, label, ratio, runtime=runtime)
                    if self.torch_pruning:
                        if ratio not in peers:
                            peers[ratio] = self._peer("torch_pruning_peer.prune", name, ratio)
                        row.torch_pruning = peers[ratio]
                    if exported.failure:
                        row.status, row.reason = "not-exported", exported.failure
                    else:
                        self._measure(model, row)
                    yield row

    def rows_of_file(self, path):
        """Measures a file that is there."""
        rows = [row for row in (Row(path.stem, "file", ratio) for ratio in self.ratios)
                if row.key not in self.known]
        if not rows:
            return
        tried = isolation.call("judging.try_file", str(path), limit=self.limit)
        runtime = {} if tried.failure else self._run(path)
        for row in rows:
            row.runtime = runtime
            if tried.failure:
                row.status, row.reason = "not-exported", tried.failure
            else:
                self._measure(path, row)
            yield row

    def _run(self, model):
        """What prunec's runtime makes of a file."""
        if not self.runtime:
            return {}
        return self._tried(
            "running.compare", str(self.prunec), str(model), self.seed, self.limit,
            limit=3 * self.limit)

    def _measure(self, model, row):
        row.bytes = model.stat().st_size
        if not self.only_runtime:
            self._measure_pruning(model, row)
        if row.status in ("ok", "nothing-cut"):
            self._judge_runtime(row)
        if self.kept_files and row.status not in ("ok", "nothing-cut"):
            self.kept_files.mkdir(parents=True, exist_ok=True)
            shutil.copy(model, self.kept_files)

    def _judge_runtime(self, row):
        if "failure" in row.runtime:
            row.status, row.reason = "misrun", row.runtime["failure"]
        elif row.runtime and not row.runtime["relative_error"] <= row.runtime["tolerance"]:
            row.status = "misrun"
            row.reason = f"runs with an error of {row.runtime['relative_error']:.2g}"

    def _measure_pruning(self, model, row):
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            self._prune(model, row, Path(folder))
            if self.onnxsim:
                row.onnxsim = self._peer(
                    "onnxsim_peer.prune", str(model), f"{folder}/onnxsim.onnx", row.ratio)
        row.pins = pruning.pins(self.prunec, model, self.limit)

    def _prune(self, model, row, folder):
        small, masked = folder / "small.onnx", folder / "masked.onnx"
        run = pruning.prune(
            self.prunec, model, small, masked, row.ratio, self.check, self.limit)
        row.status, row.reason, row.exit_code = run.status, run.reason, run.exit_code
        row.seconds, row.peak_memory = run.seconds, run.peak_memory
        row.warnings = run.warnings
        if not run.report:
            return
        row.macs_before = run.report["before"]["macs"]
        row.macs_after = run.report["after"]["macs"]
        judged = isolation.call(
            "judging.judge", str(model), str(masked), str(small), self.seed, limit=self.limit)
        if judged.failure:
            row.status, row.reason = "broken", judged.failure.replace(f"{folder}/", "")
            return
        for key, value in judged.value.items():
            setattr(row, key, value)
        # Written so that an error that is no number counts as one.
        if not row.relative_error <= TOLERANCE:
            row.status = "broken"
            row.reason = f"differs from the masked original by {row.relative_error:.2g}"

    def _peer(self, function, *arguments):
        return self._tried(function, *arguments, limit=self.peer_limit)

    @staticmethod
    def _tried(function, *arguments, limit):
        outcome = isolation.call(function, *arguments, limit=limit)
        return {"failure": outcome.failure} if outcome.failure else outcome.value
