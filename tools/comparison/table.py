"""The results as a table in Markdown."""


def write(path, models, budgets, methods, originals, outcomes):
    """One row for each budget and method: accuracy by model, and the seconds of all models.
    `methods` maps names to titles, `outcomes` (model, method, budget) to outcomes."""
    lines = ["| MACs | | " + " | ".join(models) + " | seconds |",
             "| --- | --- |" + " --- |" * (len(models) + 1),
             "| 1 | original | " + " | ".join(f"{originals[name]:.2f}" for name in models) + " | |"]
    for budget in budgets:
        best = {name: _best(outcomes, name, methods, budget) for name in models}
        for method, title in methods.items():
            found = [outcomes[name, method, budget] for name in models]
            cells = [_cell(outcome, best[name]) for name, outcome in zip(models, found)]
            seconds = [outcome.seconds for outcome in found]
            lines.append(f"| {budget:g} | {title} | " + " | ".join(cells)
                         + f" | {_seconds(min(seconds))} to {_seconds(max(seconds))} |")
    path.write_text("\n".join(lines) + "\n")


def _best(outcomes, name, methods, budget):
    found = (outcomes[name, method, budget].accuracy for method in methods)
    return max((accuracy for accuracy in found if accuracy is not None), default=None)


def _cell(outcome, best):
    if outcome.accuracy is None:
        return "–"
    text = f"{outcome.accuracy:.1f}"
    return f"**{text}**" if outcome.accuracy == best else text


def _seconds(seconds):
    return f"{seconds:.1f}" if seconds < 9.95 else f"{seconds:.0f}"
