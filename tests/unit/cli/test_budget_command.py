"""`archscope budget`: limits, baselines, formats and exit codes."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import archscope
from archscope.cli.app import main
from archscope.core.documents import load_schema
from archscope.core.errors import UsageError
from archscope.core.words import parse_count

# vgg of one convolution of N channels, a pool, and nothing behind: 9 * 3 * N + N parameters.
CFG = ["--arg", "cfg=8,M", "--arg", "classifier=none", "--input", "8"]
PARAMS = 9 * 3 * 8 + 8
MACS = 8 * 8 * 8 * 27


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str) -> tuple[int, str, str]:
        code = main(["budget", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def save(path: Path, channels: int = 8) -> str:
    words = ["trace", "vgg", "--arg", f"cfg={channels},M", "--arg", "classifier=none", "--input", "8", "-o", str(path)]
    assert main(words) == 0
    return str(path)


def test_a_kept_budget_exits_0_and_says_how_much_is_used(run: Any) -> None:
    code, out, _ = run("vgg", *CFG, "--max-params", "448", "--max-macs", "1M")
    assert code == 0
    assert out.splitlines() == [
        "ok: params 224 within the budget of 448 (50.0 %)",
        "ok: macs 13,824 within the budget of 1,000,000 (1.4 %)",
    ]
    assert (PARAMS, MACS) == (224, 13824)


def test_a_broken_budget_exits_1_with_one_line_each(run: Any) -> None:
    code, out, _ = run("vgg", *CFG, "--max-params", "200", "--max-macs", "10k", "--max-activations", "1")
    assert code == 1
    errors = [line for line in out.splitlines() if line.startswith("error:")]
    assert errors == [
        "error: params 224 exceed the budget of 200 by 24",
        "error: macs 13,824 exceed the budget of 10,000 by 3,824",
        "error: activations 512 exceed the budget of 1 by 511",
    ]
    assert "largest: 0 224" in out


def test_one_added_channel_breaks_the_baseline_and_the_layer_is_named(run: Any, tmp_path: Path) -> None:
    baseline = save(tmp_path / "baseline.json", 8)
    code, out, _ = run("vgg", "--arg", "cfg=9,M", "--arg", "classifier=none", "--input", "8", "--baseline", baseline)
    assert code == 1
    assert "params grew by 28, from 224 to 252: 0 +28" in out
    assert "macs grew by 1,728, from 13,824 to 15,552: 0 +1,728" in out


def test_the_same_model_and_allowed_growth_keep_the_baseline(run: Any, tmp_path: Path) -> None:
    baseline = save(tmp_path / "baseline.json", 8)
    assert run("vgg", *CFG, "--baseline", baseline)[0] == 0
    wider = ("vgg", "--arg", "cfg=9,M", "--arg", "classifier=none", "--input", "8", "--baseline", baseline)
    assert run(*wider, "--tolerance", "12.5")[0] == 0
    assert run(*wider, "--tolerance", "12")[0] == 1


def test_new_layers_are_named_as_new(run: Any, tmp_path: Path) -> None:
    baseline = save(tmp_path / "baseline.json", 8)
    deeper = ("vgg", "--arg", "cfg=8,8,M", "--arg", "classifier=none", "--input", "8", "--baseline", baseline)
    code, out, _ = run(*deeper)
    assert code == 1
    assert f"params grew by {8 * 8 * 9 + 8}, from 224 to 808: 2 +584 (new)" in out


def test_a_saved_trace_is_a_target(run: Any, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved.json", 8)
    assert run(saved, "--max-params", "1K", "--baseline", saved)[0] == 0
    assert run(saved, "--max-params", "223")[0] == 1


def test_json_and_github_formats(run: Any) -> None:
    code, out, _ = run("vgg", *CFG, "--max-params", "200", "--format", "json")
    document = json.loads(out)
    jsonschema.validate(document, load_schema("budget"))
    assert (code, document["kept"]) == (1, False)
    assert document["checks"][0] | {"finding": None} == {
        "quantity": "params",
        "measured": 224,
        "limit": 200,
        "against": "maximum",
        "finding": None,
    }
    code, out, _ = run("vgg", *CFG, "--max-params", "200", "--format", "github")
    assert out == "::error title=budget-params::params 224 exceed the budget of 200 by 24\n"


@pytest.mark.parametrize(
    "words",
    [
        ("vgg11",),
        ("vgg11", "--max-params", "5Q"),
        ("vgg11", "--max-params", "-5"),
        ("vgg11", "--max-params", "5M", "--format", "yaml"),
        ("vgg11", "--baseline", "nowhere.json"),
        ("vgg12", "--max-params", "5M"),
    ],
)
def test_wrong_words_exit_2(run: Any, words: tuple[str, ...]) -> None:
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("5M", 5_000_000),
        ("1.5G", 1_500_000_000),
        ("600_000", 600_000),
        ("138,357,544", 138_357_544),
        ("2k", 2000),
        ("7", 7),
        ("0.3b", 300_000_000),
    ],
)
def test_counts_are_read_exactly(word: str, count: int) -> None:
    assert parse_count(word) == count


@pytest.mark.parametrize("word", ["", "M", "5MB", "1.2.3M", "five", "5 M M"])
def test_what_is_no_count_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        parse_count(word)


@pytest.mark.parametrize("digits", [400, 4300, 5000])
def test_a_number_that_counts_nothing_is_refused(run: Any, digits: int) -> None:
    code, out, err = run("vgg", *CFG, "--max-macs", "9" * digits)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: --max-macs '{'9' * 37}")
    with pytest.raises(UsageError, match="max_macs cannot be a number above"):
        archscope.budget("vgg11", max_macs=10 ** (digits + 12))
    assert run("vgg", *CFG, "--max-macs", "9" * 36 + "T")[0] == 0


@pytest.mark.parametrize("word", ["inf", "nan", "1e308", "1000001", "-1"])
def test_a_tolerance_that_is_none_is_refused(run: Any, tmp_path: Path, word: str) -> None:
    saved = save(tmp_path / "saved.json", 8)
    code, out, err = run("vgg", *CFG, "--baseline", saved, "--tolerance", word)
    assert (code, out) == (2, "")
    assert "tolerance" in err
    assert run("vgg", *CFG, "--baseline", saved, "--tolerance", "1e6")[0] == 0


@pytest.mark.parametrize("option", ["--max-params", "--max-macs", "--max-activations"])
@pytest.mark.parametrize("word", ["2.3", ".5", "2.3456K", "1.0000001M", "0.0000000001G"])
def test_a_part_of_one_is_no_limit(run: Any, option: str, word: str) -> None:
    code, out, err = run("vgg", *CFG, option, word)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {option} {word!r} is no whole number\n")
    assert "5M" in err


@pytest.mark.parametrize(("word", "count"), [("2.3M", 2_300_000), ("5.0", 5), ("2.345K", 2345), (".5k", 500)])
def test_a_fraction_of_a_unit_is_a_whole_number(word: str, count: int) -> None:
    assert parse_count(word) == count


NET = """import torch
from torch import nn


