"""What is said where an optional package is not installed."""

import sys
from pathlib import Path

import pytest

from archscope.core.errors import MissingPackageError, TargetError, UnknownNameError
from archscope.targets.imports import import_extra
from archscope.targets.resolve import resolve_target


@pytest.mark.parametrize(
    ("text", "package", "extra"),
    [("torchvision:resnet50", "torchvision", "models"), ("timm:resnet50", "timm", "models"),
     ("hf:config.json", "transformers", "hf")],
)  # fmt: skip
def test_a_missing_package_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, package: str, extra: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError) as caught:
        resolve_target(text, {})
    assert caught.value.message == f"{text} needs {package}, which is not installed"
    assert caught.value.remedy == f"pip install 'torch-archscope[{extra}]'"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("source", ["import nowhere_at_all", "raise OSError('libfoo.so is missing')"])
def test_a_broken_package_is_not_called_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    (tmp_path / "broken_extra.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TargetError, match="broken_extra is installed but cannot be imported") as caught:
        import_extra("broken_extra", "models", "timm:x")
    assert not isinstance(caught.value, MissingPackageError)
    assert "pip install --upgrade 'torch-archscope[models]'" in caught.value.remedy


def test_an_unknown_name_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archscope.targets.from_torchvision.find_spec", lambda _: None)
    monkeypatch.setattr("archscope.targets.from_timm.find_spec", lambda _: None)
    with pytest.raises(UnknownNameError, match="unknown model 'quite_else'"):
        resolve_target("quite_else", {})
