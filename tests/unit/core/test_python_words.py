"""Errors in Python speak of keywords, not of command-line options."""

import pytest
from torch import nn

import archscope
from archscope.cli.app import main
from archscope.core.errors import ArchscopeError
from archscope.core.python_words import write_for_python


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("give --input 32 or --input x=8x3:float32;", 'give inputs="32" or inputs="x=8x3:float32";'),
        ("--input '3x' lacks a number", "inputs='3x' lacks a number"),
        ("add --max-params 5M, or --baseline a.json", 'add max_params="5M", or baseline="a.json"'),
        ("write --reserve 0.5GiB+5%, --reserve 0", 'write reserve="0.5GiB+5%", reserve=0'),
        ("--optimizer goes with --train only", "optimizer goes with training=True only"),
        ("add --train: inference keeps none", "add training=True: inference keeps none"),
        ("--data goes with it: add --train 200", "data goes with it: add train_steps=200"),
        ("--arg, --train and --mode cannot change it", "arguments, training and mode cannot change it"),
        ("--arg cfg=64,64,M or --arg n=3", 'arguments={"cfg": "64,64,M"} or arguments={"n": 3}'),
        ("give --arg a=1 --arg b=TEXT", 'give arguments={"a": 1, "b": TEXT}'),
        ("--input a=SHAPE --input b=SHAPE", 'inputs=["a=SHAPE", "b=SHAPE"]'),
        ("try --no-check, or --input SHAPE", 'try checks=False, or inputs="SHAPE"'),
        ("--arg width cannot reach it", "the argument width cannot reach it"),
        ("--lr -1 is none (--lr 0.05)", "learning_rate=-1 is none (learning_rate=0.05)"),
        ("force it with --mode real", 'force it with mode="real"'),
        ("--input N resizes the images to NxN", "side=N resizes the images to NxN"),
        ("archscope trace TARGET --ops -o t.json; --batch 3", "archscope trace TARGET --ops -o t.json; batch=3"),
        ("pip install --upgrade timm; a--input 3", "pip install --upgrade timm; a--input 3"),
    ],
)
def test_options_become_keywords(told: str, expected: str) -> None:
    assert write_for_python(told) == expected


def test_what_is_caught_in_python_names_keywords_that_exist() -> None:
    wrong = [
        lambda: archscope.trace(nn.Linear(2, 2)),
        lambda: archscope.budget("resnet18"),
        lambda: archscope.budget("resnet18", max_params="2.3"),
        lambda: archscope.fit("resnet18"),
        lambda: archscope.fit("resnet18", memory="16GiB", optimizer="adam"),
        lambda: archscope.fit("resnet18", memory="16GiB", reserve="lots"),
        lambda: archscope.benchmark("resnet18", layers=True, compiled=True),
        lambda: archscope.train("resnet20", learning_rate=-1),
    ]
    for call in wrong:
        with pytest.raises(ArchscopeError) as caught:
            call()
        assert "--" not in str(caught.value)
        assert caught.value.remedy in str(caught.value)


def test_the_command_line_speaks_of_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["budget", "resnet18", "--max-params", "2.3"]) == 2
    assert "--max-params '2.3' is no whole number" in capsys.readouterr().err
    assert main(["fit", "resnet18"]) == 2
    assert "add --memory 16GiB, or --batch 64" in capsys.readouterr().err
