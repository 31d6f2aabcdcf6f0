"""Every published figure, measured: nothing is left out, verdicts are those found by hand, oddities are explained."""

import ast
import math
import operator
import re
from collections import Counter
from importlib.util import find_spec
from typing import Any

import jsonschema
import pytest

from archscope.core.codec import encode
from archscope.core.documents import load_schema
from archscope.papers.ledger import (
    RECOMPUTABLE,
    Entry,
    find_explanation,
    load_explanations,
    verify_facts,
)
from archscope.papers.published import choose_facts
from archscope.papers.report import build_verify_document

ODD = {
    "rounded": """alexnet.params alexnet.neurons.total googlenet.3a.params googlenet.4a.ops googlenet.total.macs
        resnet.t1.34.flops resnet.t1.50.flops resnet.text.50 resnet.pct18 resnet.double resnet.2p8 googlenet.rel56""",
    "convention": """alexnet.lrn.alpha googlenet.3b.params resnet.vgg16 lecture.sched.order lab1052.sched lab1062.sched
        lab1062.family lab1061.bottle.comment resnet.lower""",
    "inconsistent": """alexnet.input_size googlenet.4c.params googlenet.4d.params googlenet.4e.params
        googlenet.5a.params googlenet.5a.ops googlenet.5b.params googlenet.t3.7x144.delta lecture.he.fan
        lab1051.custom.bn lab1061.avgpool""",
    "wrong": """alexnet.neurons.conv1 alexnet.augment.factor alexnet.connections googlenet.conv1.params
        googlenet.conv1.ops googlenet.4a.params googlenet.4b.params googlenet.ratio12 lecture.vgg.classifier.order
        lecture.vgg.class_body lecture.adaptive.stride lecture.adaptive.kernel lecture.adaptive.auto lecture.he.var
        lecture.custom.fit lecture.cifar.pool lecture.resnet.shape.layer1 lecture.resnet.shape.layer2
        lecture.resnet.shape.layer3 lecture.resnet.shape.layer4 lecture.resnet.shape.input lecture.hw.vgg19.fit
        lab1051.custom.in lab1052.next lab1061.syntax lab1061.mode lab1061.basic.comment lab1062.shape.layer1
        lab1062.shape.layer2 lab1062.shape.layer3 lab1062.shape.layer4 lab1062.traindata""",
}
"""Judged by hand from the figure and its note; every other recomputable figure agrees."""

NEEDS_TORCHVISION = {"googlenet.tv.params", "googlenet.tv.macs", "googlenet.tv.kernel5", "lab1062.traindata"}

SILENT = {"lab1052.testloader", "lab1062.testloader", "lab1062.prints"}
"""Settings of the notebooks under which no output was kept: nothing printed states what they make."""

VALUES: dict[str, Any] = {
    "googlenet.conv1.params": 7 * 7 * 3 * 64,
    "googlenet.conv1.ops": 7 * 7 * 3 * 64 * 112 * 112,
    "googlenet.4c.params": (128 + 128 + 24 + 64) * 512 + 128 * 256 * 9 + 24 * 64 * 25,
    "googlenet.5a.params": (256 + 160 + 32 + 128) * 832 + 160 * 320 * 9 + 32 * 128 * 25,
    "googlenet.5a.ops": ((256 + 160 + 32 + 128) * 832 + 160 * 320 * 9 + 32 * 128 * 25) * 49,
    "googlenet.layers22": 22,
    "googlenet.layers27": 27,
    "googlenet.tv.params": 6_624_904,
    "alexnet.params": 60_965_224,
    "alexnet.neurons.conv1": 55 * 55 * 96,
    "alexnet.neurons.total": 55 * 55 * 96 + 27 * 27 * 256 + 13 * 13 * (384 + 384 + 256) + 4096 + 4096 + 1000,
    "alexnet.input_size": (227, 227, 3),
    "alexnet.augment.factor": 2178,
    "cs231n.conv1.output_shape": (55, 55, 96),
    "cs231n.fc6.output_shape": (4096,),
    "vgg.t2.D.params": 138_357_544,
    "vgg.t1.E.weight_layers": 19,
    "vgg.stack.params": (27, 49),
    "vgg.rf3": (7, 7),
    "resnet.vgg16": 15_470_264_320,
    "resnet.vgg19": 19_632_062_464,
    "resnet.t1.50.flops": 3_857_973_248,
    "resnet.t1.34.flops": 3_663_761_408,
    "resnet.t1.152.weight_layers": 152,
    "resnet.t6.1202.params": 19_421_274,
    "resnet.13": 13,
    "lecture.resnet.shape.layer4": (1, 512, 8, 8),
    "lab1062.shape.layer1": (1, 64, 32, 32),
    "lecture.custom.fit": (256 * 7 * 7, 512 * 7 * 7),
    "lecture.hw.vgg19.fit": (512, 512 * 4 * 4),
    "lecture.sched.order": (5, 10),
    "lab1052.loader": 98,
    "lab1062.loader": 196,
    "ilsvrc.2013.layers": 8,
    "alexnet.testcrops": 10,
    "vgg.crops": (50, 150),
    "googlenet.crops144": 144,
    "resnet.cifar.3n": (9, 15, 21, 27, 54),
}


