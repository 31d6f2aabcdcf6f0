"""Command lines as nobody would write them: every command and option, right and odd values, right and odd targets.

The options come from the application itself, so that a new command and a new option take part by themselves.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import typer

from archscope.cli.app import app

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.first = nn.Linear(4, width)
        self.second = nn.Linear(width, 2)

    def forward(self, x):
        return self.second(self.first(x).relu())

class Image(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))

class Misfit(Net):
    def forward(self, x):
        return self.second(x)

class Pipe(Net):
    def forward(self, x):
        raise BrokenPipeError(32, "Broken pipe")

class Exits(Net):
    def forward(self, x):
        raise SystemExit(0)

class Unbuildable(nn.Module):
    def __init__(self):
        raise ValueError("no")

class Uncounted(nn.Module):
    def forward(self, x):
        return torch.linalg.inv(x)

def make():
    return nn.Sequential(nn.Linear(4, 4))

ready = nn.Linear(4, 4)
number = 7
"""

OBJECTS = ("Net", "Image", "Misfit", "Pipe", "Exits", "Unbuildable", "Uncounted", "make", "ready", "number", "Nett", "")
ODD = (
    *(
        "",
        " ",
        "-1",
        "0",
        "1",
        "-0",
        "+3",
        "07",
        "0x10",
        "1e3",
        "1e999",
        "nan",
        "inf",
        "-inf",
        "1_0",
        "9" * 400,
        "²",
        "٣",
    ),
    *("9" * 5000, "2147483648", "99999999999999999999", "True", "none", "null", "a,b", ",", "=", "a=", "=b", "a=b=c"),
    *("[", "[[[[", "(1,", "{}", "{'a': 1}", "'", '"', "\\", "%s", "{0}", "a\nb", "\t", "é", "모델", "\U0001f600"),
    *("\x1b[2J", "\u202e", "a" * 300, "*", "[a", "?", "#", "#2", ":", "::", "-", "--", "/", ".", "..", "/dev/null"),
    *("nowhere/x", "net.py", "x" * 60, "1x" * 40 + "1", "lambda: 0", "__import__('os')", "5M", "12.5", "32"),
)
VALUES: dict[str, Sequence[str]] = {
    "--input": ("2x4", "4", "1x4", "3x8x8", "32", "x=2x4", "x=2x4:float32", "2x4:long", "y=1", "0x4", "4x-1", "x=none"),
    "--arg": ("width=3", "width=0", "width=-1", "width=many", "num_classes=2", "nope=1", "width=1,2"),
    "--format": ("table", "plain", "json", "csv", "md", "tex", "github", "html", "yaml"),
    "--output": ("out/x.json", "out/x.csv", "out/x.md", "out/x.tex", "out/x.txt", "out/x.odd", "out/", "no/x.md", "-"),
    "--mode": ("meta", "fake", "real", "unreal"),
    "--depth": ("0", "1", "2"),
    "--top": ("1", "3", "0"),
    "--sort": ("macs", "params", "memory", "output", "layer", "type", "order", "size"),
    "--filter": ("Linear", "fi*", "Conv2d", "nothing"),
    "--columns": ("layer,macs", "params", "size", "layer,layer"),
    "--style": ("paper", "cs231n", "slide"),
    "--max-params": ("1", "5M", "22", "1.5"),
    "--max-macs": ("1", "5M", "1G"),
    "--max-activations": ("1", "5M"),
    "--baseline": ("saved.json", "bare.json", "broken.json", "junk.json", "nowhere.json", "net.py", "folder"),
    "--tolerance": ("0", "5", "12.5", "1e308", "inf", "nan"),
    "--verdict": ("wrong", "right", "confirmed"),
    "--against": ("vgg12", "alexnett", "saved.json"),
    "--device": ("cpu", "cpu:0", "cpu:7", "cuda:99", "gpu", "cpu,cpu", "meta"),
    "--batch": ("1", "2", "auto", "0", "many"),
    "--dtype": ("fp32", "bf16", "tf32", "fp8", "fp32,bf16"),
    "--seconds": ("0.1", "0", "nan", "inf", "-1"),
    "--threads": ("1", "0", "-1", "2147483648"),
    "--compare": ("saved.json", "junk.json", "nowhere.json"),
    "--data": ("nowhere", "junk.json", "folder", "net.py"),
    "--memory": ("1GiB", "16MB", "0", "1", "1e3GiB", "-1GiB"),
    "--optimizer": ("sgd", "adam", "adamw", "lion"),
    "--reserve": ("0", "5%", "1GiB+5%", "101%"),
    "--recipe": ("fast", "lecture-vgg", "slow"),
    "--precision": ("float32", "bfloat16", "int8"),
    "--epochs": ("1", "0", "-1"),
    "--train": ("5", "4", "x"),
}
SLOW = {"--compile", "--tensorboard"}
"""Options that start compilers or packages of others."""
NAMES = {"schema": ("trace", "budget", "fit", "nope"), "models": ("vgg*", "alexnet", "zz", "[", "nope:*"), "verify": ()}
FIGURES = ("vgg12", "googlenet.conv1.params", "he2015.nope", "zz")


