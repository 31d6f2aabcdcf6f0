"""What is said where an optional package is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import archscope
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


RAISES = [
    "raise RuntimeError('operator torchvision::nms does not exist')",
    "raise AttributeError('partially initialized')",
    "raise ValueError('odd')",
    "1 / 0",
    "raise SystemExit(1)",
    "import nowhere_at_all",
    "x = = 1",
]


@pytest.mark.parametrize("source", RAISES)
@pytest.mark.parametrize("text", ["torchvision:resnet18", "timm:resnet18", "hf:bert.json"])
def test_an_extra_that_raises_anything_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, source: str
) -> None:
    package = {"torchvision": "torchvision", "timm": "timm", "hf": "transformers"}[text.partition(":")[0]]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bert.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / f"{package}.py").write_text(source, encoding="utf-8")
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TargetError, match=f"{package} is installed but cannot be imported") as caught:
        resolve_target(text, {})
    assert caught.value.exit_code == 2
    assert "pip install --upgrade" in caught.value.remedy


PROGRAM = """
import json, sys
from pathlib import Path
from archscope.core.errors import TargetError
from archscope.targets.resolve import resolve_target

for source in json.loads(sys.argv[1]):
    Path("torchvision", "__init__.py").write_text(source)
    for file in ("named.json", "auto.json"):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        try:
            resolve_target(f"hf:{file}", {}).build()
        except TargetError as error:
            print(json.dumps([source, file, error.message, error.remedy]))
"""


@pytest.mark.slow
def test_a_torchvision_that_cannot_be_imported_is_named_for_a_configuration(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "torchvision").mkdir()
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    for file, config in (
        ("named", {"model_type": "bert", "architectures": ["BertModel"]}),
        ("auto", {"model_type": "vit"}),
    ):
        (tmp_path / f"{file}.json").write_text(json.dumps({**small, **config}), encoding="utf-8")
    path = os.pathsep.join((str(tmp_path), str(Path(archscope.__file__).parent.parent)))
    sources = [source for source in RAISES if "nowhere" not in source]
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM, json.dumps(sources)],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {source for source, *_ in told} == set(sources)
    for _, _, message, remedy in told:
        assert message.startswith(
            "transformers is installed but cannot be imported: torchvision, which it imports, fails"
        )
        assert "pip install --upgrade --force-reinstall torchvision" in remedy
