"""Results of mutants and of faults, and their table."""

from collections import Counter
from dataclasses import dataclass

from .verdicts import Finding


@dataclass(frozen=True)
class Result:
    """End of a run of prunec: `code` is negative for a signal, and `None` where it took too long. `compared` is whether onnxruntime has
    compared what it made."""

    entrance: str
    index: int
    code: int | None
    seconds: float
    finding: Finding | None
    kept: str | None = None
    compared: bool = False


def print_table(names, results, title="entrance"):
    """A row a name: how many there are, by exit code, how many findings, and milliseconds on average."""
    codes = sorted({result.code for result in results if result.code is not None})
    late = any(result.code is None for result in results)
    header = [title, "runs", *(f"exit {code}" if code >= 0 else f"signal {-code}" for code in codes)]
    header += ["timeout"] * late + ["findings", "ms"]
    rows = []
    for name in [*names, "all"]:
        chosen = [result for result in results if name in ("all", result.entrance)]
        ended = Counter(result.code for result in chosen)
        mean = 1000 * sum(result.seconds for result in chosen) / max(1, len(chosen))
        rows.append([name, len(chosen), *(ended[code] for code in codes), *[ended[None]] * late,
                     sum(result.finding is not None for result in chosen), f"{mean:.0f}"])
    widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(len(header))]
    print()
    for row in [header, *rows]:
        print("  ".join(str(cell).ljust(width) if column == 0 else str(cell).rjust(width)
                        for column, (cell, width) in enumerate(zip(row, widths))))


def print_findings(results):
    """Prints how many findings there are of each kind; gives how many in all."""
    kinds = Counter(result.finding.kind for result in results if result.finding)
    print("findings: " + (", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none"))
    return sum(kinds.values())
