"""What every test may ask for."""

import os
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
