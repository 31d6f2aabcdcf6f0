"""Every verdict depends on what is printed and on what is built: change either and it moves."""

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from archscope.papers.catalogue import find_paper
from archscope.papers.ledger import Entry, _verify, verify_facts
from archscope.papers.measurement import Amount
from archscope.papers.networks import Networks
from archscope.papers.published import _NUMBER, _NUMBER_WORDS, Fact, choose_facts, index_facts, list_sources
from archscope.papers.registry import Case

from .mutants import MUTATIONS, double_channels, enlarge_kernels, mutate_builders

KEPT = ("agrees", "rounded", "convention")
"""Verdicts of figures that are right in some sense, so that another number is not."""

SETTINGS = {
    "lab1052.sched": "step size and factor are what the schedule is run with; the order is what is judged",
    "lab1062.sched": "the same",
}
"""Figures in whose text numbers change no verdict."""

CORRECTED = {
    "alexnet.input_size": "227x227x3",
    "googlenet.ratio12": "9 times fewer parameters",
    "googlenet.t3.7x144.delta": "-3.40%",
    "lab1051.custom.bn": "printed model has no BatchNorm; code cell 6 builds one with batch_norm=False",
    "lab1051.custom.in": "Linear(in_features=12544, out_features=4096)",
    "lab1052.next": "next(dataiter)",
    "lab1052.sched": "StepLR(step_size=5, gamma=0.9), stepped after optimizer.step()",
    "lab1061.avgpool": "class: AdaptiveAvgPool2d((1, 1)); printed model: AdaptiveAvgPool2d((1, 1))",
    "lab1061.mode": "return model",
    "lab1061.syntax": "layers[0] # '''3'''",
    "lab1062.sched": "StepLR(step_size=10, gamma=0.5), stepped after optimizer.step()",
    "lab1062.traindata": "trainset.data",
    "lecture.cifar.pool": "7x7 pool dropped because the map is smaller than 7 by 7",
    "lecture.custom.fit": "classifier reads 256 * 7 * 7",
    "lecture.he.fan": "formula uses n_in; code uses mode='fan_in'",
    "lecture.he.var": "Var(W) = 2/n_in",
    "lecture.resnet.shape.input": "x.shape=[batch, 3, 32, 32]",
    "lecture.sched.order": "lr_sche.step() last in each epoch, after optimizer.step()",
    "lecture.vgg.class_body": "self.features = features",
    "lecture.vgg.classifier.order": "Linear, ReLU, Dropout, Linear, ReLU, Dropout, Linear",
    **{
        f"{source}.shape.layer{number}": f"x.shape =[1, {4 * planes}, {side},{side}]"
        for source in ("lecture.resnet", "lab1062")
        for number, planes, side in ((1, 16, 32), (2, 32, 32), (3, 64, 16), (4, 128, 8))
    },
}
"""What would have been right, by hand: the planes 16, 32, 64, 128 times 4, 256*7*7 = 12544, 60.97M/7.00M = 8.71."""

TRUE_OF_NONE = {
    "lecture.adaptive.stride": "no one stride is that of adaptive pooling for every size",
    "lecture.adaptive.kernel": "no one kernel is",
    "lecture.adaptive.auto": "a sentence without a number",
    "lab1061.basic.comment": "13 blocks of ResNet-34 have stride 1, 3 have stride 2",
    "lecture.hw.vgg19.fit": "every configuration of Table 1 has five pools",
}
"""Wrong figures that no other number would make right."""


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks()


INDEX = index_facts(*list_sources())
EXACT_PAIRS = (sum(before % after in (0, 1) for before in range(1, 33) for after in range(1, before + 1)), 528)
"""Sizes up to 32 for which the rule of the slide is exact: the remainder is 0 or 1."""


def verify(source: str, fact: Fact, networks: Networks) -> Entry:
    """The entry of a figure as `fact` prints it; what other figures print stays."""
    return _verify(Case(fact, networks, {**INDEX, fact.id: fact}), source)