def make_folder(folder: Path) -> None:
    """The files that the command lines name, in `folder`."""
    (folder / "net.py").write_text(NETS, encoding="utf-8")
    cells = [{"cell_type": "code", "source": NETS.splitlines(keepends=True), "metadata": {}, "outputs": []}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "net.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (folder / "bad.py").write_text("def (:\n", encoding="utf-8")
    (folder / "exits.py").write_text("import sys\nsys.exit(0)\n", encoding="utf-8")
    (folder / "junk.json").write_text('{"schema": 1', encoding="utf-8")
    (folder / "binary.py").write_bytes(bytes(range(256)))
    (folder / "config.json").write_text('{"model_type": "nope"}', encoding="utf-8")
    for name in ("folder", "out"):
        (folder / name).mkdir()


def write_line(chance: random.Random) -> list[str]:
    """One command line."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    if chance.random() < 0.02:
        return [chance.choice(ODD) for _ in range(chance.randrange(4))]
    # Those that measure or train are rarer: each takes a second where it is asked for something that exists.
    weights = [1 if name in ("train", "bench") else 2 if name in ("fit", "verify") else 6 for name in commands]
    name = chance.choices(list(commands), weights)[0]
    words = [name]
    if name in ("bench", "verify") or chance.random() < 0.93:  # without an argument, they work for minutes
        words += _write_argument(chance, name)
    if name == "explain" and chance.random() < 0.8:
        words.append(chance.choice(("first", "second", "first:second", "second:first", "first#2", *ODD)))
    options = [option for option in commands[name].params if option.param_type_name == "option"]
    if any(word.startswith(("net.py:", "net.ipynb:")) for word in words) and chance.random() < 0.9:
        words += ["--input", "3x8x8" if "Image" in words[1] else "2x4"]
    if name == "bench":
        words += ["--seconds", "0.1"]
    if name == "budget" and chance.random() < 0.8:
        words += [chance.choice(("--max-params", "--max-macs")), chance.choice(("1", "5M", "22"))]
    if name == "train":  # never the download of the real images
        words += ["--data", chance.choice(VALUES["--data"])]
    for option in chance.sample(options, min(len(options), chance.choice((0, 0, 1, 1, 2, 3)))):
        words += _write_option(chance, option)
    if chance.random() < 0.03:
        words.insert(chance.randrange(len(words) + 1), chance.choice(ODD))
    return words


def _write_argument(chance: random.Random, name: str) -> list[str]:
    if chance.random() < 0.1:
        return [chance.choice(ODD).replace("-", "+") or "x"]
    if name == "verify":
        return [chance.choice((*FIGURES, "net.py:Net", "saved.json"))]
    if name in NAMES:
        return [chance.choice(NAMES[name])]
    if name in ("bench", "train"):  # mostly what cannot be measured: what can takes seconds
        return [f"net.py:{chance.choice(OBJECTS)}" if chance.random() < 0.2 else chance.choice(("vgg12", "timm:x:y"))]
    saved = ("saved.json", "saved.json", "bare.json", "broken.json", "junk.json", "./saved.json", "nowhere.json")
    files = ("net.py", "bad.py:Net", "exits.py:Net", "binary.py:Net", "folder:Net", "hf:config.json", "nope.py:Net")
    live = [f"{file}:{word}" for file in ("net.py", "net.py", "net.ipynb") for word in (*OBJECTS, "Net", "Image")]
    return [chance.choice((*saved, *saved, *files, *live))]


def _write_option(chance: random.Random, option: typer.core.TyperOption) -> list[str]:
    word = option.opts[0]
    if word in SLOW:
        return []
    if option.is_flag:
        return [word]
    known = VALUES.get(word, ("1", "x"))
    value = chance.choice(known) if chance.random() < 0.75 else chance.choice(ODD)
    if word == "--data":
        value = chance.choice(known)
    return [f"{word}={value}"] if chance.random() < 0.2 else [word, value]
