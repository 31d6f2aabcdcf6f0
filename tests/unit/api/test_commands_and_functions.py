"""Every command prints what its function returns: the command line goes through `archscope.api` alone."""

import json
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

import archscope
from archscope.cli.app import COMMANDS, main
from archscope.rendering.report import Report

Ask = Callable[[], Any]

CASES: list[tuple[str, Ask]] = [
    ("trace resnet18 --input 32 --depth 2", lambda: archscope.trace("resnet18", inputs="32")),
    ("trace resnet18 --arg num_classes=3 --train", lambda: archscope.trace("resnet18", num_classes=3, training=True)),
    ("table alexnet", lambda: archscope.table("alexnet")),
    ("table vgg11 --receptive --input 64", lambda: archscope.table("vgg11", receptive=True, inputs="64")),
    ("table googlenet", lambda: archscope.table("googlenet")),
    ("table ilsvrc", lambda: archscope.table("ilsvrc", style="paper")),
    ("explain alexnet conv1", lambda: archscope.explain("alexnet", "conv1")),
    ("explain vgg11 --all", lambda: archscope.explain("vgg11")),
    ("models 'vgg*'", lambda: archscope.list_models("vgg*")),
    ("verify alexnet", lambda: archscope.verify("alexnet")),
    ("verify alexnet --verdict agrees", lambda: archscope.verify("alexnet", verdicts=["agrees"])),
    ("verify --counters alexnet", lambda: archscope.compare_counters("alexnet")),
    ("fit alexnet --batch 2", lambda: archscope.fit("alexnet", batch=2)),
    ("fit alexnet --memory 4GiB --train", lambda: archscope.fit("alexnet", memory=2**32, training=True)),
    ("budget alexnet --max-params 70M", lambda: archscope.budget("alexnet", max_params=70_000_000)),
]
FORMATS = ("plain", "json", "csv", "md", "tex")
SLOW = ("verify", "fit", "explain vgg11")
"""Commands that take seconds: two formats of them are compared."""


def run(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 0, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.mark.parametrize(("line", "ask"), CASES, ids=[line for line, _ in CASES])
def test_a_command_prints_what_its_function_returns(line: str, ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in shlex.split(line) if word not in ("--depth",)]
    words = words[: words.index("2")] if line.endswith("--depth 2") else words
    answer = ask()
    assert isinstance(answer, Report)
    for word in FORMATS[:2] if line.startswith(SLOW) else FORMATS:
        assert run([*words, "--format", word], capsys) == answer.render(word), word
    assert json.loads(answer.render("json")) == json.loads(json.dumps(answer.to_dict()))


def test_a_file_holds_what_the_report_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["verify", "alexnet", "-o", str(tmp_path / "command.csv")], capsys)
    archscope.verify("alexnet").save(tmp_path / "function.csv")
    assert (tmp_path / "command.csv").read_bytes() == (tmp_path / "function.csv").read_bytes()


def test_findings_are_annotated_alike(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["budget", "alexnet", "--max-params", "1", "--format", "github"]) == 1
    report = archscope.budget("alexnet", max_params=1)
    assert capsys.readouterr().out == report.render("github")
    assert report.failed


def test_training_and_its_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "resnet20", "--epochs", "1", "--data", "synthetic", "--subset", "40", "--test-subset", "20"]
    run([*words, "--run-dir", str(tmp_path / "a"), "--no-check", "--format", "csv"], capsys)
    report = archscope.train(
        "resnet20",
        epochs=1,
        data="synthetic",
        subset=40,
        test_subset=20,
        run_dir=tmp_path / "b",
        checks=False,
    )
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in "ab"]
    assert metrics[0] == metrics[1]
    assert report.to_dict()["epochs"] == 1
    assert (
        archscope.check_training(
            torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)),
            (torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1])),
        )
        == ()
    )


def test_times_come_with_the_same_document(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "resnet20", "--device", "cpu", "--inference", "--seconds", "0.2", "--format", "json"]
    command = json.loads(run(words, capsys))
    function = archscope.benchmark("resnet20", device="cpu", inference=True, seconds=0.2).to_dict()
    assert command.keys() == function.keys()
    assert command["targets"][0].keys() == function["targets"][0].keys()
    assert command["targets"][0]["macs"] == function["targets"][0]["macs"]


def test_every_command_has_its_function() -> None:
    functions = {
        "table": archscope.table,
        "trace": archscope.trace,
        "explain": archscope.explain,
        "models": archscope.list_models,
        "schema": archscope.schema,
        "budget": archscope.budget,
        "train": archscope.train,
        "verify": archscope.verify,
        "fit": archscope.fit,
        "bench": archscope.benchmark,
    }
    assert functions.keys() == {command.name for command in COMMANDS}


def test_no_function_bears_the_name_of_a_package() -> None:
    names = [name for name in archscope.__all__ if not name.startswith("_")]
    assert [name for name in names if find_spec(f"archscope.{name}") is not None] == []


@pytest.mark.parametrize("command", COMMANDS, ids=[command.name for command in COMMANDS])
def test_every_command_ends_its_help_with_two_examples(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(command.examples) == 2
    assert main([command.name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--debug" in shown
    assert all(example.split()[1] == command.name for example in command.examples)
