"""The examples that train run as they stand, on made-up images."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import archscope

pytestmark = pytest.mark.slow


def test_plain_against_residual(repository: Path, tmp_path: Path) -> None:
    script = repository / "examples" / "plain_against_residual.py"
    words = ["--data", "synthetic", "--epochs", "1", "--subset", "100", "--test-subset", "50"]
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    for _ in range(2):  # the second time, every run is there
        done = subprocess.run(
            [sys.executable, str(script), *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "plain: 56 layers against 20, error" in done.stdout
        assert "SYNTHETIC" in done.stdout
    assert (tmp_path / "runs" / "plain_against_residual" / "errors.svg").read_text().count("<polyline") == 4
    assert "epoch 1 of 1" not in done.stderr
