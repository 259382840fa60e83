"""The results as a picture: accuracy over MACs, one panel a model."""

from xml.sax.saxutils import escape

COLUMNS = 3
PANEL_WIDTH, PANEL_HEIGHT = 250, 170
LEFT, TOP, GAP_ACROSS, GAP_DOWN = 48, 58, 26, 52
BACKGROUND, TEXT, GRID = "#ffffff", "#24292f", "#d8dee4"
# Told apart by people who see red and green alike; the project's own methods are solid.
STYLES = [("#0072b2", ""), ("#009e73", ""), ("#56b4e9", ""), ("#d55e00", "6 3"), ("#8a6d9e", "2 3")]
MARKS = 3.2


def write(path, models, budgets, methods, originals, outcomes):
    """Arguments as in table.write."""
    rows = -(-len(models) // COLUMNS)
    width = LEFT + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP_ACROSS + 16
    height = TOP + rows * PANEL_HEIGHT + (rows - 1) * GAP_DOWN + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" fill="{TEXT}">',
        f'<rect width="{width}" height="{height}" fill="{BACKGROUND}"/>', *_legend(methods)]
    for position, name in enumerate(models):
        row, column = divmod(position, COLUMNS)
        panel = _Panel(LEFT + column * (PANEL_WIDTH + GAP_ACROSS),
                       TOP + row * (PANEL_HEIGHT + GAP_DOWN), min(budgets))
        parts += panel.frame(name, [*budgets, 1.0], column == 0)
        parts += _curves(panel, name, budgets, methods, originals[name], outcomes)
    middle = LEFT + (width - LEFT - 16) / 2
    caption = "top-1 right after pruning, by the fraction of the MACs kept"
    parts.append(_text(middle, height - 8, caption, "middle"))
    parts.append("</svg>")
    path.write_text("\n".join(parts) + "\n")


class _Panel:
    """The axes of one model: MACs kept across, top-1 from 0 to 100 upwards."""

    def __init__(self, x, y, lowest):
        self.x, self.y = x, y
        self.low = lowest - 0.05

    def across(self, fraction):
        return self.x + PANEL_WIDTH * (fraction - self.low) / (1.03 - self.low)

    def up(self, accuracy):
        return self.y + PANEL_HEIGHT * (1 - accuracy / 100)

    def frame(self, title, fractions, is_first):
        parts = [_text(self.x + PANEL_WIDTH / 2, self.y - 7, title, "middle", "bold")]
        for accuracy in (0, 25, 50, 75, 100):
            height = self.up(accuracy)
            parts.append(_line(self.x, height, self.x + PANEL_WIDTH, height))
            if is_first:
                label = f"{accuracy} %" if accuracy == 100 else str(accuracy)
                parts.append(_text(self.x - 6, height + 4, label, "end"))
        for fraction in fractions:
            parts.append(_text(self.across(fraction), self.y + PANEL_HEIGHT + 16,
                               f"{fraction:g}", "middle"))
        return parts


def _curves(panel, name, budgets, methods, original, outcomes):
    parts = []
    for method, (color, dashes) in reversed(list(zip(methods, STYLES))):
        points = [(1.0, original)]
        for budget in sorted(budgets, reverse=True):
            accuracy = outcomes[name, method, budget].accuracy
            if accuracy is not None:
                points.append((budget, accuracy))
        places = [(panel.across(fraction), panel.up(accuracy)) for fraction, accuracy in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2" '
                     f'stroke-dasharray="{dashes}" stroke-linejoin="round"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{MARKS}" fill="{color}"/>'
                  for x, y in places[1:]]
    x, y = panel.across(1.0), panel.up(original)
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{MARKS}" fill="{TEXT}"/>')
    return parts


def _legend(methods):
    parts, x = [], LEFT
    for title, (color, dashes) in zip(methods.values(), STYLES):
        parts.append(f'<line x1="{x}" y1="16" x2="{x + 26}" y2="16" stroke="{color}" '
                     f'stroke-width="2.5" stroke-dasharray="{dashes}"/>')
        parts.append(_text(x + 32, 20, title))
        x += 52 + 6.2 * len(title)
    return parts


def _line(x1, y1, x2, y2):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{GRID}"/>'


def _text(x, y, text, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">'
            f'{escape(text)}</text>')
