"""What a target's code imports, and what is left of it afterwards."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from torch import nn

from archscope.core.errors import TargetError
from archscope.targets.imports import ImportScope
from archscope.targets.resolve import resolve_target

NET = """
from torch import nn
from blocks import WIDTH

class Net(nn.Linear):
    def __init__(self):
        import lazily
        super().__init__(WIDTH, lazily.WIDTH)
"""


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def shape_of(module: nn.Module) -> tuple[int, ...]:
    assert isinstance(module, nn.Linear)
    return tuple(module.weight.shape)


def test_siblings_of_the_same_name_do_not_mix(tmp_path: Path) -> None:
    targets = []
    for name, width in (("old", 3), ("new", 5)):
        folder = write(tmp_path / name, net=NET, blocks=f"WIDTH = {width}", lazily=f"WIDTH = {width + 1}")
        targets.append(resolve_target(f"{folder}/net.py:Net", {}))
    assert [shape_of(target.build()) for target in targets] == [(4, 3), (6, 5)]
    assert [shape_of(target.build()) for target in targets] == [(4, 3), (6, 5)]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = write(tmp_path, net="import sys\nARGUMENTS = sys.argv\n" + NET, blocks="WIDTH = 2", lazily="WIDTH = 2")
    before = (list(sys.path), list(sys.argv), sys.dont_write_bytecode, sys.stdout)
    resolve_target(f"{folder}/net.py:Net", {}).build()
    assert (list(sys.path), list(sys.argv), sys.dont_write_bytecode, sys.stdout) == before
    assert not {"blocks", "lazily", "net"} & set(sys.modules)
    assert not (folder / "__pycache__").exists()
    registered = [name for name in sys.modules if name.startswith("archscope_target_net_")]
    assert vars(sys.modules[registered[-1]])["ARGUMENTS"] == [str(folder / "net.py")]


def test_a_failure_leaves_nothing_behind_either(tmp_path: Path) -> None:
    folder = write(tmp_path, net="import blocks\nblocks.missing\n", blocks="")
    before = list(sys.path)
    with pytest.raises(TargetError, match="AttributeError"):
        resolve_target(f"{folder}/net.py:Net", {})
    assert sys.path == before
    assert "blocks" not in sys.modules


def test_a_syntax_error_in_a_sibling_is_placed_there(tmp_path: Path) -> None:
    folder = write(tmp_path, net="import blocks\n", blocks="x = 1\ny = = 2\n")
    with pytest.raises(TargetError, match=r"net\.py raised SyntaxError: .*blocks\.py:2"):
        resolve_target(f"{folder}/net.py:Net", {})


def test_a_file_in_a_package_may_import_relatively(tmp_path: Path) -> None:
    package = write(tmp_path / "zoo_of_tests", __init__="NAME = 'zoo'\n")
    models = write(
        package / "models",
        __init__="",
        parts="WIDTH = 7\n",
        net="from torch import nn\nfrom . import parts\nfrom .. import NAME\n"
        "from zoo_of_tests.models.parts import WIDTH\n"
        "class Net(nn.Linear):\n    def __init__(self):\n        super().__init__(parts.WIDTH, WIDTH)\n",
    )
    target = resolve_target(f"{models}/net.py:Net", {})
    assert shape_of(target.build()) == (7, 7)
    assert [name for name in sys.modules if name.startswith("zoo_of_tests") and "archscope_target" not in name] == []


def test_dataclasses_and_guards_work_inside(tmp_path: Path) -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom torch import nn\n"
        "@dataclass\nclass Options:\n    width: int = 3\n"
        "class Net(nn.Linear):\n    def __init__(self, options: Options | None = None):\n"
        "        super().__init__((options or Options()).width, 1)\n"
        "if __name__ == '__main__':\n    raise SystemExit('not when loaded')\n"
    )
    folder = write(tmp_path, net=source)
    assert shape_of(resolve_target(f"{folder}/net.py:Net", {}).build()) == (1, 3)


def test_a_module_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, local_net="from torch import nn\nclass Net(nn.Linear):\n    pass\nready = nn.Identity()\n")
    monkeypatch.chdir(tmp_path)
    target = resolve_target("local_net:Net", {"in_features": 2, "out_features": 3})
    assert shape_of(target.build()) == (3, 2)
    assert any("imported local_net" in note for note in target.notes)
    ready = resolve_target("local_net:ready", {})
    assert ready.is_instance
    assert ready.build() is ready.build()
    with pytest.raises(TargetError) as caught:
        resolve_target("local_nat:Net", {})
    assert caught.value.remedy == "did you mean local_net.py:Net?"


def test_folders_that_were_searched_before_keep_their_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, kept_sibling="X = 1")
    monkeypatch.syspath_prepend(tmp_path)
    with ImportScope((str(tmp_path),), "x").enter():
        module: ModuleType = __import__("kept_sibling")
    assert sys.modules.pop("kept_sibling") is module
