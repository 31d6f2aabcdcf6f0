"""Which origin the words of a target mean."""

from pathlib import Path

import pytest

from archscope.core.errors import ArchscopeError, TargetError, UnknownNameError
from archscope.targets.resolve import resolve_target

SOURCE = (
    "from torch import nn\nclass Small(nn.Module):\n    pass\nclass Large(Small):\n    pass\nclass Other:\n    pass\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def test_a_folder_does_not_hide_a_built_in_model(folder: Path) -> None:
    (folder / "vgg16").mkdir()
    assert resolve_target("vgg16", {}).title.startswith("VGG")


def test_a_file_alone_that_cannot_be_run_lists_its_classes(folder: Path) -> None:
    (folder / "net.py").write_text(SOURCE + "raise ValueError\n", encoding="utf-8")
    with pytest.raises(TargetError, match=r"net\.py raised ValueError") as caught:
        resolve_target("net.py", {})
    assert caught.value.remedy.endswith("; it defines Small, Large")


def test_paths_with_a_drive_are_paths(folder: Path) -> None:
    with pytest.raises(TargetError, match=r"there is no file C:\\x\\net\.py"):
        resolve_target("C:\\x\\net.py", {})
    with pytest.raises(TargetError, match=r"there is no file C:\\x\\net\.py"):
        resolve_target("C:\\x\\net.py:Small", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("torchvison:resnet50", "torchvision"),
        ("tim:resnet50", "timm"),
        ("net.pyy:Small", "net.py:Small"),
        ("nett.py:Small", "net.py"),
        ("some/where/net.txt:Small", "no file"),
        ("net.py:Smal", "Small"),
        ("data.csv:Small", "path/file.py:Object"),
        ("model:Small", "hf:model"),
        ("torch.nnn:Linear", "torch.nn"),
        ("torch:", "NAME"),
    ],
)
def test_mistakes_say_what_was_meant(folder: Path, text: str, told: str) -> None:
    (folder / "data.csv").write_text("1", encoding="utf-8")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(text, {})
    assert told in f"{caught.value.message}; {caught.value.remedy}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", ":", "::", " ", "timm:", "torchvision:", "hf:", ":Net", "x:y:z", "é:ü"])
def test_odd_words_are_usage_errors(folder: Path, text: str) -> None:
    with pytest.raises(ArchscopeError) as caught:
        resolve_target(text, {})
    assert caught.value.exit_code == 2


def test_a_name_of_another_origin_is_pointed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archscope.targets.resolve.is_torchvision_model", lambda name: name == "zzz_b_16")
    monkeypatch.setattr("archscope.targets.resolve.is_timm_model", lambda name: name == "zzz_b_16")
    with pytest.raises(UnknownNameError) as caught:
        resolve_target("zzz_b_16", {})
    assert caught.value.remedy == "did you mean torchvision:zzz_b_16 or timm:zzz_b_16?"
