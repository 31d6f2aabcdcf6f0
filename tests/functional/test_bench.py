"""`archscope bench` as people type it, on the CPU: short times, so that figures mean nothing here."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from archscope.cli.app import main
from archscope.core.documents import load_schema

NETS = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, stride=2)
        self.fc = nn.Linear(16 * 16 * 16, num_classes)

    def forward(self, x):
        return self.fc(self.conv(x).relu().flatten(1))

class Cut(Small):
    def forward(self, x):
        return self.fc(self.conv(x).detach().relu().flatten(1))

class Misfit(Small):
    def forward(self, x):
        return self.fc(x.flatten(1))

class Stopped(Small):
    def forward(self, x):
        raise KeyboardInterrupt
"""
WORDS = ("--device", "cpu", "--threads", "1", "--seconds", "0.2")

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def nets(tmp_path: Path) -> str:
    path = tmp_path / "nets.py"
    path.write_text(NETS, encoding="utf-8")
    return str(path)


def run(capsys: Capture, *words: str, code: int = 0) -> str:
    assert main(["bench", *words]) == code
    return capsys.readouterr().out


def tell(capsys: Capture, *words: str, code: int) -> str:
    """What is said on standard error."""
    assert main(["bench", *words]) == code
    return capsys.readouterr().err


def test_json_keeps_to_its_schema(capsys: Capture) -> None:
    document: Any = json.loads(run(capsys, "resnet20", *WORDS, "--layers", "--format", "json"))
    jsonschema.validate(document, load_schema("bench"))
    (target,) = document["targets"]
    assert (document["device"], document["threads"], target["batch"]) == ("cpu", 1, 1)
    assert target["macs"] == 40_551_040  # He et al.'s resnet20 with projections as the catalogue has it
    assert len(target["step_ms"]["samples"]) >= 3
    # At least parameters, gradients and momentum.
    assert target["peak_memory_bytes"] > 3 * 4 * 269_722
    assert {"conv1", "(loss)"} <= {layer["path"] for layer in target["layers"]} | {"conv1"}
    assert sum(layer["macs"] or 0 for layer in target["layers"]) == target["macs"]


def test_inference_has_no_backward(capsys: Capture, nets: str) -> None:
    words = (f"{nets}:Small", "--input", "32", "--batch", "4", "--inference", *WORDS)
    (target,) = json.loads(run(capsys, *words, "--format", "json"))["targets"]
    assert target["backward_ms"] is None
    assert target["step_ms"] is None
    assert target["images_per_second"] == pytest.approx(4e3 / target["forward_ms"]["median"], rel=1e-3)
    rows = list(csv.DictReader(StringIO(run(capsys, *words, "--format", "csv"))))
    assert rows[0]["batch"] == "4"


def test_one_that_fails_is_a_row(capsys: Capture, nets: str) -> None:
    out = run(capsys, f"{nets}:Misfit", f"{nets}:Small", "--input", "32", *WORDS, "--format", "json", code=3)
    failed, fine = json.loads(out)["targets"]
    assert "mat1 and mat2" in failed["failure"]
    assert fine["failure"] is None
    assert fine["step_ms"]["median"] > 0


def test_ctrl_c_prints_what_there_is(capsys: Capture, nets: str) -> None:
    words = (f"{nets}:Small", f"{nets}:Stopped", "--input", "32", *WORDS, "--format", "json")
    document = json.loads(run(capsys, *words, code=130))
    assert document["interrupted"]
    assert document["targets"][0]["step_ms"]["median"] > 0


def test_variants_take_turns(capsys: Capture, nets: str) -> None:
    out = run(capsys, f"{nets}:Small", "--input", "32", "--dtype", "fp32,bf16", "--channels-last", *WORDS)
    assert "cpu bf16" in out
    assert "cpu fp32" in out


def test_training_verdicts(capsys: Capture, nets: str) -> None:
    words = (f"{nets}:Small", f"{nets}:Cut", "--input", "32", *WORDS, "--train", "20", "--format", "json")
    good, broken = (item["training"] for item in json.loads(run(capsys, *words, code=1))["targets"])
    assert good["verdict"] == "pass"
    assert good["synthetic"]
    assert good["end_loss"] < good["start_loss"]
    assert broken["verdict"] == "fail"
    assert "no-gradient at conv" in broken["reason"]


def test_an_older_run_is_compared(capsys: Capture, nets: str, tmp_path: Path) -> None:
    words = (f"{nets}:Small", "--input", "32", *WORDS)
    old = tmp_path / "old.json"
    run(capsys, *words, "-o", str(old))
    assert "against" in run(capsys, *words, "--compare", str(old))
    document = json.loads(run(capsys, *words, "--compare", str(old), "--format", "json"))
    jsonschema.validate(document, load_schema("bench"))
    assert len(document["compared"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("nosuchnet", "--device", "cpu"),
        ("resnet20", "--device", "gpu"),
        ("resnet20", "--device", "cpu:7"),
        ("resnet20", "--device", "cpu", "--dtype", "fp8"),
        ("resnet20", "--device", "cpu", "--dtype", "tf32"),
        ("resnet20", "--device", "cpu", "--batch", "auto"),
        ("resnet20", "--device", "cpu", "--batch", "0"),
        ("resnet20", "--device", "cpu", "--layers", "--compile"),
        ("resnet20", "--device", "cpu", "--data", "synthetic"),
        ("resnet20", "--device", "cpu", "--compare", "absent.json"),
        ("--device", "cpu", "--input", "32"),
    ],
)
def test_wrong_words_exit_2(capsys: Capture, words: tuple[str, ...]) -> None:
    assert main(["bench", *words]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_exit_code_tells_whose_fault_it_is(capsys: Capture, nets: str) -> None:
    # Nothing says what Small takes; Misfit raises on what it is given.
    assert "does not say what input it takes" in run(capsys, f"{nets}:Small", *WORDS, code=2)
    assert "not measured: absent.py:Net" in tell(capsys, "absent.py:Net", *WORDS, code=2)
    run(capsys, f"{nets}:Misfit", "--input", "32", *WORDS, code=3)
    assert "absent.py:Net" in tell(capsys, f"{nets}:Misfit", "absent.py:Net", "--input", "32", *WORDS, code=3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_no_cuda_names_what_is_there(capsys: Capture) -> None:
    assert main(["bench", "resnet20", "--device", "cuda"]) == 2
    assert "available: cpu (" in capsys.readouterr().err
