"""`archscope train` as people type it: in-process, on images of 8x8."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archscope.cli import train
from archscope.cli.app import main
from archscope.cli.train import TerminalReporter
from archscope.training.data.images import Data

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(net_file: Path, loaded: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `archscope train net.py:NAME WORDS` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(words: str = "", name: str = "Net") -> int:
        return main(["train", f"net.py:{name}", "--epochs", "1", *shlex.split(words)])

    return call


Run = Callable[..., int]


def test_results_on_stdout_progress_on_stderr(run: Run, capsys: Capture) -> None:
    assert run("--run-dir r --batch-size 2") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Net on stripes, recipe fast, seed 0")
    assert "held-out accuracy" in out
    assert " o training   x held out" not in out, "one epoch is a point, not a curve"
    assert "[1,    30/30] loss:" in err
    assert "epoch 1/1  train loss" in err
    assert "checking the model" in err
    assert "red" in err
    assert Path("r/last.pt").is_file()


def test_json(run: Run, capsys: Capture) -> None:
    assert run("--format json --no-check") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "archscope.train/1"
    assert document["run_dir"] == "runs/Net-fast-1"


def test_a_file(run: Run, capsys: Capture) -> None:
    assert run("--no-check -o result.csv") == 0
    assert capsys.readouterr().out == ""
    assert Path("result.csv").read_text().startswith("class,test_accuracy")


def test_only_the_checks(run: Run, capsys: Capture) -> None:
    assert run("--check-only") == 0
    assert "every check passed" in capsys.readouterr().out
    assert run("--check-only", "Softmax") == 1
    out, err = capsys.readouterr()
    assert "bounded-scores" in out
    assert "error bounded-scores at classifier.2" in err
    assert "error: Softmax: bounded-scores" in err
    assert not Path("runs").exists()
    assert run("--check-only --format json", "Softmax") == 1
    assert json.loads(capsys.readouterr().out)["failed"] is True
    assert run("--check-only --format github", "Softmax") == 1
    assert capsys.readouterr().out.startswith("::error title=bounded-scores::the scores pass through softmax")


def test_a_fault_stops_and_no_check_goes_on(run: Run, capsys: Capture) -> None:
    assert run("--run-dir r", "Softmax") == 1
    assert "--no-check" in capsys.readouterr().err
    assert run("--run-dir r --no-check", "Softmax") == 0


@pytest.mark.parametrize("words", ["--run-dir r", "--check-only"])
def test_a_layer_that_is_not_registered_is_1_before_it_trains(words: str, run: Run, capsys: Capture) -> None:
    assert run(words, "Listed") == 1
    out, err = capsys.readouterr()
    assert "error unregistered-module at layers: layers, a plain list, holds a Linear" in err
    assert "self.layers = nn.ModuleList([...])" in out + err
    assert "epoch 1" not in err
    assert not Path("r").exists()


def test_a_loss_that_is_no_number_is_1(run: Run, capsys: Capture) -> None:
    assert run("--no-check", "Explodes") == 1
    assert "error: the loss is NaN in epoch 1" in capsys.readouterr().err


def test_a_model_that_raises_is_3(run: Run) -> None:
    assert run("", "Raises") == 3


def test_going_on(run: Run, capsys: Capture) -> None:
    assert run("--run-dir r --no-check --recipe lecture-vgg") == 0
    assert run("--run-dir r") == 2
    assert "--resume" in capsys.readouterr().err
    assert run("--run-dir r --resume --epochs 2") == 0
    assert "resuming after epoch 1 of 2" in capsys.readouterr().err


def test_every_word_arrives(run: Run, tmp_path: Path) -> None:
    words = (
        "--run-dir r --no-check --recipe lecture-resnet --as-printed --keep all --seed 7 --batch-size 16 --lr 0.01 "
        "--classes blue,red --subset 20 --test-subset 10 --shuffle-labels --input 8 --arg width=4 --device cpu "
        "--threads 1 --precision bfloat16"
    )
    assert run(words) in (0, 1)
    config = json.loads(Path("r/config.json").read_text())
    assert config["selection"] == {"classes": ["blue", "red"], "subset": 20, "test_subset": 10, "shuffle_labels": True}
    assert (config["recipe"], config["as_printed"], config["seed"]) == ("lecture-resnet", True, 7)
    assert (config["batch_size"], config["learning_rate"], config["side"]) == (16, 0.01, 8)
    assert (config["arguments"], config["threads"]) == ({"width": 4}, 1)
    assert len(list(Path("r").glob("epoch001-*.pt"))) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--keep some", "unknown word for --keep 'some'"),
        ("--precision float8", "unknown precision 'float8'"),
        ("--lr 0", "--lr 0.0 is not a learning rate"),
        ("--lr nan", "--lr nan is not a learning rate"),
        ("--recipe fats", "unknown recipe 'fats'"),
        ("--classes red", "two different classes"),
        ("--resume", "--resume needs --run-dir"),
        ("--epochs 0", "Invalid value"),
        ("--format xml", "unknown format 'xml'"),
    ],
)
def test_words_that_cannot_be_used_are_2(words: str, message: str, run: Run, capsys: Capture) -> None:
    assert run(words) == 2
    assert message in capsys.readouterr().err


def test_no_data(tmp_path: Path, capsys: Capture) -> None:
    assert main(["train", "plain20", "--data", str(tmp_path / "nothing")]) == 2
    err = capsys.readouterr().err
    assert "there is no file or folder" in err
    assert "--data synthetic" in err


def test_other_processes_are_silent(run: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from archscope.training import session

    real = session.train_target

    def silent(*words: Any, **named: Any) -> session.TrainResult:
        return replace(real(*words, **named), is_primary=False)

    monkeypatch.setattr(session, "train_target", silent)
    assert run("--no-check") == 0
    assert capsys.readouterr().out == ""


def test_the_progress_of_a_download(capsys: Capture) -> None:
    reporter = TerminalReporter()
    for done in range(0, 101 << 20, 1 << 20):
        reporter.download(done, 100 << 20)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[5] == "  50.0 MiB of 100 MiB (50 %)"
    reporter = TerminalReporter()
    for done in range(0, 101 << 20, 1 << 20):
        reporter.download(done, None)
    assert capsys.readouterr().err.splitlines()[1] == "  16.0 MiB"


def test_the_examples_of_the_help_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    for example in train.train.examples:
        assert main(shlex.split(example)[1:]) == 0, capsys.readouterr().err
        assert "SYNTHETIC" in capsys.readouterr().out


def test_the_words_need_no_torch(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(sys.modules, "archscope.training.session", None)
    assert main(["train", "--help"]) == 0
    assert "--check-only" in capsys.readouterr().out
