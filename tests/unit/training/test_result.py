"""What is shown of a run: table, document, curves as SVG and as text, TensorBoard."""

import re
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from archscope.core.codec import encode
from archscope.core.documents import load_schema
from archscope.core.documents.findings import EpochMetrics
from archscope.core.finding import Finding
from archscope.rendering import render
from archscope.training.curves import chart_lines, draw_curves
from archscope.training.recipes import find_recipe
from archscope.training.report import build_result_document, build_result_table, explain_finding
from archscope.training.reporter import SilentReporter, StepReport, open_events
from archscope.training.session import TrainResult

FINDING = Finding("error", "no-gradient", "nothing arrives", "conv1", "a gradient", "none", "look there")


def make_metrics(count: int) -> tuple[EpochMetrics, ...]:
    return tuple(
        EpochMetrics(n, 2.3 / n, 1 - 0.9 / n, 2.5 / n, 1 - 0.8 / n, {"cat": 0.5, "dog": 0.25}, 0.1 / n)
        for n in range(1, count + 1)
    )


@pytest.fixture
def result(tmp_path: Path) -> TrainResult:
    return TrainResult(
        *("Net", "SYNTHETIC images, not CIFAR-10", True, find_recipe("fast"), 3, 7, 3_000, 500),
        folder=tmp_path,
        metrics=make_metrics(3),
        findings=(),
        seconds=12.3456,
        notes=("the images are synthetic",),
    )


def test_the_table(result: TrainResult) -> None:
    text = render(build_result_table(result))
    assert "Net on SYNTHETIC images, not CIFAR-10, recipe fast, seed 7" in text
    assert "3,000 training and 500 held-out images" in text
    assert "epoch 3 of 3: held-out accuracy 73.33 % (the last epoch's)" in text
    for name, share in (("cat", "50.0 %"), ("dog", "25.0 %"), ("all", "73.3 %")):
        assert any(line.startswith(name) and share in line for line in text.splitlines())
    assert "the images are synthetic" in text


def test_the_table_of_the_checks(result: TrainResult) -> None:
    checked = replace(result, metrics=(), folder=None)
    assert "every check passed" in render(build_result_table(checked))
    failed = render(build_result_table(replace(checked, findings=(FINDING,))))
    for words in ("no-gradient", "conv1", "nothing arrives", "1 check failed", "look there"):
        assert words in failed
    noted = replace(checked, findings=(replace(FINDING, severity="note"),))
    assert "no check failed" in render(build_result_table(noted))


def test_the_document(result: TrainResult) -> None:
    document = encode(build_result_document(replace(result, findings=(FINDING,))))
    jsonschema.validate(document, load_schema("train"))
    assert document["schema"] == "archscope.train/1"
    assert document["synthetic"] is True
    assert document["failed"] is True
    assert document["findings"][0]["place"] == "conv1"
    assert [entry["epoch"] for entry in document["metrics"]] == [1, 2, 3]
    assert document["test_accuracy"] == document["metrics"][-1]["test_accuracy"]
    assert document["seconds"] == 12.346
    empty = encode(build_result_document(replace(result, metrics=(), folder=None)))
    jsonschema.validate(empty, load_schema("train"))
    assert (empty["run_dir"], empty["test_accuracy"], empty["class_accuracy"]) == (None, None, None)


def test_a_finding_explained() -> None:
    assert explain_finding(FINDING) == [
        "error no-gradient at conv1: nothing arrives",
        "  expected  a gradient",
        "  measured  none",
        "  remedy    look there",
    ]


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2, 6, 31, 150])
def test_curves_as_svg(epochs: int) -> None:
    pytest.importorskip("matplotlib", reason="the curves need the extra plot")
    metrics, title = make_metrics(epochs), "Net & <friends> on $CIFAR$-10 " + "x" * 200
    drawn = draw_curves(metrics, title)
    assert drawn == draw_curves(metrics, title)
    root = ElementTree.fromstring(drawn)
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert {"loss", "accuracy", "training", "held out", "epoch", "100 %"} <= set(texts)
    assert f"after epoch {epochs}: held-out accuracy {100 * metrics[-1].test_accuracy:.2f} %" in texts
    assert any(text.startswith("Net & <friends> on $CIFAR$-10 x") and text.endswith("...") for text in texts)
    assert str(epochs) in texts or epochs > 8
    # Training and held-out curves, in two panels and in the legend: told apart by dashes, whatever the colours.
    curves = [path for path in root.iter(f"{SVG}path") if "stroke-width: 1.8" in path.get("style", "")]
    assert sum("stroke-dasharray" in path.get("style", "") for path in curves) == len(curves) / 2 == 3
    for path in curves[:4]:
        points = re.findall(r"[ML] ([\d.]+) ([\d.]+)", path.get("d", ""))
        assert epochs == 1 or 2 <= len(points) <= epochs  # points that lie on a straight line are left out
        assert all(0 < float(x) < 648 and 0 < float(y) < 288 for x, y in points)
    title_of_document = root.find(f"{SVG}title")
    assert title_of_document is not None
    assert (title_of_document.text or "").startswith(title)
    assert b"<dc:date>" not in drawn


@pytest.mark.parametrize("epochs", [1, 2, 6, 150])
def test_curves_as_text(epochs: int) -> None:
    lines = chart_lines(make_metrics(epochs))
    assert all(line.isascii() and len(line) < 80 for line in lines)
    assert sum("epoch" in line for line in lines) == 2
    drawn = "".join(line.split("|", 1)[1] for line in lines if "|" in line)
    assert set(drawn) <= set("ox* ")
    assert set(drawn) - {" "}


def test_equal_losses_of_zero_are_drawn() -> None:
    flat = tuple(replace(entry, train_loss=0.0, test_loss=0.0) for entry in make_metrics(2))
    assert chart_lines(flat)


@pytest.mark.slow
def test_equal_losses_of_zero_are_drawn_as_svg() -> None:
    pytest.importorskip("matplotlib", reason="the curves need the extra plot")
    flat = tuple(replace(entry, train_loss=0.0, test_loss=0.0) for entry in make_metrics(2))
    assert draw_curves(flat, "flat")


def test_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            calls.append((folder, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            calls.append((name, value, step))

        def flush(self) -> None:
            calls.append("flush")

        def close(self) -> None:
            calls.append("close")

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    (entry,) = make_metrics(1)
    with open_events(tmp_path, 2, wanted=True) as events:
        events.write(entry)
    assert calls[0] == (str(tmp_path / "tensorboard"), 3)
    assert ("accuracy/test", entry.test_accuracy, 1) in calls
    assert ("class_accuracy/dog", 0.25, 1) in calls
    assert calls[-2:] == ["flush", "close"]
    with open_events(tmp_path, 0, wanted=False) as events:
        events.write(entry)


def test_silence() -> None:
    silent = SilentReporter()
    silent.note("")
    silent.download(1, None)
    silent.finding(FINDING)
    silent.step(StepReport(1, 30, 60, 1.0))
