"""Saved traces that were changed: whatever reads them answers or refuses, and never breaks.

Of 1,600 seeded mutants each goes through one command that takes saved traces; the traces are those of five small
networks that between them hold every kind of operation with a rule of its own, one of them stopped by an error.
"""

import json
from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn

import archscope

from .mutations import mutate_document, spoil_text
from .runner import Tally, check_whole

MUTANTS = 1_600
SEED = 20_261_124

pytestmark = pytest.mark.slow

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.up = nn.ConvTranspose2d(width, 4, 2, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.mean = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.norm(self.up(self.pool(self.conv(x))).relu() + 1)
        return self.fc(self.mean(x).flatten(1))
"""


class Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.lstm = nn.LSTM(8, 4, batch_first=True)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids)
        x, _ = self.attention(x, x, x)
        return torch.einsum("nlc,nmc->nlm", x, x) @ self.lstm(x)[0].transpose(1, 2).softmax(-1).transpose(1, 2)


class Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x))


def _make_traces(folder: Path) -> dict[str, str]:
    """Names and texts of the traces."""
    (folder / "net.py").write_text(NET)
    chain = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(), nn.LocalResponseNorm(3), nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, groups=2),
        nn.Flatten(), nn.Dropout(), nn.Linear(36, 6),
    )  # fmt: skip
    net = archscope.trace(f"{folder / 'net.py'}:Net", arguments={"width": 4}, inputs="3x9x9")
    made = {
        "net": net.to_dict(ops=True),
        "chain": archscope.trace(chain, torch.zeros(1, 3, 23, 23)).to_dict(ops=True),
        "sequence": archscope.trace(Sequence(), torch.zeros(1, 6, dtype=torch.long)).to_dict(ops=True),
        "plain": net.to_dict(),
    }
    with pytest.raises(archscope.ForwardError) as caught:
        archscope.trace(Broken(), torch.zeros(1, 3, 8, 8))
    made["broken"] = caught.value.summary.to_dict(ops=True)
    return {name: json.dumps(document) for name, document in made.items()}


def _list_commands(mutant: str, sound: str, out: str) -> list[list[str]]:
    return [
        ["trace", mutant],
        ["trace", mutant, "--receptive"],
        ["trace", mutant, "--ops", "--format", "json"],
        ["trace", mutant, "-o", out],
        ["table", mutant, "--receptive"],
        ["table", mutant, "--format", "tex"],
        ["explain", mutant, "--all"],
        ["explain", mutant, "--all", "--format", "json"],
        ["explain", mutant, "conv"],
        ["budget", mutant, "--max-params", "5M", "--max-macs", "5M", "--max-activations", "5M"],
        ["budget", sound, "--baseline", mutant],
        ["budget", mutant, "--baseline", sound, "--tolerance", "5", "--format", "github"],
        ["fit", mutant, "--batch", "2"],
        ["verify", mutant, "--against", "vgg11"],
    ]


def test_no_change_to_a_saved_trace_breaks_what_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = _make_traces(tmp_path)
    documents = {name: json.loads(text) for name, text in texts.items()}
    (tmp_path / "sound.json").write_text(texts["net"])
    kept = {"net.py", "sound.json", "mutant.json", "out.csv", "__pycache__"}
    random, tally, commands = Random(SEED), Tally(), _list_commands("mutant.json", "sound.json", "out.csv")
    for number in range(MUTANTS):
        name = random.choice(list(documents))
        spoils = random.random() < 0.1
        blob = spoil_text(texts[name].encode(), random) if spoils else mutate_document(documents[name], random)
        (tmp_path / "mutant.json").write_bytes(blob)
        tally.run(commands[number % len(commands)], f"mutant {number} of {name}")
        check_whole(tmp_path, kept)
    with capsys.disabled():
        print(f"\nsaved traces: {tally.describe()}")
    assert tally.codes.total() == MUTANTS
    assert not tally.faults, f"{len(tally.faults)} faults:\n" + "\n".join(tally.faults[:20])
