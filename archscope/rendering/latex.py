"""A Table goes in; a LaTeX table in the style of booktabs comes out, for a paper to include."""

from archscope.core.table import Row, Table, place_cells

LONGEST_TABULAR = 45
"""Rows that fit on a page; longer tables are set with longtable."""

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
    "\n": " ",
}
_TABLE = str.maketrans(_ESCAPES)


def escape_latex(text: str) -> str:
    """`text` such that LaTeX prints it as it is."""
    return text.translate(_TABLE)


def render_latex(table: Table) -> str:
    """The LaTeX of `table`: comments that say what it needs, then a `tabular`, or a `longtable` where it is long."""
    shown = [index for index, column in enumerate(table.columns) if not column.hidden]
    environment = "longtable" if len(table.rows) > LONGEST_TABULAR else "tabular"
    packages = "booktabs,longtable" if environment == "longtable" else "booktabs"
    aligns = "".join(table.columns[index].align[0] for index in shown)
    header = " & ".join(escape_latex(table.columns[index].title) for index in shown)
    preamble = rf"\usepackage[T1]{{fontenc}}\usepackage{{{packages}}}"
    lines = [
        *_comment(table.title, table.subtitle),
        rf"% needs {preamble}; alone it compiles as",
        rf"% \documentclass{{article}}{preamble}\begin{{document}}\input{{THIS FILE}}\end{{document}}",
        rf"\begin{{{environment}}}{{@{{}}{aligns}@{{}}}}",
        r"\toprule",
        rf"{header} \\",
        r"\midrule",
        *([r"\endhead"] if environment == "longtable" else []),
    ]
    for number, row in enumerate(table.rows):
        if row.kind != "body" and number:
            lines.append(r"\midrule")
        lines.append(rf"{_render_row(table, row, shown)} \\")
    lines += [r"\bottomrule", rf"\end{{{environment}}}", *_comment(*table.notes)]
    return "\n".join(lines) + "\n"


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
            text = rf"\multicolumn{{{len(covered)}}}{{{table.columns[start].align[0]}}}{{{text}}}"
        texts.append(text)
    return " & ".join(texts)


def _comment(*texts: str) -> list[str]:
    return [f"% {line}" for text in texts for line in text.splitlines() if line]
