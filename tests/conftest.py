"""What every test may ask for."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# Models take as long as they take, and a failure seen once must be seen again.
settings.register_profile("archscope", deadline=None, derandomize=True)
settings.load_profile("archscope")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository that these tests belong to."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with published figures and data, which is no part of the repository: skips where it is absent."""
    named = os.environ.get("ARCHSCOPE_SHARED")
    folder = Path(named) if named else REPOSITORY.parent / "shared"
    if not (folder / "facts").is_dir():
        pytest.skip(f"no published figures in {folder}; name their folder in ARCHSCOPE_SHARED")
    return folder


MEMORY_PROBE = """
import re, torch

def read_status(field):
    with open("/proc/self/status") as file:
        return 1024 * int(re.search(rf"^{field}:\\s+(\\d+) kB", file.read(), re.MULTILINE)[1])

before = read_status("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # from here on, VmHWM is the peak
"""


@pytest.fixture
def measure_memory(tmp_path: Path) -> Callable[[str], tuple[list[int], int]]:
    """A function that runs code in a process of its own, and returns the integers printed and the bytes it grew by.

    What importing torch takes does not count. The peak is the kernel's VmHWM, which belongs to the new process alone;
    a child's ru_maxrss starts at the peak of the process that started it.
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("reads the peak of memory from Linux's /proc")
    import archscope

    environment = os.environ | {"PYTHONPATH": str(Path(archscope.__file__).parents[1])}

    def measure(code: str) -> tuple[list[int], int]:
        probe = f'{MEMORY_PROBE}\n{code}\nprint(read_status("VmHWM") - before)'
        command = [sys.executable, "-P", "-c", probe]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        *printed, grown_bytes = map(int, re.findall(r"\d+", done.stdout))
        return printed, grown_bytes

    return measure
