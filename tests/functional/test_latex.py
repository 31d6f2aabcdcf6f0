"""LaTeX tables compile, and none is wider than its page. Skipped where no TeX with booktabs is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from archscope.cli.app import main

COMMANDS = [
    "table alexnet",
    "table vgg",
    "table resnet",
    "table resnet-cifar",
    "table googlenet",
    "table googlenet --style cs231n",
    "table ilsvrc",
    "table resnet50 --receptive",
    "trace googlenet --ops",
    "trace resnet50 --input 32 --depth 2",
    "verify",
    "models",
    "explain resnet18 --all",
]


def _has_tex() -> bool:
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return False
    return subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _has_tex(), reason="needs pdflatex with booktabs")
@pytest.mark.parametrize("command", COMMANDS)
def test_it_compiles_as_its_comment_says(command: str, tmp_path: Path) -> None:
    path = tmp_path / "table.tex"
    assert main([*command.split(), "-o", str(path)]) == 0
    documents = re.findall(r"^% (\\documentclass.*\\input\{)THIS FILE(\}.*)$", path.read_text(), re.MULTILINE)
    assert documents
    (tmp_path / "document.tex").write_text("table".join(documents[0]))
    for _ in range(3):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    assert "Missing character" not in (tmp_path / "document.log").read_text(errors="replace")
