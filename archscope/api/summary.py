"""The `Summary` that `archscope.trace` returns: a trace with its costs, to look things up in, to print and to save."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archscope.core.codec import Document
from archscope.core.cost import CostReport
from archscope.core.errors import MissingPackageError, ModelError
from archscope.core.finding import Finding
from archscope.core.layer import Layer
from archscope.core.table import Table
from archscope.core.trace import Failure, SourceSpan, Trace
from archscope.rendering.formats import RenderOptions, find_format
from archscope.rendering.report import Report
from archscope.tables.layer_columns import check_columns
from archscope.tables.layers import LayerTableOptions, build_layer_table

if TYPE_CHECKING:
    from pandas import DataFrame

HEAD_ROWS = 8
"""Rows of the tree that the representation in a REPL shows."""


@dataclass(frozen=True, slots=True)
class Summary(Report):
    """One traced forward pass with its costs.

    Iterate over `layers`, look one up with `summary["layer1.0.conv2"]`, read `params` and `macs`, or take the rows
    away with `to_records()`.
    """

    trace: Trace
    costs: CostReport
    title: str
    """For headings: `resnet50 (stride in the 3x3 convolution, as torchvision)`."""
    view: LayerTableOptions = LayerTableOptions()  # noqa: RUF009  frozen
    """What its tables show: depth, folding, operations, receptive fields, a filter."""
    definition: SourceSpan | None = None
    """Where a user's file defines the model; None where it is not known."""

    # --- numbers ------------------------------------------------------------------------------------------------

    @property
    def params(self) -> int:
        """Parameters, each tensor once."""
        return self.trace.totals.params

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of the pass, or of the part that ran; None where an operation has no count."""
        return self.costs.macs

    @property
    def activation_bytes(self) -> int:
        """Activation memory: bytes of the outputs of all leaf layers, each call for itself, in-place ones too."""
        return self.trace.activation_bytes

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer call in the order of execution, the model itself first."""
        return tuple(map(Layer, self.trace.layers, self.costs.layers, self.trace.layer_activation_bytes))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reviewer would say of the model: parts that are not registered, shared or never used, ..."""
        return self.trace.findings

    def list_findings(self) -> Sequence[Finding]:
        """The same, as annotations for a CI: `--format github`."""
        return self.findings

    def __getitem__(self, name: str) -> Layer:
        """The call of the layer with that path; `PATH#2` is its second call. Raises UnknownLayerError, a KeyError."""
        call = self.trace[name]
        return Layer(call, self.costs.layers[call.id], self.trace.layer_activation_bytes[call.id])

    def __contains__(self, name: object) -> bool:
        return name in self.trace

    def __iter__(self) -> Iterator[Layer]:
        """The same as over `layers`."""
        return iter(self.layers)

    def to_records(self) -> list[dict[str, object]]:
        """One flat dict for each layer call: path, type, shapes, parameters, MACs, ..."""
        return [layer.to_record() for layer in self.layers]

    def to_dataframe(self) -> "DataFrame":
        """The records as a pandas DataFrame. Raises MissingPackageError where pandas is not installed."""
        try:
            from pandas import DataFrame
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                "to_dataframe needs pandas, which is not installed", "pip install pandas"
            ) from error
        return DataFrame(self.to_records())

    # --- as a report --------------------------------------------------------------------------------------------

    def build_document(self) -> Document:
        """The document `archscope.trace/1`; of a list that a filter asks for, or of chosen columns, the table's."""
        from archscope.core.saved import build_trace_document
        from archscope.tables.receptive import build_receptive_entries

        if self.view.selection is not None or self.view.columns:
            return Report.build_document(self)
        fields = build_receptive_entries(self.trace) if self.view.receptive else None
        return build_trace_document(self.trace, self.costs, ops=self.view.ops, receptive=fields)

    def to_dict(self, *, ops: bool = False) -> dict[str, Any]:
        """The JSON document `archscope.trace/1`; with `ops`, also every operation and the dataflow.

        Raises DataError where they are asked for and the trace was saved without them.
        """
        if ops:
            self.trace.check_ops()
        return Report.to_dict(replace(self, view=replace(self.view, ops=ops or self.view.ops)))

    def table(self, depth: int | None = None, *, columns: str | Sequence[str] = ()) -> Table:
        """The tree of layers as a table; `depth` cuts it, `columns` are named as `--columns` names them.

        Raises UnknownNameError, UsageError for columns that do not exist.
        """
        return build_layer_table(self.trace, self.costs, self._choose_view(depth, columns))

    def build_tables(self, width: int | None = None) -> Sequence[Table]:
        """The tree of layers, or the flat list that a filter asks for."""
        return (self.table(),)

    def build_data_table(self) -> Table:
        """The same with a row for each call: nothing is folded."""
        return replace(self, view=replace(self.view, fold=False)).table()

    def save(self, path: str | Path, *, ops: bool = True) -> None:
        """Write the summary beside `path` and rename it there; the suffix picks the format.

        A JSON file holds every operation unless `ops` is false, so that `archscope.load` gives every number back.
        Raises UnknownNameError for a suffix that is none, OutputError where the file cannot be written.
        """
        is_json = Path(path).suffix.casefold() == ".json"
        shown = replace(self, view=replace(self.view, ops=ops and self.trace.has_ops)) if is_json else self
        Report.save(shown, path)

    def show(self, depth: int | None = None, *, columns: str | Sequence[str] = ()) -> None:
        """Print the tree of layers as the command does; `depth` and `columns` are those of `table`."""
        Report.show(replace(self, view=self._choose_view(depth, columns)))

    def _choose_view(self, depth: int | None, columns: str | Sequence[str] = ()) -> LayerTableOptions:
        return replace(
            self.view,
            title=self.view.title or self.title,
            depth=self.view.depth if depth is None else depth,
            columns=check_columns(columns) if columns else self.view.columns,
        )

    def __repr__(self) -> str:
        """The head of the tree and the totals: what a REPL shows."""
        table = self.table(depth=1)
        lines = find_format("plain").render(replace(table, notes=table.notes[:1]), RenderOptions()).splitlines()
        head, rows, foot = lines[:4], lines[4:-2], lines[-2:]
        more = len(self.trace.layers) - len(rows[:HEAD_ROWS])
        note = [f"... {more} more layer calls: print(summary) shows them all"] if more > 0 else []
        return "\n".join([*head, *rows[:HEAD_ROWS], *note, *foot])


