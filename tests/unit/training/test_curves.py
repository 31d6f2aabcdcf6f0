"""Whether curves can be drawn, and what is said where they cannot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archscope.training.curves import can_draw, find_fault, find_obstacle


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As in a process that has not looked for matplotlib yet."""
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    find_fault.cache_clear()
    yield monkeypatch
    find_fault.cache_clear()


def test_a_broken_matplotlib_is_named(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise ImportError('numpy.core.multiarray failed to import')")
    fresh.syspath_prepend(tmp_path)
    assert not can_draw()
    told = find_obstacle()
    assert "matplotlib is installed but cannot be imported: numpy.core.multiarray failed to import" in told
    assert told.endswith("pip install --upgrade --force-reinstall matplotlib")


def test_a_missing_matplotlib_is_named(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr("archscope.training.curves.find_spec", lambda name: None)
    assert not can_draw()
    assert find_obstacle() == "needs matplotlib: pip install 'torch-archscope[plot]'"
