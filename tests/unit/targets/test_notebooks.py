"""Notebooks without Jupyter: magics, cells, and what each mistake says."""

import inspect
import json
import linecache
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from archscope.core.errors import TargetError, UnknownNameError
from archscope.targets.from_notebook import read_cells, strip_magics
from archscope.targets.resolve import resolve_target

NET = (
    "class Net(nn.Module):\n    def __init__(self, width=2):\n        super().__init__()\n"
    "        self.width = width\n\n"
    "    def forward(self, x):\n        return x"
)


def write(folder: Path, *cells: str, **metadata: Any) -> Path:
    path = folder / "lab.ipynb"
    listed = [{"cell_type": "code", "source": cell, "outputs": []} for cell in cells]
    document = {"cells": listed, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("x = 1\n", "x = 1\n"),
        ("%time x = 1\nx = 2", "pass\nx = 2"),
        ("!pip install a \\\n   b\nx = 2", "pass\n\nx = 2"),
        ("if 1:\n    !ls\n", "if 1:\n    pass\n"),
        ("net?\nx = 2", "pass\nx = 2"),
        ("%%time\nx = 2", "\nx = 2"),
        ("%%bash\nls\necho", "\n\n"),
        ("files = !ls", "files = None  # ls"),
        ("x = (7\n  % 4)", "x = (7\n  % 4)"),
    ],
)
def test_lines_of_ipython_are_skipped_line_for_line(source: str, python: str) -> None:
    assert strip_magics(source) == python


def test_the_cells_before_are_run_and_those_after_are_not(tmp_path: Path) -> None:
    path = write(tmp_path, "from torch import nn\ndisplay(nn)", NET, "raise ValueError", NET.replace("2", "9"))
    target = resolve_target(f"{path}:Net", {"width": 4})
    module = target.build()
    assert isinstance(module, nn.Module)
    assert module.width == 4
    assert any("up to code cell 2" in note for note in target.notes)
    assert any("defined again in code cell 4" in note for note in target.notes)


def test_its_lines_can_be_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "from torch import nn", NET)
    forward = type(resolve_target(f"{path}:Net", {}).build()).forward
    file = forward.__code__.co_filename
    assert file == f"{path}#cell-2"
    assert linecache.getline(file, 6) == "    def forward(self, x):\n"
    assert "return x" in inspect.getsource(forward)


def test_a_failing_cell_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "x = 1", "y = 2\n1 / 0", "net = 1")
    with pytest.raises(TargetError, match=r"lab\.ipynb, code cell 2, line 2 raised ZeroDivisionError"):
        resolve_target(f"{path}:net", {})
    path = write(tmp_path, "x = (", "net = 1")
    with pytest.raises(TargetError, match=r"code cell 1, line 1 raised SyntaxError"):
        resolve_target(f"{path}:net", {})


def test_names_that_no_cell_defines_run_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "raise ValueError", "from torch import nn\n" + NET)
    with pytest.raises(UnknownNameError) as caught:
        resolve_target(f"{path}:Nett", {})
    assert caught.value.suggestions == ("Net",)
    with pytest.raises(TargetError, match="code cell 1, line 1 raised ValueError") as named:
        resolve_target(str(path), {})
    assert "it defines Net" in named.value.remedy


def test_a_star_import_may_bring_the_name(tmp_path: Path) -> None:
    (tmp_path / "shapes_of_tests.py").write_text("from torch import nn\n" + NET, encoding="utf-8")
    path = write(tmp_path, "from shapes_of_tests import *", "raise ValueError")
    assert resolve_target(f"{path}:Net", {}).build().width == 2


def test_notebooks_of_other_kinds(tmp_path: Path) -> None:
    path = write(tmp_path, NET, kernelspec={"name": "ir"})
    with pytest.raises(TargetError, match="a notebook of ir, not of Python"):
        resolve_target(f"{path}:Net", {})
    path.write_text('{"worksheets": []}', encoding="utf-8")
    with pytest.raises(TargetError, match="not a notebook that can be read") as caught:
        resolve_target(f"{path}:Net", {})
    assert "save it again" in caught.value.remedy
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(TargetError, match="not a notebook"):
        resolve_target(f"{path}:Net", {})


@pytest.mark.parametrize(
    "metadata",
    [None, [], "x", 7, True, {"kernelspec": "python3"}, {"language_info": ["python"]}, {"kernelspec": {"name": None}}],
    ids=str,
)
def test_metadata_of_another_form_say_nothing_of_the_language(tmp_path: Path, metadata: object) -> None:
    path = tmp_path / "net.ipynb"
    cells = [{"cell_type": "code", "source": ["x = 1\n"]}]
    path.write_text(json.dumps({"cells": cells, "metadata": metadata}))
    if metadata == {"kernelspec": {"name": None}}:
        with pytest.raises(TargetError, match="a notebook of None, not of Python"):
            read_cells(path)
    else:
        assert [cell.source for cell in read_cells(path)] == ["x = 1\n"]


@pytest.mark.parametrize("source", [None, 3, [1], [None], {"a": [1]}, True])
def test_sources_of_another_form_are_refused(tmp_path: Path, source: object) -> None:
    path = tmp_path / "net.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source}], "metadata": {}}))
    if isinstance(source, dict):  # keys are words, which join
        assert read_cells(path)
    else:
        with pytest.raises(TargetError, match="is not a notebook that can be read"):
            read_cells(path)