class ForwardError(ModelError):
    """The traced forward pass raised; `summary` holds everything before the failure, `__cause__` the original."""

    def __init__(self, summary: Summary, failure: Failure, remedy: str = "") -> None:
        super().__init__(describe_failure(summary.trace, failure), remedy)
        self.summary = summary
        self.report: Report = summary
        """What the command that was asked shows of the part that ran."""


def describe_failure(trace: Trace, failure: Failure) -> str:
    """One sentence: the layer, the shape it got, and what torch said."""
    if not trace.layers:
        return f"{failure.error}: {failure.message}".rstrip(": ")
    layer = trace.layers[failure.layer]
    name = f"{layer.path} ({layer.type})" if layer.path else layer.type
    return f"{name} failed on {_join_shapes(ref.shape for ref in layer.inputs[:3])}: {failure.told}"


def _join_shapes(shapes: Iterable[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "a scalar" for shape in shapes) or "its input"


def read_summary(path: Path) -> Summary:
    """The Summary in a file that `archscope trace -o x.json` wrote. Raises DataError where it cannot be read."""
    from archscope.core.codec import read_document
    from archscope.core.documents.trace import TraceDocument
    from archscope.core.saved import read_costs, read_trace

    document = read_document(path, TraceDocument)
    return Summary(read_trace(document, str(path)), read_costs(document), document.target)
