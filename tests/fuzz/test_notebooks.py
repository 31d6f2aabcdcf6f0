"""Notebooks that were changed: named as targets, they are run, or refused in one clear error.

Each of 600 seeded mutants of notebooks as Jupyter, Colab and nbformat 3 write them goes through one command.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from .mutations import mutate_document, spoil_text
from .runner import Tally, check_whole

MUTANTS = 600
SEED = 20_261_125

pytestmark = pytest.mark.slow

NET = [
    "class Net(nn.Module):\n",
    "    def __init__(self, width=4):\n",
    "        super().__init__()\n",
    "        self.conv = nn.Conv2d(3, width, 3)\n",
    "        self.fc = nn.Linear(width * 36, 2)\n",
    "\n",
    "    def forward(self, x):\n",
    "        return self.fc(self.conv(x).relu().flatten(1))\n",
]


def _make_cell(source: str | list[str], number: int | None = 1, **more: Any) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": number,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    return cell | more


def _make_notebooks() -> dict[str, dict[str, Any]]:
    python = {"display_name": "Python 3", "language": "python", "name": "python3"}
    info = {"name": "python", "version": "3.11.7", "codemirror_mode": {"name": "ipython", "version": 3}}
    lecture = {"cell_type": "markdown", "metadata": {}, "source": ["# Lecture\n", "a convolution"]}
    imports = _make_cell(["%matplotlib inline\n", "import torch\n", "from torch import nn"])
    shown = _make_cell(
        "print(Net())\n!ls",
        3,
        outputs=[{"output_type": "stream", "name": "stdout", "text": ["Net(\n", "  (conv): ...\n"]}],
    )
    return {
        "jupyter": {
            "cells": [lecture, imports, _make_cell(NET, 2), shown],
            "metadata": {"kernelspec": python, "language_info": info},
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        "colab": {
            "nbformat": 4,
            "nbformat_minor": 0,
            "metadata": {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}, "accelerator": "GPU"},
            "cells": [_make_cell("".join(["from torch import nn\n", *NET]), None, id="a1", metadata={"id": "x"})],
        },
        "old": {
            "metadata": {"name": "old"},
            "nbformat": 3,
            "nbformat_minor": 0,
            "worksheets": [{"cells": [{"cell_type": "code", "input": NET, "language": "python"}], "metadata": {}}],
        },
    }


COMMANDS = (
    ("trace", "mutant.ipynb:Net", "--input", "3x8x8"),
    ("trace", "mutant.ipynb", "--input", "3x8x8", "--format", "json"),
    ("table", "mutant.ipynb:Net", "--input", "3x8x8"),
    ("explain", "mutant.ipynb:Net", "conv", "--input", "3x8x8"),
    ("budget", "mutant.ipynb:Net", "--max-params", "1K", "--input", "3x8x8"),
    ("fit", "mutant.ipynb:Net", "--batch", "2", "--input", "3x8x8"),
    ("trace", "mutant.ipynb:Net", "--input", "3x8x8", "-o", "out.csv"),
)


def test_no_change_to_a_notebook_breaks_what_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    notebooks = _make_notebooks()
    random, tally = Random(SEED), Tally()
    for number in range(MUTANTS):
        name = random.choice(("jupyter", "jupyter", "colab", "colab", "old"))
        text = json.dumps(notebooks[name], indent=1).encode()
        blob = spoil_text(text, random) if random.random() < 0.2 else mutate_document(notebooks[name], random)
        (tmp_path / "mutant.ipynb").write_bytes(blob)
        tally.run(COMMANDS[number % len(COMMANDS)], f"mutant {number} of {name}")
        check_whole(tmp_path, {"mutant.ipynb", "out.csv"})
    with capsys.disabled():
        print(f"\nnotebooks: {tally.describe()}")
    assert tally.codes.total() == MUTANTS
    assert not tally.faults, f"{len(tally.faults)} faults:\n" + "\n".join(tally.faults[:20])
