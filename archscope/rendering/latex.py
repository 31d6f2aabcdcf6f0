"""A table in the style of LaTeX's booktabs, for a paper to include.

What is wider than the page is made to fit it: the page is turned, the type gets smaller, and the longest texts of a
`longtable` are broken into lines; a `tabular` is scaled down to the line that it is included in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from archscope.core.table import Cell, Row, Table, place_cells
from archscope.rendering.lines import measure

PORTRAIT, LANDSCAPE = "a4paper,margin=2cm", "a4paper,landscape,margin=2cm"

ROWS = {PORTRAIT: 45, LANDSCAPE: 30}
"""Rows that fit on a page; longer tables are set with longtable."""

PAGES = (
    (PORTRAIT, "", 92),
    (PORTRAIT, r"\small", 102),
    (PORTRAIT, r"\footnotesize", 112),
    (LANDSCAPE, "", 140),
    (LANDSCAPE, r"\small", 154),
    (LANDSCAPE, r"\footnotesize", 170),
    (LANDSCAPE, r"\scriptsize", 184),
)
"""The page, the size of type, and how many characters then fit on a line of 483 pt, or 731 pt on a turned page."""

GAP = 2.5
"""Characters that the space between two columns takes."""

WIDEST_TABULAR = 240
"""In characters: what is wider would be scaled down too far to be read, so its longest texts are broken as well."""

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    # At the start of a row, after the \\ of the one before, these would be taken for its arguments.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "…": r"\dots{}",
}
_TABLE = str.maketrans(_ESCAPES)


def escape_latex(text: str) -> str:
    """`text` such that LaTeX prints it as it is."""
    return text.translate(_TABLE)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a table is set."""

    long: bool
    """Whether it is a longtable; else a tabular."""
    page: str
    size: str
    """The command for the size of type; empty for the size there is."""
    shares: dict[int, float] = field(default_factory=dict)
    """By column: its share of the line, where its texts are broken."""


def render_latex(table: Table) -> str:
    """The LaTeX of `table`: comments that say what it needs, then a `tabular`, or a `longtable` where it is long."""
    shown = [index for index, column in enumerate(table.columns) if not column.hidden]
    form = _choose_form(table, shown)
    packages = ["booktabs", "longtable" if form.long else "graphicx", *(["array"] if form.shares else [])]
    preamble = rf"\usepackage[T1]{{fontenc}}\usepackage{{{','.join(packages)}}}"
    page = rf"\usepackage[{form.page}]{{geometry}}"
    types = "".join(_write_type(table, form, index) for index in shown)
    header = " & ".join(escape_latex(table.columns[index].title) for index in shown)
    lines = [
        *_comment(table.title, table.subtitle),
        rf"% needs {preamble}; alone it compiles as",
        rf"% \documentclass{{article}}{preamble}{page}\begin{{document}}\input{{THIS FILE}}\end{{document}}",
        *(["% a longtable settles its columns when LaTeX is run for the third time"] if form.long else []),
        *([rf"\begingroup{form.size}"] if form.long else [r"\begingroup\setbox0=\hbox{%"]),
        rf"\begin{{{'longtable' if form.long else 'tabular'}}}{{@{{}}{types}@{{}}}}",
        r"\toprule",
        rf"{header} \\",
        r"\midrule",
        *([r"\endhead"] if form.long else []),
    ]
    for number, row in enumerate(table.rows):
        if row.kind != "body" and number:
            lines.append(r"\midrule")
        lines.append(rf"{_render_row(table, row, shown)} \\")
    lines += [
        r"\bottomrule",
        *([r"\end{longtable}"] if form.long else [r"\end{tabular}}%", FIT]),
        r"\endgroup",
        *_comment(*table.notes),
    ]
    return "\n".join(lines) + "\n"


FIT = r"\noindent\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\box0}\else\box0\fi"
"""Sets the box as it is, or as wide as the line where it is wider."""


def _choose_form(table: Table, shown: list[int]) -> _Form:
    widths = {index: float(measure(table.columns[index].title)) for index in shown}
    for start, cell, depth in _list_cells(table):
        if cell.span == 1 and start in widths:
            widths[start] = max(widths[start], measure(cell.text) + 2 * depth)
    widths = {index: width + GAP for index, width in widths.items()}
    total = sum(widths.values())
    page, size, line = next((entry for entry in PAGES if total <= entry[2]), PAGES[-1])
    long = len(table.rows) > ROWS[page]
    broken = total > (line if long else max(line, WIDEST_TABULAR))
    return _Form(long, page, size, _share(widths, line) if broken else {})


def _share(widths: dict[int, float], line: int) -> dict[int, float]:
    """The shares of the widest columns, as few of them as will do, of what the others leave of the line."""
    rest = dict(widths)
    broken: list[int] = []
    each = 0.0
    while rest and each < max(rest.values()):
        broken.append(max(rest, key=lambda index: rest[index]))
        del rest[broken[-1]]
        each = (line - sum(rest.values())) / len(broken)
    return dict.fromkeys(broken, (each - GAP) / line)


def _write_type(table: Table, form: _Form, index: int) -> str:
    align = table.columns[index].align
    if index not in form.shares:
        return align[0]
    side = {"left": "raggedright", "right": "raggedleft", "center": "centering"}[align]
    return rf">{{\{side}\arraybackslash}}p{{{form.shares[index]:.3f}\linewidth}}"


def _list_cells(table: Table) -> Iterator[tuple[int, Cell, int]]:
    for row in table.rows:
        for start, cell in place_cells(table, row):
            yield start, cell, (row.depth or 0) if start == 0 else 0


def _render_row(table: Table, row: Row, shown: list[int]) -> str:
    texts = []
    for start, cell in place_cells(table, row):
        covered = [index for index in range(start, start + cell.span) if index in shown]
        if not covered:
            continue
        text = escape_latex(cell.text)
        if start == 0 and row.depth:
            text = rf"\hspace*{{{row.depth}em}}{text}"
        if len(covered) > 1:
            align = _write_edges(table.columns[start].align[0], covered, shown)
            text = rf"\multicolumn{{{len(covered)}}}{{{align}}}{{{text}}}"
        texts.append(text)
    return " & ".join(texts)


def _write_edges(align: str, covered: list[int], shown: list[int]) -> str:
    """The column type of a cell that covers several columns: flush with the table where it reaches its edge."""
    left = "@{}" if covered[0] == shown[0] else ""
    right = "@{}" if covered[-1] == shown[-1] else ""
    return f"{left}{align}{right}"


def _comment(*texts: str) -> list[str]:
    return [f"% {line}" for text in texts for line in text.splitlines() if line]
