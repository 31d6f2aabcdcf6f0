"""Depth against error, as in Figure 6 of He et al. 2015: plain networks get worse when deeper, residual ones better.

Trains plain20, plain56, resnet20 and resnet56 for a few epochs on CIFAR-10 and draws the held-out error of each:

    python examples/plain_against_residual.py --data PATH --epochs 10
    python examples/plain_against_residual.py --data synthetic --epochs 1 --subset 200 --test-subset 100

The first needs a GPU or patience; the second is a dry run. Every run is kept, and goes on where it was stopped.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from archscope.core.errors import ArchscopeError
from archscope.core.files import write_text
from archscope.training.data.images import DataSubset
from archscope.training.options import RunOptions, TrainOptions
from archscope.training.reporter import EpochMetrics, EpochTimes, SilentReporter
from archscope.training.session import TrainResult, train_target

MODELS = ("plain20", "plain56", "resnet20", "resnet56")
COLORS = {"plain": "#b3261e", "resnet": "#0b62c4"}
OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 420" width="760" height="420" font-size="13" '
    'font-family="system-ui, sans-serif" fill="#222"><rect width="760" height="420" fill="#fff"/>'
)
LEFT, TOP, WIDTH, HEIGHT = 70, 56, 520, 300


@dataclass
class Progress(SilentReporter):
    """One line after each epoch."""

    name: str

    def epoch(self, metrics: EpochMetrics, epochs: int, times: EpochTimes) -> None:
        """Tell the error on stderr."""
        error = 100 * (1 - metrics.test_accuracy)
        print(f"{self.name}: epoch {metrics.epoch} of {epochs}, held-out error {error:.1f} %", file=sys.stderr)


def read_words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="CIFAR-10, or 'synthetic'; without it, the cache or a download")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--subset", type=int, help="training images")
    parser.add_argument("--test-subset", type=int, help="held-out images")
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--folder", type=Path, default=Path("runs/plain_against_residual"))
    return parser.parse_args()


def train_one(name: str, words: argparse.Namespace) -> TrainResult:
    options = TrainOptions(
        data=words.data,
        selection=DataSubset(subset=words.subset, test_subset=words.test_subset),
        recipe=words.recipe,
        epochs=words.epochs,
        run=RunOptions(folder=words.folder / name, resume=True, checks=False),
    )
    return train_target(name, options, Progress(name))


def draw_errors(results: dict[str, TrainResult]) -> str:
    """The error of each network over the epochs: dashed for 20 layers, solid for 56."""
    epochs = max(len(result.metrics) for result in results.values())
    data = next(iter(results.values())).data
    lines = [
        OPENING,
        f'<text x="{LEFT}" y="28" font-size="15" font-weight="600">Held-out error on {data}</text>',
    ]
    for percent in range(0, 101, 20):
        y = TOP + HEIGHT * (1 - percent / 100)
        lines.append(f'<path d="M{LEFT} {y}h{WIDTH}" stroke="#ddd"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{percent} %</text>')
    lines.append(f'<text x="{LEFT}" y="{TOP + HEIGHT + 22}">epoch 1</text>')
    lines.append(f'<text x="{LEFT + WIDTH}" y="{TOP + HEIGHT + 22}" text-anchor="end">{epochs}</text>')
    for place, (name, result) in enumerate(results.items()):
        color = COLORS[name.rstrip("0123456789")]
        dash = ' stroke-dasharray="6 3"' if name.endswith("20") else ""
        errors = [1 - entry.test_accuracy for entry in result.metrics]
        points = " ".join(
            f"{LEFT + WIDTH * (n / max(epochs - 1, 1)):.1f},{TOP + HEIGHT * (1 - error):.1f}"
            for n, error in enumerate(errors)
        )
        y = TOP + 20 + 24 * place
        lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
        lines.append(f'<path d="M{LEFT + WIDTH + 20} {y - 4}h26" stroke="{color}" stroke-width="2"{dash}/>')
        lines.append(f'<text x="{LEFT + WIDTH + 52}" y="{y}">{name} {100 * errors[-1]:.1f} %</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> int:
    words = read_words()
    try:
        results = {name: train_one(name, words) for name in MODELS}
        picture = words.folder / "errors.svg"
        write_text(picture, draw_errors(results))
    except ArchscopeError as error:
        print(f"error: {error.message}\n{error.remedy}".rstrip(), file=sys.stderr)
        return error.exit_code
    for name, result in results.items():
        print(f"{name:10}{100 * (1 - result.metrics[-1].test_accuracy):6.1f} % held-out error on {result.data}")
    for family in COLORS:
        shallow, deep = (results[f"{family}{depth}"].metrics[-1].test_accuracy for depth in (20, 56))
        print(f"{family}: 56 layers against 20, error {100 * (shallow - deep):+.1f} points")
    print(f"drawn in {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
