"""Two processes under torchrun, connected by gloo, train what one process trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import archscope

pytestmark = pytest.mark.slow

NET = """
from torch import nn

def net(num_classes=10):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 49, num_classes),
    )
"""
WORDS = (
    *("--data", "synthetic", "--subset", "330", "--test-subset", "100", "--epochs", "2", "--recipe", "lecture-resnet"),
    *("--lr", "0.01", "--batch-size", "32", "--format", "json", "--device", "cpu"),
)


def run(tmp_path: Path, launcher: list[str], folder: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    (tmp_path / "net.py").write_text(NET)
    command = [sys.executable, "-m", *launcher, "archscope", "train", "net.py:net", *WORDS, "--run-dir", folder, *words]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


TORCHRUN = ["torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--standalone", "-m"]


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    state = torch.load(path / "last.pt", weights_only=True)
    weights: dict[str, torch.Tensor] = state["model"]
    return weights


def test_two_processes_equal_one(tmp_path: Path) -> None:
    one = run(tmp_path, [], "one")
    assert one.returncode == 0, one.stderr
    two = run(tmp_path, TORCHRUN, "two")
    assert two.returncode == 0, two.stderr
    assert two.stdout.count('"schema"') == 1
    assert two.stderr.count("epoch 2/2") == 1
    single, double = read_weights(tmp_path / "one"), read_weights(tmp_path / "two")
    for name, tensor in single.items():
        torch.testing.assert_close(double[name], tensor, rtol=1e-3, atol=1e-5)
    assert '"processes": 2' in (tmp_path / "two" / "environment.json").read_text()


def test_two_processes_go_on(tmp_path: Path) -> None:
    first = run(tmp_path, TORCHRUN, "two", "--epochs", "1", "--no-check")
    assert first.returncode == 0, first.stderr
    second = run(tmp_path, TORCHRUN, "two", "--resume")
    assert second.returncode == 0, second.stderr
    assert "resuming after epoch 1 of 2" in second.stderr
    whole = run(tmp_path, TORCHRUN, "whole", "--no-check")
    assert whole.returncode == 0, whole.stderr
    resumed, straight = read_weights(tmp_path / "two"), read_weights(tmp_path / "whole")
    assert all(torch.equal(resumed[name], tensor) for name, tensor in straight.items())


def test_a_fault_stops_both(tmp_path: Path) -> None:
    faulty = NET.replace("num_classes),", "num_classes), nn.Softmax(1),")
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    (tmp_path / "net.py").write_text(faulty)
    command = [sys.executable, "-m", *TORCHRUN, "archscope", "train", "net.py:net", *WORDS, "--run-dir", "faulty"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 1
    assert "bounded-scores" in done.stderr
    assert not (tmp_path / "faulty").exists()
