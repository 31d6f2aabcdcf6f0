"""Every format shows the same cells; a test reads each of them back."""

import csv
import io
import json
import re
from typing import Any

import jsonschema
import pytest

from archscope.core.documents import load_schema
from archscope.core.errors import UnknownNameError
from archscope.core.table import Cell, Column, Row, Table, get_value, place_cells
from archscope.rendering import FORMATS, find_format, find_format_by_suffix, list_formats, render

COLUMNS = (
    Column("layer", "layer"),
    Column("count", "count", kind="number", hidden=True),
    Column("type", "type", flexible=True),
    Column("params", "parameters", align="right", kind="number"),
    Column("share", "share", align="right", kind="share", optional=True),
)


def make_row(name: str, path: str, type_name: str, params: int | None, share: float | None, **more: Any) -> Row:
    number = Cell("unknown" if params is None else f"{params:,}", params)
    shown = Cell("" if share is None else f"{100 * share:.1f} %", share)
    return Row((Cell(name, path), Cell("1", 1), Cell(type_name), number, shown), **more)


@pytest.fixture
def table() -> Table:
    """A tree with every trap: bars, commas, quotes, brackets, backslashes, Korean, an empty cell, an unknown number."""
    return Table(
        title="net_1 50% [x] & 모델",
        subtitle="1x3 · eval",
        columns=COLUMNS,
        rows=(
            make_row("net_1", "", "Net|A", 1_234_567, None, depth=0),
            make_row("a_b", "a_b", 'Conv "x", y', 1_000_000, 0.75, depth=1),
            make_row("[0]", "a_b.[0]", r"back\slash {x} $1 #2 ^~<b>*", 0, None, depth=2),
            make_row("한글", "a_b.한글", "", None, 0.25, depth=2),
            make_row("c", "c", "a & b", 234_567, 0.004, depth=1),
            make_row("total", "total", "", 1_234_567, None, kind="total"),
        ),
        notes=("1.235 M parameters · 50 % of a_b", "second"),
    )


def list_texts(table: Table, *, paths: bool = False) -> list[list[str]]:
    """What people read, hidden columns left out."""
    rows = []
    for row in table.rows:
        texts = [
            str(cell.value) if paths and start == 0 and row.depth else cell.text
            for start, cell in place_cells(table, row)
            if not table.columns[start].hidden
        ]
        rows.append(texts)
    return rows


def list_values(table: Table) -> list[list[Any]]:
    return [[get_value(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)]
            for row in table.rows]  # fmt: skip