def widen(c):
    return 2 * c


class Net(nn.Module):
    def __init__(self, c=4):
        super().__init__()
        self.first = nn.Linear(3, c)
        self.second = nn.Linear(c, 2)

    def forward(self, x):
        x = self.first(x)
        return self.second(x)


def make():
    return nn.Sequential(nn.Linear(3, 4))


ready = nn.Linear(3, 4)
instance: nn.Module = Net(8)
"""
CLASS, FIRST, FACTORY, READY = (
    1 + NET.splitlines().index(line)
    for line in ("class Net(nn.Module):", "        x = self.first(x)", "def make():", "ready = nn.Linear(3, 4)")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.py").write_text(NET, encoding="utf-8")
    cells = [{"cell_type": "code", "source": NET.splitlines(keepends=True), "metadata": {}, "outputs": []}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "net.ipynb").write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("target", "line"),
    [("Net", CLASS), ("make", FACTORY), ("ready", READY), ("instance", CLASS)],
)
def test_github_is_told_file_and_line(run: Any, folder: Path, target: str, line: int) -> None:
    for text in (f"models/net.py:{target}", f"{folder}/models/net.py:{target}", f"models.net:{target}"):
        code, out, _ = run(text, "--input", "2x3", "--max-params", "1", "--format", "github")
        assert code == 1
        assert out.startswith(f"::error file=models/net.py,line={line},title=budget-params::params ")


def test_github_of_a_notebook_has_the_line_of_its_file(run: Any, folder: Path) -> None:
    lines = (folder / "net.ipynb").read_text(encoding="utf-8").splitlines()
    (line,) = [number for number, text in enumerate(lines, start=1) if "class Net" in text]
    _, out, _ = run("net.ipynb:Net", "--input", "2x3", "--max-params", "1", "--format", "github")
    assert out.startswith(f"::error file=net.ipynb,line={line},title=budget-params::")


def test_github_is_told_the_call_of_the_layer_that_grew(run: Any, folder: Path) -> None:
    words = ["models/net.py:Net", "--input", "2x3"]
    assert main(["trace", *words, "-o", "old.json"]) == 0
    code, out, _ = run(*words, "--arg", "c=5", "--baseline", "old.json", "--format", "github")
    assert code == 1
    # One unit more: 3 + 1 parameters and 2 * 3 MACs in the first layer, 2 and 2 * 2 in the second.
    assert [*out.splitlines()] == [
        f"::error file=models/net.py,line={FIRST},title=baseline-{told}"
        for told in (
            "params::params grew by 6, from 26 to 32: first +4, second +2",
            "macs::macs grew by 10, from 40 to 50: first +6, second +4",
        )
    ]
    # A saved trace knows where its forward ran.
    _, out, _ = run("old.json", "--max-params", "1", "--format", "github")
    assert out.startswith(f"::error file=models/net.py,line={FIRST},title=budget-params::")


def test_github_is_told_that_all_holds(run: Any, folder: Path) -> None:
    words = ["--max-params", "52", "--max-macs", "80", "--format", "github"]
    code, out, _ = run("models/net.py:Net", "--input", "2x3", *words)
    told = "params 26 within the budget of 52 (50.0 %25); macs 40 within the budget of 80 (50.0 %25)"
    assert (code, out) == (0, f"::notice file=models/net.py,line={CLASS},title=budget::all budgets hold: {told}\n")
    code, out, _ = run("vgg", *CFG, "--max-params", "448", "--format", "github")
    assert out == "::notice title=budget::all budgets hold: params 224 within the budget of 448 (50.0 %25)\n"
    assert code == 0


def test_other_formats_are_as_they_were(run: Any, folder: Path) -> None:
    code, out, _ = run("models/net.py:Net", "--input", "2x3", "--max-params", "1")
    assert code == 1
    assert out.startswith("error: params 26 exceed the budget of 1 by 25\n")


@pytest.mark.parametrize("chosen", ["table", "plain", "json", "github", "md", "csv"])
def test_macs_that_are_not_known_break_a_budget_in_every_format(run: Any, folder: Path, chosen: str) -> None:
    (folder / "waves.py").write_text(
        "import torch\nclass Waves(torch.nn.Module):\n    def forward(self, x):\n"
        "        return torch.fft.fft(x).abs()\n"
    )
    code, out, err = run("waves.py:Waves", "--input", "2x3", "--max-macs", "5M", "--format", chosen)
    assert (code, any(word in out for word in ("not known in full", "broken"))) == (1, True), err
