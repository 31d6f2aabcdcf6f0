"""Tracing allocates no weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import archscope

MIB = 2**20
# VGG-19 has 143,667,240 parameters of four bytes: 548 MiB that must never be there.
LIMIT_BYTES = 60_000_000

PROBE = """
import re, torch

def read_status(field):
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(rf"^{field}:\\s+(\\d+) kB", file.read(), re.MULTILINE)[1])

before = read_status("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # from here on, VmHWM is the peak
import archscope
summary = archscope.trace("vgg19")
print(summary.to_dict()["totals"]["params"], read_status("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from Linux's /proc")
def test_tracing_vgg19_adds_less_than_60_mb_to_importing_torch(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1])}
    command = [sys.executable, "-P", "-c", PROBE]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    params, grown_bytes = map(int, done.stdout.split())
    assert params == 143_667_240
    assert grown_bytes < LIMIT_BYTES, f"grew by {grown_bytes / MIB:.1f} MiB"
