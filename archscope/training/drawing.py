"""Epochs go in; the curves of loss and accuracy come out, as SVG and as lines of plain text."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from archscope.core.documents.findings import EpochMetrics

WIDTH, HEIGHT = 880, 380
PANEL_WIDTH, PANEL_HEIGHT = 340, 230
_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
    'font-family="system-ui, sans-serif" font-size="13" fill="#222" role="img">'
)
TRAIN_COLOR, TEST_COLOR = "#8a5a00", "#0b62c4"
"""Both at least 4.5 : 1 on white; the test curve is dashed as well, so that colour carries nothing alone."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of curves over the epochs."""

    title: str
    train: tuple[float, ...]
    test: tuple[float, ...]
    low: float
    high: float
    """Ends of the scale."""
    percent: bool = False

    def format_value(self, value: float) -> str:
        """A value as the axis prints it."""
        return f"{100 * value:.0f} %" if self.percent else f"{value:.3g}"


def make_panels(metrics: Sequence[EpochMetrics]) -> tuple[Panel, Panel]:
    """Loss and accuracy."""
    losses = tuple(entry.train_loss for entry in metrics), tuple(entry.test_loss for entry in metrics)
    accuracies = tuple(entry.train_accuracy for entry in metrics), tuple(entry.test_accuracy for entry in metrics)
    highest = max((*losses[0], *losses[1]), default=1.0) or 1.0
    return Panel("loss", *losses, 0.0, highest), Panel("accuracy", *accuracies, 0.0, 1.0, percent=True)


def draw_curves(metrics: Sequence[EpochMetrics], title: str) -> str:
    """An SVG of loss and accuracy, training and held-out, over the epochs."""
    last = metrics[-1]
    result = f"after epoch {last.epoch}: held-out accuracy {100 * last.test_accuracy:.2f} %"
    parts = [
        _OPENING,
        f"<title>{escape(title)}; {escape(result)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="24" y="30" font-size="15" font-weight="600">{escape(shorten(title, 105))}</text>',
        f'<text x="24" y="52">{escape(result)}</text>',
        *(_draw_panel(panel, left, len(metrics)) for panel, left in zip(make_panels(metrics), (76, 512), strict=True)),
        _draw_legend(),
        "</svg>\n",
    ]
    return "\n".join(parts)


def shorten(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _draw_panel(panel: Panel, left: float, epochs: int) -> str:
    top = 92.0
    lines = [f'<text x="{left}" y="{top - 12}" font-weight="600">{panel.title}</text>']
    for value in _choose_ticks(panel.low, panel.high):
        y = _place(value, panel, top)
        lines.append(f'<path d="M{left} {y:.1f}h{PANEL_WIDTH}" stroke="#ddd"/>')
        lines.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{panel.format_value(value)}</text>')
    for epoch in _choose_epochs(epochs):
        x = _place_epoch(epoch, epochs, left)
        lines.append(f'<text x="{x:.1f}" y="{top + PANEL_HEIGHT + 20}" text-anchor="middle">{epoch}</text>')
    lines.append(f'<text x="{left + PANEL_WIDTH}" y="{top + PANEL_HEIGHT + 38}" text-anchor="end">epoch</text>')
    for values, color, dash in ((panel.train, TRAIN_COLOR, ""), (panel.test, TEST_COLOR, ' stroke-dasharray="6 3"')):
        points = [(_place_epoch(n, epochs, left), _place(value, panel, top)) for n, value in enumerate(values, start=1)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
        if len(points) <= 30:
            lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points]
    return "\n".join(lines)


def _draw_legend() -> str:
    y = HEIGHT - 16
    return (
        f'<path d="M76 {y - 4}h28" stroke="{TRAIN_COLOR}" stroke-width="2"/><text x="110" y="{y}">training</text>\n'
        f'<path d="M190 {y - 4}h28" stroke="{TEST_COLOR}" stroke-width="2" stroke-dasharray="6 3"/>'
        f'<text x="224" y="{y}">held out</text>'
    )


def _place(value: float, panel: Panel, top: float) -> float:
    share = (min(max(value, panel.low), panel.high) - panel.low) / (panel.high - panel.low)
    return top + PANEL_HEIGHT * (1 - share)


def _place_epoch(epoch: int, epochs: int, left: float) -> float:
    return left + PANEL_WIDTH * (0.5 if epochs == 1 else (epoch - 1) / (epochs - 1))


def _choose_ticks(low: float, high: float) -> list[float]:
    """Four to nine round values."""
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [low + step * number for number in range(int((high - low) / step + 1e-9) + 1)]


def _choose_epochs(epochs: int) -> list[int]:
    step = max(1, -(-epochs // 8))
    chosen = list(range(1, epochs + 1, step))
    if chosen[-1] != epochs:
        chosen = [epoch for epoch in chosen if epochs - epoch >= step / 2] + [epochs]
    return chosen


def chart_lines(metrics: Sequence[EpochMetrics], width: int = 64, height: int = 8) -> list[str]:
    """The curves in plain ASCII: `o` training, `x` held out, `*` both."""
    lines: list[str] = []
    for panel in make_panels(metrics):
        lines += ["", f" {panel.title}   o training   x held out   * both", *_chart_panel(panel, width, height)]
    return lines


def _chart_panel(panel: Panel, width: int, height: int) -> list[str]:
    count = len(panel.train)
    columns = min(width, max(count, min(width, 4 * count)))
    grid = [[" "] * columns for _ in range(height)]
    for values, mark in ((panel.train, "o"), (panel.test, "x")):
        for number, value in enumerate(values):
            column = round(number * (columns - 1) / max(count - 1, 1))
            share = (min(max(value, panel.low), panel.high) - panel.low) / (panel.high - panel.low)
            row = round((height - 1) * (1 - share))
            grid[row][column] = mark if grid[row][column] in (" ", mark) else "*"
    labels = [panel.format_value(panel.high), *[""] * (height - 2), panel.format_value(panel.low)]
    wide = max(len(label) for label in labels)
    axis = f"1{str(count).rjust(columns - 1)}" if count > 1 else "1"
    return [
        *(f" {label.rjust(wide)} |{''.join(row).rstrip()}" for label, row in zip(labels, grid, strict=True)),
        f" {'':{wide}} +{'-' * columns}",
        f" {'':{wide}}  {axis} epoch",
    ]