@pytest.fixture(scope="module")
def ledger() -> dict[str, Entry]:
    return {entry.fact.id: entry for entry in verify_facts()}


def test_every_figure_is_in_the_ledger_once(ledger: dict[str, Entry]) -> None:
    assert len(ledger) == len(choose_facts(None)) == 814
    recomputable = [entry for entry in ledger.values() if entry.fact.check in RECOMPUTABLE]
    silent = {entry.fact.id for entry in recomputable if entry.value is None}
    assert silent - NEEDS_TORCHVISION == SILENT
    assert all(entry.reason for entry in ledger.values() if entry.value is None)
    assert all(entry.verdict == "not recomputable" for entry in ledger.values() if entry.value is None)


def test_at_least_430_traced_figures_have_a_value(ledger: dict[str, Entry]) -> None:
    traced = [entry for entry in ledger.values() if entry.fact.check == "trace" and entry.value is not None]
    assert len(traced) >= 430


def test_no_text_or_record_gets_a_value(ledger: dict[str, Entry]) -> None:
    for entry in ledger.values():
        if entry.fact.check in ("text", "external"):
            assert (entry.value, entry.measured, entry.verdict) == (None, "", "not recomputable")


@pytest.mark.parametrize("verdict", ODD)
def test_odd_figures(verdict: str, ledger: dict[str, Entry]) -> None:
    found = {entry.fact.id for entry in ledger.values() if entry.verdict == verdict}
    missing = set() if find_spec("torchvision") else NEEDS_TORCHVISION
    assert found == set(ODD[verdict].split()) - missing


def test_nothing_breaks_and_everything_odd_is_explained(ledger: dict[str, Entry]) -> None:
    assert [entry.fact.id for entry in ledger.values() if entry.broken] == []
    assert all(entry.explanation for entry in ledger.values() if entry.verdict in ODD)


@pytest.mark.parametrize("identifier", VALUES)
def test_values(identifier: str, ledger: dict[str, Entry]) -> None:
    if identifier in NEEDS_TORCHVISION and find_spec("torchvision") is None:
        pytest.skip("needs torchvision")
    assert ledger[identifier].value == VALUES[identifier]


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("googlenet.conv1.params", ["9,408", "7*7*3*8 + 24*64 = 2,712", "separable", "K = 1024", "2.6K"]),
        ("googlenet.rel56", ["56.41", "(15.315 - 6.656)/15.315 = 56.54"]),
        ("resnet.lower", ["15470264320 - 123633664 = 15,346,630,656"]),
        ("lab1061.bottle.comment", ["1 of 16 blocks"]),
        ("googlenet.conv1.ops", ["118,013,952", "34,019,328"]),
        ("googlenet.5a.params", ["928", "1,097,728", "832"]),
        ("googlenet.5a.ops", ["53,788,672", "928"]),
        ("googlenet.4c.params", ["92,925,952", "100M"]),
        ("alexnet.neurons.conv1", ["55*48*96 = 253,440", "290,400"]),
        ("resnet.vgg16", ["15,346,630,656", "leaves out the fully connected layers", "19.6"]),
        ("resnet.vgg19", ["includes the fully connected layers", "15.3"]),
        ("resnet.t1.50.flops", ["3.9", "truncated"]),
        ("resnet.t1.34.flops", ["option A", "3,644,493,824"]),
        ("lecture.resnet.shape.layer2", ["twice"]),
        ("lecture.custom.fit", ["256*7*7 = 12,544", "512*7*7 = 25,088"]),
        ("lecture.vgg.classifier.order", ["garbled", "9 modules instead of 7", "2 Dropouts too many"]),
        ("lecture.adaptive.stride", ["divides", "remainder of 1"]),
        ("lecture.he.var", ["standard deviation", "0.522", "0.272"]),
        ("vgg.stack.params", ["27", "49"]),
    ],
)
def test_what_explanations_say(identifier: str, words: list[str], ledger: dict[str, Entry]) -> None:
    for word in words:
        assert word in ledger[identifier].explanation


