"""Every command's every table, in every terminal and in a pipe: whole words, whole names, no line too long."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from tempfile import mkdtemp

import pytest

from archscope import api
from archscope.core.table import Table
from archscope.rendering.formats import RenderOptions
from archscope.rendering.lines import measure
from archscope.rendering.report import Report

PIPE = 200
WIDTHS = (60, 80, 100, 120, 200, None)
"""Columns of a terminal; None is a pipe."""
_DRAWN = re.compile("[├└│─▏▎▍▌▋▊▉█]")
_REFERENCE = re.compile(r"\[\d+\]")


def check_report(report: Report, width: int | None) -> None:
    """No line is too long, no word is broken or cut, and every row keeps its name."""
    text = report.render("table", RenderOptions(width=width))
    lines = text.splitlines()
    widest = max(lines, key=measure)
    assert measure(widest) <= (width or PIPE), widest
    tables = report.build_tables(width)
    known = {word for table in (*tables, *report.build_tables()) for told in list_texts(table) for word in told.split()}
    if any(len(word) > (width or PIPE) for word in known):
        known |= {piece for word in known for piece in _join_pieces(re.split("(?<=[,/])", word))}
    known |= {word.rstrip(",") for word in known}  # phrases that were left out take their comma along
    shown = {word for line in lines for word in _DRAWN.sub(" ", line).split()}
    assert {word for word in shown - known if not _REFERENCE.fullmatch(word)} == set()
    starts = [_DRAWN.sub(" ", line).strip() for line in lines]
    for table in tables:
        for row in table.rows:
            name = row.cells[0].text
            if not table.columns[0].hidden and row.cells[0].span == 1:
                assert any(start.startswith(name) for start in starts), name


def _join_pieces(pieces: list[str]) -> Iterator[str]:
    """Every run of pieces of a word that is longer than a line."""
    for start in range(len(pieces)):
        for end in range(start + 1, len(pieces) + 1):
            yield "".join(pieces[start:end])


def list_texts(table: Table) -> Iterator[str]:
    """Everything that may be shown of a table."""
    yield from (table.title, table.subtitle, *table.notes, "·", "✗")
    for column in table.columns:
        yield from (column.title, column.short, f"{column.title}:")
    for row in table.rows:
        for cell in row.cells:
            yield from (cell.text, cell.short)


REPORTS: dict[str, Callable[[], Report]] = {
    **{
        f"table {name}": lambda name=name: api.table(name)  # type: ignore[misc]
        for name in ("vgg", "resnet", "resnet-cifar", "googlenet", "ilsvrc", "alexnet", "vgg16", "resnet152")
    },
    "table googlenet --style cs231n": lambda: api.table("googlenet", style="cs231n"),
    "table alexnet --receptive": lambda: api.table("alexnet", receptive=True),
    "trace googlenet": lambda: api.trace("googlenet"),
    "trace resnet50": lambda: api.trace("resnet50"),
    "trace torchvision:densenet121": lambda: api.trace("torchvision:densenet121"),
    "trace torchvision:vit_b_16": lambda: api.trace("torchvision:vit_b_16"),
    "models": api.list_models,
    "explain alexnet conv1": lambda: api.explain("alexnet", "conv1"),
    "explain resnet50 layer1.0": lambda: api.explain("resnet50", "layer1.0"),
    "explain vgg16 features.24:features.28": lambda: api.explain("vgg16", "features.24:features.28"),
    "fit": lambda: api.fit("resnet18", memory="16GiB", training=True),
    "fit --batch": lambda: api.fit("vgg16", memory="1GiB", batch=64),
    "explain resnet18 --all": lambda: api.explain("resnet18"),
    "verify": api.verify,
    "verify googlenet": lambda: api.verify("googlenet"),
    "verify --verdict agrees": lambda: api.verify(verdicts=("agrees",)),
    "verify --verdict not-recomputable": lambda: api.verify(verdicts=("not-recomputable",)),
    "verify --counters": lambda: api.compare_counters("resnet18"),
    "verify --counters torchvision": lambda: api.compare_counters("torchvision:mobilenet_v3_small"),
    "bench": lambda: api.benchmark("resnet20", "plain20", device="cpu", seconds=0.2),
    "bench --layers": lambda: api.benchmark("resnet20", device="cpu", seconds=0.2, layers=True),
    "bench --dtype": lambda: api.benchmark("resnet20", device="cpu", dtype="fp32,bf16", seconds=0.2, train_steps=5),
    "train --check-only": lambda: api.train("resnet20", data="synthetic", check_only=True, run_dir=mkdtemp()),
}


@cache
def build(name: str) -> Report:
    """Made once for all widths."""
    return REPORTS[name]()


def mark_slow(name: str) -> object:
    """Measured, trained and verified: what takes seconds."""
    slow = name.startswith(("verify", "bench", "train", "fit")) or "torchvision" in name
    return pytest.param(name, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [mark_slow(name) for name in REPORTS])
def test_a_command(name: str, width: int | None) -> None:
    check_report(build(name), width)
