"""Runs that are killed, interrupted or stopped by a full disk go on to the very weights of a run that was not."""

import json
import os
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

WORDS = (
    "--data",
    "synthetic",
    "--subset",
    "400",
    "--test-subset",
    "100",
    "--threads",
    "1",
    "--no-check",
    "--epochs",
    "3",
)
TARGET = ("resnet20", "--batch-size", "50")


def start(folder: Path, *words: str, target: tuple[str, ...] = TARGET, code: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    # Whoever runs these tests in the background ignores Ctrl-C, and so would what they start.
    heed = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    call = f"import sys\n{heed}\n{code}\nfrom archscope.cli.app import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", call, "train", *target, *WORDS, "--run-dir", str(folder), *words]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=600)
    return process.returncode, err


def hash_weights(folder: Path) -> str:
    state = torch.load(folder / "last.pt", weights_only=True)
    digest = sha256()
    for name, tensor in state["model"].items():
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    code, err = finish(start(folder))
    assert code == 0, err
    return folder


def assert_same(folder: Path, whole: Path) -> None:
    assert hash_weights(folder) == hash_weights(whole)
    assert (folder / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    if can_draw():
        assert (folder / "curves.svg").read_bytes() == (whole / "curves.svg").read_bytes()
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("wait", ["config.json", "epoch 2"])
def test_kill_9_in_the_middle_of_an_epoch(wait: str, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        lines = (folder / "metrics.jsonl").read_text().count("\n") if (folder / "metrics.jsonl").exists() else -1
        if lines >= (0 if wait == "config.json" else 1):
            break
        time.sleep(0.02)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    code, err = finish(start(folder, "--resume"))
    assert code == 0, err
    assert_same(folder, whole)


def test_kill_9_in_the_middle_of_a_write(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    half = """
import os, signal
from pathlib import Path
from archscope.training import run_folder
real = run_folder.write_bytes
count = 0
def write(path, blob, remedy):
    global count
    if path.name == "last.pt":
        count += 1
        if count == 2:
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(blob[: len(blob) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
    real(path, blob, remedy)
run_folder.write_bytes = write
"""
    code, _ = finish(start(folder, code=half))
    assert code == -signal.SIGKILL
    assert (folder / ".last.pt.part").exists()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    code, err = finish(start(folder, "--resume"))
    assert code == 0, err
    assert_same(folder, whole)


def test_ctrl_c(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder)
    while not (folder / "last.pt").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    code, err = finish(process)
    assert code == 130, err
    assert "go on with --resume" in err
    assert "Traceback" not in err
    code, err = finish(start(folder, "--resume"))
    assert code == 0, err
    assert_same(folder, whole)


def test_a_disk_that_is_full(whole: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for it: the checkpoint cannot be written to its end."""
    folder = tmp_path / "run"
    code, err = finish(start(folder, "--epochs", "1"))
    assert code == 0, err
    before = hash_weights(folder)
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))"
    code, err = finish(start(folder, "--resume", code=limit))
    assert code == 2
    assert "error: cannot write" in err
    assert "last.pt" in err
    assert "--resume" in err
    assert hash_weights(folder) == before
    code, err = finish(start(folder, "--resume"))
    assert code == 0, err
    assert_same(folder, whole)


def test_an_ascii_pipe(tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(Path(archscope.__file__).parents[1]),
        "PYTHONIOENCODING": "ascii",
        "OMP_NUM_THREADS": "1",
    }
    words = ["train", "plain20", *WORDS[:-2], "--epochs", "1", "--run-dir", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-m", "archscope", *words], env=environment, capture_output=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert done.stderr.isascii()
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])["epoch"] == 1