def test_the_classifier_that_does_not_fit_is_really_run(ledger: dict[str, Entry]) -> None:
    told = "mat1 and mat2 shapes cannot be multiplied"
    assert f"RuntimeError: {told} (1x12544 and 25088x4096)" in ledger["lecture.custom.fit"].measured
    assert f"RuntimeError: {told} (1x512 and 8192x4096)" in ledger["lecture.hw.vgg19.fit"].measured


def test_every_explanation_is_used(ledger: dict[str, Entry]) -> None:
    used = {find_explanation(entry.fact.id, entry.verdict) for entry in ledger.values() if entry.explanation}
    unused = [item.facts for item in load_explanations() if item not in used]
    assert find_spec("torchvision") is None or unused == []


def test_silent_figures_say_what_they_would_make(ledger: dict[str, Entry]) -> None:
    # 10,000 test images in batches of 4 and of 256, 50,000/256 = 195.3 batches and a line for every 30 of them.
    assert "batches of 4 are 2,500" in ledger["lab1052.testloader"].reason
    assert "batches of 256 are 40" in ledger["lab1062.testloader"].reason
    assert "196 batches with a line every 30 are 6 lines" in ledger["lab1062.prints"].reason


def test_an_explanation_explains_one_verdict_only() -> None:
    assert find_explanation("googlenet.conv1.params", "wrong")
    assert not find_explanation("googlenet.conv1.params", "rounded")


def test_the_figures_are_the_shared_ones(shared_dir: Any, repository: Any) -> None:
    for file in sorted((shared_dir / "facts").glob("*.toml")):
        assert (repository / "archscope" / "papers" / "facts" / file.name).read_bytes() == file.read_bytes()


def test_the_document_counts(ledger: dict[str, Entry]) -> None:
    document: Any = encode(build_verify_document(list(ledger.values())))
    jsonschema.validate(document, load_schema("verify"))
    assert document["kept"] is True
    assert sum(source["figures"] for source in document["sources"]) == 814
    counted: Counter[str] = Counter()
    for source in document["sources"]:
        counted.update(source["verdicts"])
    assert counted == Counter(entry.verdict for entry in ledger.values())
    assert all(isinstance(fact["measured_value"], int | list | None) for fact in document["facts"])


# -------------------------------------------------------------------------------------- every printed expression holds

EXPRESSION = re.compile(r"((?:floor|ceil|sqrt|[0-9 .,+\-*/()^])+) = (-?\d[\d,]*(?:\.\d+)?)")
OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
FUNCTIONS = {"floor": math.floor, "ceil": math.ceil, "sqrt": math.sqrt}


def evaluate(node: ast.expr) -> float:
    match node:
        case ast.Constant(value):
            assert isinstance(value, int | float)
            return value
        case ast.UnaryOp(ast.USub(), operand):
            return -evaluate(operand)
        case ast.BinOp(left, kind, right):
            return OPERATORS[type(kind)](evaluate(left), evaluate(right))
        case ast.Call(ast.Name(name), [argument]):
            return FUNCTIONS[name](evaluate(argument))
    raise AssertionError(ast.dump(node))


def parse(text: str) -> ast.expr | None:
    """The longest end of `text` that is an expression."""
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text).replace("^", "**")
    for start in range(len(text)):
        if text[start] in " ,.)" or (start and text[start - 1].isalnum() and text[start].isalnum()):
            continue
        try:
            return ast.parse(text[start:].strip(), mode="eval").body
        except SyntaxError:
            continue
    return None


def list_equations(text: str) -> list[tuple[str, float, str]]:
    found = []
    for left, right in EXPRESSION.findall(text):
        node = parse(left)
        if node is not None and not isinstance(node, ast.Constant):
            found.append((left, evaluate(node), right))
    return found


def test_every_expression_evaluates_to_its_number(ledger: dict[str, Entry]) -> None:
    checked = 0
    texts = {text for entry in ledger.values() for text in (entry.arithmetic, entry.explanation, entry.reason)}
    for text in texts:
        for left, value, right in list_equations(text):
            decimals = len(right.partition(".")[2])
            assert abs(value - float(right.replace(",", ""))) <= 0.5000001 * 10**-decimals, f"{left} = {right}"
            checked += 1
    assert checked > 250


def test_expressions_are_really_evaluated() -> None:
    assert list_equations("so 2*(3 + 4) = 14, and floor(7/2) = 3") == [
        (" 2*(3 + 4)", 14, "14,"),
        (" floor(7/2)", 3, "3"),
    ]
