"""Explanations as tables for people and as a document for programs."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from archscope.analysis.explain import Explanation, Line
from archscope.core.codec import fill
from archscope.core.documents.tables import ExplainDocument, ExplanationEntry, LineEntry
from archscope.core.saved import build_tensors
from archscope.core.table import Cell, Column, Row, Table
from archscope.core.trace import Trace
from archscope.core.units import plain_number
from archscope.tables.layer_text import format_shape
from archscope.tables.totals import describe_inputs, describe_pass

COLUMNS = (
    Column("layer", "layer", hidden=True),
    Column("quantity", ""),
    Column("arithmetic", "arithmetic", code=True),
    Column("result", "result"),
    Column("remark", "", flexible=True),
)
"""`result` holds the exact number where there is one."""

GAP = 2
"""Spaces between the columns of a terminal table."""
SHORTEST_WRAP = 24
"""Characters that a wrapped expression has at least, however narrow the terminal."""


def build_explanation_table(explanation: Explanation, width: int | None = None) -> Table:
    """One explanation: a row for each line, the arithmetic before its result.

    Where a terminal of `width` columns is too narrow, a long sum goes on in further rows and a remark stands beneath
    its line; nothing is cut.
    """
    wide = width is None or _measure_width(explanation) <= width
    limit = None if wide or width is None else _measure_room(explanation, width)
    rows = [row for line in explanation.lines for row in _build_rows(explanation, line, limit)]
    columns = COLUMNS if limit is None else COLUMNS[:-1]
    return Table(explanation.title, columns, tuple(rows), subtitle=describe_flow(explanation))


def build_handout_table(explanations: Iterable[Explanation], trace: Trace) -> Table:
    """All explanations in one table, each line with its layer: for CSV."""
    rows = [
        Row(row.cells)
        for explanation in explanations
        for line in explanation.lines
        for row in _build_rows(explanation, line, None)
    ]
    columns = (Column("layer", "layer"), *COLUMNS[1:])
    return Table(f"{trace.target}, layer by layer", columns, tuple(rows), subtitle=describe_trace(trace))


def describe_flow(explanation: Explanation) -> str:
    """`1x3x227x227 -> 1x96x55x55`."""
    sides = (_join_shapes(explanation.inputs), _join_shapes(explanation.outputs))
    return " -> ".join(side for side in sides if side)


def describe_trace(trace: Trace) -> str:
    """`1x3x224x224 · eval`."""
    return f"{describe_inputs(trace)} · {describe_pass(trace)}"


def build_explain_document(explanations: Sequence[Explanation], trace: Trace) -> ExplainDocument:
    """The document of explanations of one trace's layers."""
    entries = tuple(
        fill(ExplanationEntry, item, layer=item.path, lines=tuple(map(_build_line, item.lines)))
        for item in explanations
    )
    return fill(ExplainDocument, trace, inputs=build_tensors(trace.inputs), explanations=entries)


def _build_line(line: Line) -> LineEntry:
    words = {"expression": line.expression or None, "of": line.of or None}
    return fill(LineEntry, line, value=plain_number(line.value), text=line.shown, **words)


def _measure_width(explanation: Explanation) -> int:
    """Of the table with everything in one row each."""
    lines = explanation.lines
    texts = [
        [line.quantity for line in lines],
        [line.expression for line in lines] + ["arithmetic"],
        [f"= {line.shown}" for line in lines],
        [line.remark for line in lines],
    ]
    return sum(max(map(len, column), default=0) for column in texts) + GAP * (len(texts) - 1)


def _measure_room(explanation: Explanation, width: int) -> int:
    """What is left for the arithmetic beside its quantity and result."""
    quantity = max((len(line.quantity) for line in explanation.lines), default=0)
    result = max((len(line.shown) + GAP for line in explanation.lines), default=0)
    return max(SHORTEST_WRAP, width - quantity - result - 2 * GAP)


def _build_rows(explanation: Explanation, line: Line, limit: int | None) -> Iterator[Row]:
    """The rows of a line: one where there is no limit, else as many as its sum and its remark need."""
    layer = Cell(explanation.path or ".")
    texts = _wrap_sum(line.expression, limit)
    for number, text in enumerate(texts):
        first, ends = number == 0, number == len(texts) - 1
        shown = f"{'= ' if line.expression else ''}{line.shown}" if ends and line.shown else ""
        value = line.shown if line.value is None and line.shown else plain_number(line.value)
        cells: tuple[Cell, ...] = (
            layer,
            Cell(line.quantity if first else ""),
            Cell(text),
            Cell(shown, value if ends else None),
        )
        if limit is None:
            cells = (*cells, Cell(line.remark, mark="muted"))
        yield Row(cells, kind="section" if line.section and first else "body")
    if limit is not None and line.remark:
        for text in wrap(line.remark, limit + GAP + max(len(line.shown), 8)):
            yield Row((layer, Cell(""), Cell(text, span=2, mark="muted")))


def _wrap_sum(expression: str, limit: int | None) -> list[str]:
    """The expression in lines, broken before a `+` outside all brackets, else before a `*`."""
    if limit is None or len(expression) <= limit:
        return [expression]
    lines = [""]
    for term in _split(expression, "+"):
        pieces = [term] if len(term) <= limit else list(_split(term, "*", inside=True))
        for piece in pieces:
            if lines[-1] and len(lines[-1]) + len(piece) > limit:
                lines.append("")
            lines[-1] += piece
    return [line.strip() for line in lines]


def _split(expression: str, sign: str, *, inside: bool = False) -> Iterator[str]:
    """The pieces that begin with ` sign `, inside brackets only where asked for."""
    depth, start = 0, 0
    for place, character in enumerate(expression):
        depth += (character == "(") - (character == ")")
        if expression[place : place + 3] == f" {sign} " and (inside or not depth):
            yield expression[start:place]
            start = place
    yield expression[start:]


def _join_shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(format_shape(shape) for shape in shapes)