class TestAgreement:
    def test_csv(self, table: Table) -> None:
        header, *rows = csv.reader(io.StringIO(render(table, "csv")))
        assert header == ["layer", "count", "type", "params", "share"]
        assert rows == [["" if value is None else str(value) for value in row] for row in list_values(table)]

    def test_json(self, table: Table) -> None:
        text = render(table, "json")
        assert text.isascii()
        document = json.loads(text)
        jsonschema.Draft202012Validator(load_schema("table")).validate(document)
        assert [list(row.values()) for row in document["rows"]] == list_values(table)
        assert (document["title"], document["notes"]) == (table.title, list(table.notes))
        assert document["rows"][3]["params"] is None

    def test_markdown(self, table: Table) -> None:
        text = render(table, "md")
        lines = [line for line in text.splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
        plain = [[re.sub(r"\\(.)", r"\1", cell.strip("*") if index == 5 else cell) for cell in row]
                 for index, row in enumerate(rows)]  # fmt: skip
        plain = [[cell.replace("&lt;", "<").replace("&amp;", "&") for cell in row] for row in plain]
        assert plain == list_texts(table, paths=True)
        assert "second" in text

    def test_latex(self, table: Table) -> None:
        rows = [line.removesuffix(r" \\") for line in render(table, "tex").splitlines() if line.endswith(r"\\")]
        unescaped = []
        for row in rows[1:]:
            cells = [re.sub(r"^\\hspace\*\{\dem\}", "", cell) for cell in re.split(r"(?<!\\) ?& ?", row)]
            unescaped.append([unescape_latex(cell).strip() for cell in cells])
        assert unescaped == list_texts(table)

    def test_text(self, table: Table) -> None:
        # Only the tree lines, the bars and the columns' places differ from the cells.
        for text in (render(table, "plain"), render(table, "table"), render(table, "table", encoding="cp949")):
            lines = [re.sub(r"^[├└│|` -]+| [▏▎▍▌▋▊▉█#]+$", "", line).split() for line in text.splitlines()]
            for row in list_texts(table):
                assert " ".join(row).split() in lines, row


class TestMarkdown:
    def test_a_cell_over_several_columns_stands_in_each(self) -> None:
        columns = (Column("row", ""), *(Column(name, name, align="center") for name in "ABC"))
        rows = (Row((Cell("pool1"), Cell("maxpool", span=3))), Row((Cell("conv"), Cell("x", span=2), Cell("y"))))
        lines = render(Table("", columns, rows), "md").splitlines()
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
        assert cells == [["pool1", "maxpool", "maxpool", "maxpool"], ["conv", "x", "x", "y"]]

    def test_a_line_over_the_whole_table_stands_in_the_first_cell(self) -> None:
        columns = (Column("a", "a"), Column("b", "b"))
        rows = (Row((Cell("He et al.", span=2),), kind="section"), Row((Cell("28 figures", span=2),)))
        lines = render(Table("", columns, rows), "md").splitlines()
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
        assert cells == [["**He et al.**", ""], ["28 figures", ""]]

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("64 * (3 * 3 * 3)", "`64 * (3 * 3 * 3)`"),
            ("a_b * c_d", "`a_b * c_d`"),
            ("a | b", r"`a \| b`"),
            ("a < b & c", "`a < b & c`"),
            ("say `x`", "`` say `x` ``"),
            ("", ""),
        ],
    )
    def test_arithmetic_is_code(self, text: str, shown: str) -> None:
        table = Table("", (Column("a", "a", code=True),), (Row((Cell(text),)),))
        assert render(table, "md").splitlines()[2].removeprefix("|").removesuffix("|").strip() == shown

    def test_explanations_keep_their_signs(self) -> None:
        from archscope import api

        lines = api.explain("vgg16", "features.24").render("md").splitlines()
        assert any("`512 * (512 * 3 * 3) + 512`" in line for line in lines)


def unescape_latex(text: str) -> str:
    for plain, command in {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "[": "{[}", "]": "{]}", "*": "{*}",
    }.items():  # fmt: skip
        text = text.replace(command, f"\0{ord(plain)};")
    text = re.sub(r"\\([{}$&#%_])", r"\1", text)
    return re.sub("\0(\\d+);", lambda match: chr(int(match[1])), text)