@pytest.fixture(scope="module")
def measured(networks: Networks) -> list[tuple[str, Entry]]:
    entries = ((source, verify(source, fact, networks)) for source, fact in choose_facts(None))
    return [(source, entry) for source, entry in entries if entry.value is not None]


def change_number(text: str, more: int) -> str:
    """Another number of the same form: its first digit that is not 0 is `more` higher, or another word."""
    if text.casefold() in _NUMBER_WORDS:
        words = [word for word, value in _NUMBER_WORDS.items() if value != _NUMBER_WORDS[text.casefold()]]
        return words[more]
    digit = re.search(r"[1-9]|\d$", text)
    assert digit is not None
    higher = (int(digit.group()) + more - 1) % 9 + 1
    return text[: digit.start()] + str(higher) + text[digit.end() :]


def perturb(fact: Fact) -> Iterator[tuple[str, list[Fact]]]:
    """Each number of the printed text, with two figures that print others in its place; a text without any, cut."""
    found = list(_NUMBER.finditer(fact.published))
    for match in found:
        start, end = match.span()
        changed = []
        for more in (1, 2):
            number = change_number(match.group(), more)
            plain = match.group().replace(",", "") == fact.printed_number
            digits = number.replace(",", "") if plain else fact.printed_number
            text = fact.published[:start] + number + fact.published[end:]
            changed.append(replace(fact, published=text, printed_number=digits))
        yield match.group(), changed
    if not found:
        yield fact.published, [replace(fact, published=f"{fact.published[:-2]}")]


def test_another_printed_number_is_another_verdict(measured: list[tuple[str, Entry]], networks: Networks) -> None:
    still = {
        (entry.fact.id, number)
        for source, entry in measured
        if entry.verdict in KEPT and entry.fact.id not in SETTINGS and entry.fact.id not in CORRECTED
        for number, changed in perturb(entry.fact)
        if all(verify(source, fact, networks).verdict == entry.verdict for fact in changed)
    }
    assert still == set()


def test_only_the_text_or_only_the_number_changed(measured: list[tuple[str, Entry]], networks: Networks) -> None:
    """A figure whose text and number differ agrees with nothing."""
    for source, entry in measured:
        if entry.fact.printed_number and entry.verdict in KEPT:
            more = change_number(entry.fact.printed_number, 1)
            assert verify(source, replace(entry.fact, printed_number=more), networks).verdict not in KEPT
            text = entry.fact.published.replace(",", "").replace(entry.fact.printed_number, more, 1)
            assert verify(source, replace(entry.fact, published=text), networks).verdict not in KEPT


def correct(source: str, entry: Entry, networks: Networks) -> Fact:
    """The figure as it should have been printed."""
    fact = entry.fact
    if fact.id in CORRECTED:
        return replace(fact, published=CORRECTED[fact.id], printed_number="-3.40" if "delta" in fact.id else "")
    reading = find_paper(source).measure(Case(fact, networks, INDEX)).reading
    assert isinstance(reading, Amount), fact.id
    exact = reading.value / fact.scale
    number = str(int(exact + Fraction(1, 2))) if "." not in fact.printed_number else f"{float(exact):.1f}"
    text = fact.published.replace(",", "").replace(fact.printed_number, number) if fact.printed_number else number
    return replace(fact, published=text, printed_number=number if fact.printed_number else "")


def test_a_corrected_figure_agrees(measured: list[tuple[str, Entry]], networks: Networks) -> None:
    odd = [(source, entry) for source, entry in measured if entry.verdict in ("wrong", "inconsistent")]
    named = [(source, entry) for source, entry in measured if entry.fact.id in CORRECTED]
    for source, entry in odd + named:
        if entry.fact.id not in TRUE_OF_NONE:
            found = verify(source, correct(source, entry, networks), networks)
            assert found.verdict == "agrees", (entry.fact.id, found)
    assert set(TRUE_OF_NONE) < {entry.fact.id for _, entry in odd}


