"""`archscope verify` as people type it: output in every format, exit codes, and the whole ledger in time."""

import csv
import json
import os
import time
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archscope.cli.app import main
from archscope.core.documents import load_schema
from archscope.models import googlenet

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: str, code: int = 0) -> str:
    assert main(["verify", *words]) == code
    return capsys.readouterr().out


def test_everything_in_time_and_true_to_its_schema(capsys: Capture) -> None:
    start = time.perf_counter()
    document: Any = json.loads(run(capsys, "--format", "json"))
    assert time.perf_counter() - start < 30  # 10 s on a machine that does nothing else
    jsonschema.validate(document, load_schema("verify"))
    facts = {fact["id"]: fact for fact in document["facts"]}
    assert len(facts) == 814
    assert list(facts["googlenet.conv1.params"])[:7] == [
        *("id", "published", "measured", "measured_value", "verdict", "arithmetic", "explanation")
    ]
    assert facts["googlenet.conv1.params"]["measured_value"] == 9408
    assert facts["cs231n.conv1.output_shape"]["measured_value"] == [55, 55, 96]
    assert facts["vgg.t3.A.top1_error"]["measured_value"] is None
    assert sum(fact["check"] == "trace" and fact["measured_value"] is not None for fact in facts.values()) >= 430


@pytest.mark.skipif(find_spec("torchvision") is None, reason="three of the figures are torchvision's")
def test_golden(capsys: Capture, repository: Path) -> None:
    """To write the file anew after a change that was meant: ARCHSCOPE_WRITE_GOLDEN=1."""
    text = run(capsys, "googlenet", "--format", "plain")
    path = repository / "tests" / "golden" / "verify_googlenet.plain"
    if os.environ.get("ARCHSCOPE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")


def test_csv_has_a_line_for_every_figure(capsys: Capture) -> None:
    rows = list(csv.DictReader(StringIO(run(capsys, "krizhevsky2012", "--format", "csv"))))
    assert len(rows) == 67
    found = {row["id"]: row for row in rows}
    assert found["alexnet.neurons.conv1"]["verdict"] == "wrong"
    assert "253,440" in found["alexnet.neurons.conv1"]["explanation"]


def test_only_some_verdicts(capsys: Capture) -> None:
    rows = list(csv.DictReader(StringIO(run(capsys, "vgg", "--verdict", "not-recomputable", "--format", "csv"))))
    assert {row["verdict"] for row in rows} == {"not recomputable"}
    document = json.loads(run(capsys, "lab-10-6-1", "--verdict", "WRONG", "--format", "json"))
    assert {fact["id"] for fact in document["facts"]} == {"lab1061.syntax", "lab1061.mode", "lab1061.basic.comment"}


@pytest.mark.parametrize(("word", "start"), [("md", "**Published"), ("tex", "% Published"), ("github", "::notice")])
def test_other_formats(capsys: Capture, word: str, start: str) -> None:
    assert run(capsys, "lab-10-5-1", "--format", word).startswith(start)


def test_a_file(capsys: Capture, tmp_path: Path) -> None:
    assert run(capsys, "lab-10-5-1", "-o", str(tmp_path / "v.json")) == ""
    assert json.loads((tmp_path / "v.json").read_text())["schema"] == "archscope.verify/1"
    run(capsys, "lab-10-5-1", "--format", "github", "-o", str(tmp_path / "v.txt"))
    assert (tmp_path / "v.txt").read_text().startswith("::notice")


def test_a_figure_without_an_explanation_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(googlenet.TABLE_1, "3a", googlenet.InceptionRow(32, 96, 128, 16, 32, 32))
    assert main(["verify", "googlenet.3a"]) == 1
    out, err = capsys.readouterr()
    assert "no explanation is known" in out
    assert "googlenet.3a.output_size" in err


def test_the_help_states_the_rules(capsys: Capture) -> None:
    told = " ".join(run(capsys, "--help").split())
    assert "rounded half up to the last printed digit" in told
    assert "less than one unit of the last printed digit away" in told
    assert "exit code is 0 whatever the papers printed" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["googlnet"], "did you mean googlenet"),
        (["googlenet", "--verdict", "rong"], "did you mean wrong?"),
        (["googlenet", "--input", "32"], "--counters and --against only"),
        (["--counters", "resnet20", "--verdict", "wrong"], "--counters goes with neither"),
        (["--counters", "resnet19"], "did you mean"),
        (["googlenet", "--format", "yaml"], "unknown format"),
    ],
)
def test_mistakes(words: list[str], told: str, capsys: Capture) -> None:
    assert main(["verify", *words]) == 2
    assert told in capsys.readouterr().err


def test_counters(capsys: Capture) -> None:
    text = run(capsys, "--counters", "resnet20", "--format", "plain")
    assert "torchinfo" in text
    document = json.loads(run(capsys, "--counters", "resnet20", "--input", "64", "--format", "json"))
    assert document["models"][0]["input"] == "1x3x64x64"


def test_the_schema_is_reachable(capsys: Capture) -> None:
    assert main(["schema", "verify"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "archscope.verify/1"
