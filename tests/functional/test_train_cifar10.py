"""On real images: a small VGG learns what it should, shuffled labels stay at chance, the lecture's homework completes.

The accuracies are those of images decoded from JPEG, which are not the official bytes.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import torch

import archscope
from archscope.training.curves import can_draw

pytestmark = pytest.mark.slow

NET = '''
from torch import nn


class Net(nn.Module):
    """16-16-M-32-32-M-64-64-M with BatchNorm."""

    def __init__(self, num_classes=10):
        super().__init__()
        layers, channels = [], 3
        for width in (16, 16, "M", 32, 32, "M", 64, 64, "M"):
            if width == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(64 * 4 * 4, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
'''
PAIR = ("--classes", "airplane,automobile", "--subset", "3000", "--epochs", "5", "--recipe", "fast")
TEN = ("--subset", "5000", "--epochs", "6", "--recipe", "fast")


@pytest.fixture(scope="session")
def cifar10(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared images in the official layout."""
    folder = tmp_path_factory.mktemp("cifar10")
    script = shared_dir / "data" / "unpack_cifar10.py"
    done = subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the images cannot be unpacked: {done.stderr.strip().splitlines()[-1]}")
    return folder


def start(folder: Path, data: Path, target: str, *words: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.py").write_text(NET)
    command = [sys.executable, "-m", "archscope", "train", target, "--data", str(data), "--run-dir", "run", *words]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def train(folder: Path, data: Path, target: str, *words: str) -> tuple[int, float, str]:
    """Exit code, last held-out accuracy, and what was said on stderr."""
    process = start(folder, data, target, *words)
    _, err = process.communicate(timeout=3000)
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    return process.returncode, json.loads(lines[-1])["test_accuracy"], err


def hash_weights(folder: Path) -> str:
    state = torch.load(folder / "last.pt", weights_only=True)
    digest = sha256()
    for name, tensor in state["model"].items():
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_airplane_against_automobile(seed: str, cifar10: Path, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, accuracy, err = train(tmp_path, cifar10, "net.py:Net", *PAIR, "--seed", seed)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == 0, err
    assert accuracy >= 0.85
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60


def test_ten_classes(cifar10: Path, tmp_path: Path) -> None:
    code, accuracy, err = train(tmp_path, cifar10, "net.py:Net", *TEN)
    assert code == 0, err
    assert accuracy >= 0.55


@pytest.mark.parametrize(("words", "most"), [(PAIR, 0.65), (TEN, 0.16)], ids=["pair", "ten"])
def test_shuffled_labels_stay_at_chance_and_are_named(
    words: tuple[str, ...], most: float, cifar10: Path, tmp_path: Path
) -> None:
    code, accuracy, err = train(tmp_path, cifar10, "net.py:Net", *words, "--shuffle-labels")
    assert code in (0, 1), err
    assert accuracy < most
    assert "error labels-shuffled" in err or "warning at-chance" in err


@pytest.mark.parametrize("name", ["vgg19_cifar", "vgg19_cifar_bn", "resnet34_cifar"])
def test_the_homework_and_kill_9(name: str, cifar10: Path, tmp_path: Path) -> None:
    words = ("--epochs", "2", "--subset", "200", "--test-subset", "50", "--batch-size", "50")
    code, _, err = train(tmp_path / "whole", cifar10, name, *words)
    assert code == 0, err
    process = start(tmp_path / "cut", cifar10, name, *words, "--no-check")
    run = tmp_path / "cut" / "run"
    while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 1
    code, _, err = train(tmp_path / "cut", cifar10, name, "--resume")
    assert code == 0, err
    assert hash_weights(run) == hash_weights(tmp_path / "whole" / "run")
    if can_draw():
        assert (run / "curves.svg").read_text() == (tmp_path / "whole" / "run" / "curves.svg").read_text()