def test_what_nothing_makes_right_is_measured_all_the_same(networks: Networks) -> None:
    def measure(identifier: str, published: str) -> Any:
        source = next(source for source, fact in choose_facts(None) if fact.id == identifier)
        return verify(source, replace(INDEX[identifier], published=published), networks).value

    # Only the first block of layer2, layer3 and layer4 strides: 3 of 16.
    assert measure("lab1061.basic.comment", "out = self.conv1(x) # 3x3 stride = 1") == (13, 16)
    # With the stride's rule the kernel, with its minus, is exact as often as the stride.
    right = measure("lecture.adaptive.kernel", "Kernel size = input_size - (output_size-1)*stride")
    assert right == EXACT_PAIRS
    # A stride of 1 is that of outputs of 1 (whose windows never step), and of equal or almost equal sizes.
    assert measure("lecture.adaptive.stride", "Stride = (1)")[0] < right[0]


# ------------------------------------------------------------------------------------------------------ other builders

INPUTS = {"vgg.input": "the image is the registry's, and not the builder's"}


def compare(before: dict[str, Entry], after: dict[str, Entry]) -> tuple[set[str], set[str]]:
    """Figures whose verdict moved (or whose value did, where it was odd before), and stale explanations."""
    moved, stale = set(), set()
    for name, entry in before.items():
        found = after[name]
        changed = found.value != entry.value
        if found.verdict != entry.verdict or (changed and entry.verdict in ("wrong", "inconsistent", "convention")):
            moved.add(name)
        numbers = re.search(r"\d[\d,.]{2}", found.explanation)
        if changed and found.value is not None and numbers and found.explanation == entry.explanation:
            stale.add(name)
    return moved, stale


def verify_all(identifiers: set[str] | None = None) -> dict[str, Entry]:
    chosen = [pair for pair in choose_facts(None) if identifiers is None or pair[1].id in identifiers]
    return {entry.fact.id: entry for entry in verify_facts(chosen)}


QUICK = {
    "alexnet.params",
    "cs231n.conv1.params_printed",
    "googlenet.conv1.params",
    "googlenet.5b.params",
    "lab1061.conv1",
    "lecture.resnet.shape.layer1",
    "resnet.t1.18.flops",
    "resnet.t6.20.params",
    "vgg.t2.A.params",
}


def test_a_changed_builder_is_another_verdict() -> None:
    before = verify_all(QUICK)
    with mutate_builders(enlarge_kernels):
        kernels = compare(before, verify_all(QUICK))
    with mutate_builders(double_channels):
        channels = compare(before, verify_all(QUICK))
    assert kernels[0] | channels[0] == QUICK
    assert kernels[1] | channels[1] == set()


def test_explanations_follow_the_value() -> None:
    before = verify_all({"googlenet.5b.params"})["googlenet.5b.params"]
    with mutate_builders(double_channels):
        after = verify_all({"googlenet.5b.params"})["googlenet.5b.params"]
    # Twice the channels in and out are four times the weights: 4*1,442,816 = 5,771,264.
    assert "1442816/1024 = 1409.00" in before.explanation
    assert after.value == 5_771_264
    assert "1442816" not in after.explanation
    assert after.unexplained or "5771264" in after.explanation


@pytest.mark.slow
def test_every_traced_figure_moves_with_the_network() -> None:
    before = {name: entry for name, entry in verify_all().items() if entry.value is not None}
    moved: set[str] = set()
    for mutation in MUTATIONS:
        with mutate_builders(mutation):
            found, stale = compare(before, verify_all(set(before)))
        # The share of three 3x3 in one 7x7 is the same for any number of channels.
        assert stale <= {"vgg.stack.params", "vgg.stack.pct"}, mutation.__name__
        moved |= found
    traced = {name for name, entry in before.items() if entry.fact.check == "trace"}
    assert traced - moved == set(INPUTS)
