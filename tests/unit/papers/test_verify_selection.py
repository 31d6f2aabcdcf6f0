"""Which figures a word means, and how they are shown."""

from typing import Any

import pytest

from archscope.core.errors import UnknownNameError
from archscope.papers.ledger import Entry
from archscope.papers.published import Fact, choose_facts, list_sources, load_source
from archscope.papers.report import (
    ReportOptions,
    build_ledger,
    build_report,
    count_verdicts,
    list_findings,
    name_authors,
)
from archscope.rendering import render


def identify(word: str | None) -> set[str]:
    return {fact.id for _, fact in choose_facts(word)}


@pytest.mark.parametrize(
    ("word", "source", "count"),
    [
        ("he2015", "he2015_resnet", 174),
        ("he2015_resnet", "he2015_resnet", 174),
        ("lab-10-5-1", "lab_10_5_1_vgg", 8),
        ("LECTURE", "lecture", 67),
        ("ilsvrc", "ilsvrc_winners", 34),
        ("cs231n-alexnet", "alexnet_cs231n_table", 28),
    ],
)
def test_a_source(word: str, source: str, count: int) -> None:
    chosen = choose_facts(word)
    assert {name for name, _ in chosen} == {source}
    assert len(chosen) == count


def test_all() -> None:
    assert len(choose_facts(None)) == 814


@pytest.mark.parametrize(
    ("word", "inside", "outside"),
    [
        ("vgg16", ["vgg.t2.D.params", "resnet.vgg16", "lecture.vgg.table.D"], ["vgg.t2.E.params", "lab1052.cfg"]),
        ("VGG-D", ["vgg.t2.D.params"], ["vgg.t2.A.params"]),
        ("vgg16_cifar", ["lab1052.cfg", "lecture.cifar.in"], ["vgg.t2.D.params"]),
        ("resnet50", ["resnet.t1.50.flops", "resnet.text.50", "lab1061.fc"], ["lab1062.layers"]),
        ("resnet50_v1", ["resnet.t1.50.flops"], ["resnet.t1.34.flops"]),
        ("alexnet", ["alexnet.params", "cs231n.groups", "ilsvrc.2012.layers"], ["vgg.t2.D.params"]),
        ("googlenet", ["googlenet.conv1.params", "ilsvrc.2014.layers"], ["resnet.vgg16"]),
        ("googlenet.5a", ["googlenet.5a.params", "googlenet.5a.ops"], ["googlenet.5b.params"]),
        ("googlenet.5a.ops", ["googlenet.5a.ops"], ["googlenet.5a.params"]),
        ("resnet", ["resnet.t6.20.params", "lab1062.layers"], ["resnet.nothing"]),
    ],
)
def test_a_model_or_a_figure(word: str, inside: list[str], outside: list[str]) -> None:
    found = identify(word)
    assert set(inside) <= found
    assert not set(outside) & found


def test_the_paper_comes_first() -> None:
    assert choose_facts("googlenet")[0][0] == "szegedy2014_googlenet"


def test_an_unknown_word_is_told_its_neighbours() -> None:
    with pytest.raises(UnknownNameError) as caught:
        choose_facts("googlnet")
    assert "googlenet" in caught.value.suggestions


def make_entry(identifier: str, verdict: Any, **fields: Any) -> Entry:
    fact = Fact(
        id=identifier,
        model="Net",
        where="total",
        quantity="params",
        published="12K",
        rounding="exact",
        locus="Table 1",
        check="trace",
        confirmed=True,
    )
    return Entry(fact, "szegedy2014_googlenet", verdict, **fields)


ENTRIES = [
    make_entry("a", "agrees", measured="12,000", value=12_000),
    make_entry("b", "wrong", measured="13,000", value=13_000, explanation="3*4 = 12 is not 13."),
    make_entry("c", "wrong", measured="14,000", value=14_000, arithmetic="2*7 = 14", reason=""),
    make_entry("d", "not recomputable", reason="needs training (a result)"),
    make_entry("e", "not recomputable", reason="failed: no layer", failed=True),
]


def test_a_report() -> None:
    text = render(build_report(ENTRIES, ReportOptions("Figures")), "plain")
    assert "Szegedy et al. 2014: Going Deeper with Convolutions" in text
    assert "5 figures, 3 measured: 1 agree, 2 wrong" in text
    assert "[1] 3*4 = 12 is not 13." in text
    assert "[2] no explanation is known | 2*7 = 14" in text
    assert "[3] failed: no layer" in text
    assert "not recomputable, needs training (1): d" in text


def test_only_odd_figures_have_rows_where_all_are_asked_for() -> None:
    rows = [row.cells[0].text for row in build_report(ENTRIES, ReportOptions("F", only_odd=True)).rows]
    assert [row for row in rows if len(row) == 1] == ["b", "c", "e"]


def test_a_filter() -> None:
    options = ReportOptions("F", verdicts=("not recomputable",))
    assert [row.cells[0].text for row in build_report(ENTRIES, options).rows][2:4] == ["d", "e"]
    assert [row.cells[0].text for row in build_ledger(ENTRIES, options).rows] == ["d", "e"]
    assert build_report(ENTRIES, ReportOptions("F", verdicts=("rounded",))).rows[:-1] == ()


def test_findings() -> None:
    found = {finding.place: finding for finding in list_findings(ENTRIES)}
    assert set(found) == {"b", "c", "e"}
    assert [found[name].severity for name in "bce"] == ["note", "error", "error"]
    assert found["b"].code == "verify-wrong"


def test_counts() -> None:
    assert count_verdicts(ENTRIES[3:]) == "2 figures, 0 measured"


def test_authors() -> None:
    named = {load_source(name).key: name_authors(load_source(name)) for name in list_sources()}
    assert named["simonyan2014"] == "Simonyan and Zisserman"
    assert named["szegedy2014"] == "Szegedy et al."
    assert named["cs231n-alexnet"] == "Li et al."
    assert named["lecture"] == "ESC team 1"
