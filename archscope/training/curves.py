"""The curves of loss and accuracy over the epochs: as SVG, drawn by matplotlib, and as lines of plain text."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from archscope.core.documents.findings import EpochMetrics
from archscope.core.errors import TargetError
from archscope.core.escaping import escape_name
from archscope.targets.imports import import_extra

_STYLE = {
    "svg.fonttype": "none",  # text stays text, which can be searched and read aloud
    "svg.hashsalt": "archscope",  # the same names in every file: a resumed run draws the same bytes
    "axes.unicode_minus": False,
    "font.family": "sans-serif",
    "font.size": 10.0,
}
_TRAIN = {"color": "#8a5a00", "linestyle": "-", "marker": "o", "label": "training"}
_TEST = {"color": "#0b62c4", "linestyle": "--", "marker": "s", "markerfacecolor": "white", "label": "held out"}
"""Both at least 4.5 : 1 on white; dashes and markers tell them apart without colour."""
_MOST_MARKERS = 30
"""Epochs up to which each is marked."""
_LONGEST_TITLE = 100
LEAST_EPOCHS = 2
"""A single point is no curve."""


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


def can_draw() -> bool:
    """Whether matplotlib, the extra `plot`, is installed and can be imported."""
    return not find_obstacle()


def find_obstacle() -> str:
    """Why no SVG can be drawn, and what to install; empty where it can."""
    return find_fault() if find_spec("matplotlib") else "needs matplotlib: pip install 'torch-archscope[plot]'"


@cache
def find_fault() -> str:
    """Why matplotlib, which is installed, cannot be imported; empty where it can."""
    try:
        for name in ("matplotlib", "matplotlib.figure"):
            import_extra(name, "plot", "it")
    except TargetError as error:
        return f"cannot be drawn: {error.message}; {error.remedy.splitlines()[0]}"
    return ""


def draw_curves(metrics: Sequence[EpochMetrics], title: str) -> bytes:
    """An SVG of loss and accuracy, training and held-out, side by side; the same bytes for the same epochs."""
    import matplotlib
    from matplotlib.figure import Figure

    last, title = metrics[-1], escape_name(title)
    result = f"after epoch {last.epoch}: held-out accuracy {100 * last.test_accuracy:.2f} %"
    short = title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 3] + "..."
    buffer = io.BytesIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # text stays text: the reader's fonts show it
        figure = Figure(figsize=(9.0, 4.0))
        figure.text(0.06, 0.935, short, fontsize=11.5, fontweight="bold", parse_math=False)
        figure.text(0.06, 0.87, result)
        axes = figure.subplots(1, 2, gridspec_kw={"left": 0.06, "right": 0.98, "top": 0.74, "bottom": 0.2})
        for panel, place in zip(make_panels(metrics), axes, strict=True):
            _draw_panel(panel, place)
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0.05, 0.0), ncols=2, frameon=False
        )
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": f"{title}; {result}"})
    return buffer.getvalue()


def _draw_panel(panel: Panel, axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    epochs = range(1, len(panel.train) + 1)
    size = 4.5 if len(epochs) <= _MOST_MARKERS else 0.0
    for values, style in ((panel.train, _TRAIN), (panel.test, _TEST)):
        axes.plot(epochs, values, **style, linewidth=1.8, markersize=size, clip_on=False)
    axes.set_title(panel.title, loc="left", fontsize=10.5, fontweight="bold")
    axes.set_ylim(panel.low, panel.high * (1.0 if panel.percent else 1.05))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.format_value(value)))
    axes.set_xlabel("epoch", loc="right")
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)


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