class TestLatex:
    def check_syntax(self, text: str) -> None:
        """What TeX would stumble over: braces, environments, the number of cells, bare special characters."""
        body = "\n".join(re.sub(r"([{}])%$", r"\1", line) for line in text.splitlines() if not line.startswith("%"))
        bare = re.sub(r"\\[{}$&#%_\\]", "", body)
        assert bare.count("{") == bare.count("}")
        assert not re.search(r"(?<!\\)[#_%~^\"]", bare.replace(r"\textasciitilde", ""))
        assert bare.count("$") % 2 == 0
        begins, ends = re.findall(r"\\begin\{(\w+)\}", body), re.findall(r"\\end\{(\w+)\}", body)
        assert begins == ends
        columns = re.search(r"\\begin\{(?:tabular|longtable)\}\{@\{\}(.+)@\{\}\}", body)
        assert columns
        types = re.sub(r">\{[^}]*\}p\{[^}]*\}", "l", columns[1])
        assert set(types) <= set("lrc")
        for line in body.splitlines():
            if line.endswith(r"\\"):
                assert len(re.findall(r"(?<!\\)&", line)) == len(types) - 1
                assert not line.lstrip().startswith(("[", "*"))

    def test_it_is_well_formed(self, table: Table) -> None:
        text = render(table, "tex")
        self.check_syntax(text)
        assert r"\usepackage{booktabs,graphicx}" in text
        assert text.count(r"\midrule") == 2

    def test_long_tables_break_across_pages(self, table: Table) -> None:
        row = table.rows[1]
        text = render(Table(table.title, table.columns, (row,) * 46), "tex")
        self.check_syntax(text)
        assert r"\begin{longtable}" in text
        assert r"\endhead" in text

    def test_spans(self) -> None:
        columns = (Column("a", "a"), Column("b", "b", hidden=True), Column("c", "c"), Column("d", "d"))
        text = render(Table("", columns, (Row((Cell("wide", span=3), Cell("x"))),)), "tex")
        assert r"\multicolumn{2}{@{}l}{wide} & x \\" in text
        text = render(Table("", columns, (Row((Cell("all", span=4),)),)), "tex")
        assert r"\multicolumn{3}{@{}l@{}}{all} \\" in text

    @pytest.mark.parametrize(
        ("characters", "rows", "page", "size", "broken"),
        [
            (80, 50, "a4paper,margin", "", False),
            (100, 50, "a4paper,margin", r"\footnotesize", False),
            (120, 50, "landscape", "", False),
            (170, 50, "landscape", r"\scriptsize", False),
            (300, 50, "landscape", r"\scriptsize", True),
            (170, 5, "landscape", "", False),
            (300, 5, "landscape", "", True),
        ],
    )
    def test_wide_tables_fit_the_page(self, characters: int, rows: int, page: str, size: str, broken: bool) -> None:
        columns = (Column("a", "a"), Column("b", "b"), Column("c", "c", align="right", kind="number"))
        row = Row((Cell("layer"), Cell("x " * ((characters - 5) // 2)), Cell("12345", 12345)))
        text = render(Table("", columns, (row,) * rows), "tex")
        self.check_syntax(text)
        (line,) = [line for line in text.splitlines() if "documentclass" in line]
        assert page in line
        assert rf"\begingroup{size}" in text
        assert (r">{\raggedright\arraybackslash}p{0." in text) is broken
        assert ("array}" in line) is broken


class TestFormatMap:
    def test_no_word_or_suffix_is_taken_twice(self) -> None:
        words = list_formats()
        suffixes = [suffix for entry in FORMATS for suffix in entry.suffixes]
        assert len(set(words)) == len(words)
        assert len(set(suffixes)) == len(suffixes)

    @pytest.mark.parametrize(
        ("path", "name"), [("a.tex", "tex"), ("b.MD", "md"), ("c.csv", "csv"), ("d.json", "json"), ("e.txt", "plain")]
    )
    def test_suffixes(self, path: str, name: str) -> None:
        assert find_format_by_suffix(path).name == name

    @pytest.mark.parametrize(("word", "name"), [("latex", "tex"), ("Markdown", "md"), ("table", "table")])
    def test_words(self, word: str, name: str) -> None:
        assert find_format(word).name == name

    def test_what_is_unknown_names_what_is_near(self) -> None:
        with pytest.raises(UnknownNameError) as caught:
            find_format("jsno")
        assert "did you mean json" in caught.value.remedy
        with pytest.raises(UnknownNameError, match=r"unknown file suffix '\.pdf'"):
            find_format_by_suffix("x.pdf")
        with pytest.raises(UnknownNameError, match="unknown file suffix 'noend'"):
            find_format_by_suffix("noend")

    def test_rows_must_fill_their_table(self) -> None:
        table = Table("", (Column("a", "a"), Column("b", "b")), (Row((Cell("x"),)),))
        with pytest.raises(ValueError, match="a row of 1 columns in a table of 2"):
            render(table, "csv")
