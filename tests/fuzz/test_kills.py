"""Trainings that are killed, at any moment and at any call that touches a file, go on to the very same files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import archscope

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its trainings")
def test_200_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("kill_runs.py")), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        sys.stdout.write(f"\n{answer['counts']}\n")
    assert answer["faults"] == []
    assert answer["counts"].get("equal", 0) + answer["counts"].get("refused", 0) == 200
    killed = sum(count for name, count in answer["counts"].items() if name.endswith(": killed"))
    assert killed >= 200
