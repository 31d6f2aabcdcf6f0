"""A stranger's model against a network of the papers: the published figures of that network, and the network itself.

Each figure that is measured on the paper's network alone is measured on the model by the same measurer, and judged by
the same rules. What needs something that the model does not show, or is about other networks, is not comparable. The
papers leave much unsaid, so the totals and every layer with weights are also compared with our builder's, exactly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from archscope.core.errors import UnknownNameError
from archscope.core.trace import OpRecord
from archscope.models.entry import ModelEntry
from archscope.models.registry import find_entry
from archscope.observation import Observed
from archscope.papers.alignment import WEIGHTED, AlignedNet, Pair, describe_op
from archscope.papers.catalogue import find_paper
from archscope.papers.ledger import ODD, RECOMPUTABLE
from archscope.papers.measurement import MeasureError, Measurement, UnavailableError
from archscope.papers.networks import Net, Networks, classify_op
from archscope.papers.published import Fact, choose_facts, index_facts, list_sources
from archscope.papers.registry import Case
from archscope.papers.verdicts import judge_with_reason

Standing: TypeAlias = Literal["holds", "differs", "not comparable"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure beside the model."""

    fact: Fact
    source: str
    """Name of the source's file."""
    standing: Standing
    verdict: str = ""
    """The ledger's word for the printed figure beside what was measured: `agrees`, `rounded`, ...; empty without it."""
    measured: str = ""
    expected: str = ""
    """What the paper's network measures; empty where nothing was measured."""
    reason: str = ""
    """Why it is not comparable, or in what it differs."""


Value: TypeAlias = int | tuple[int, ...] | None
"""A count or a shape; None where a layer is missing, or MACs cannot be counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One quantity of the paper's network, as built in, and of the model."""

    place: str
    """Our path of the layer; empty for the whole network."""
    theirs: str
    """Their path of it; empty where they have none, or for the whole."""
    quantity: str
    """`parameters`, `MACs`, `input` and `output` (of the first tensor) of the whole; `output`, `weight`, `MACs`."""
    expected: Value
    measured: Value

    @property
    def holds(self) -> bool:
        """Whether both are the same."""
        return self.expected == self.measured


@dataclass(frozen=True, slots=True)
class Against:
    """A model beside a network of the papers."""

    entry: ModelEntry
    target: str
    title: str
    figures: tuple[Figure, ...]
    totals: tuple[Difference, ...]
    layers: tuple[Difference, ...]
    """Of every layer with weights: the output's shape, the weight's shape and the MACs."""

    @property
    def holds(self) -> bool:
        """Whether nothing that can be compared differs."""
        differs = any(figure.standing == "differs" for figure in self.figures)
        return not differs and all(item.holds for item in (*self.totals, *self.layers))


class ForeignError(MeasureError):
    """A figure is about another network."""


class _Subject(Networks):
    """One network that answers for a built-in model, and for no other."""

    def __init__(self, net: Net, entry: ModelEntry) -> None:
        super().__init__()
        self._net, self._entry = net, entry
        self.asked = False
        """Whether anything was asked of it."""

    def attempt(self, name: str, *, train: bool = False, **arguments: Any) -> Net:
        """The network. Raises ForeignError where another one is asked for."""
        try:
            own = find_entry(name)
        except UnknownNameError:
            raise ForeignError(f"it is measured on {name}") from None
        if own is not self._entry:
            raise ForeignError(f"it is a figure of {own.name}: --against {own.name}")
        if train:
            raise ForeignError(f"it is about {name} in training mode")
        if not self._has_defaults(arguments):
            given = ", ".join(f"{key}={value}" for key, value in arguments.items())
            raise ForeignError(f"it is about {name} with {given}")
        self.asked = True
        return self._net

    def attempt_module(self, key: str, *_: Any) -> Net:
        """Raises ForeignError: the figure is about a piece of code."""
        raise ForeignError(f"it is about other code: {key}")

    def _has_defaults(self, arguments: Mapping[str, Any]) -> bool:
        defaults = self._entry.defaults()
        return all(key in defaults and defaults[key] == value for key, value in arguments.items())


def compare_against(observed: Observed, reference: Net, entry: ModelEntry) -> Against:
    """Everything of `entry`, whose own trace is `reference`, beside the model that was observed."""
    net = AlignedNet(observed, reference)
    judge = _Judge(reference, net, entry, index_facts(*list_sources()))
    return Against(
        entry=entry,
        target=observed.trace.target,
        title=observed.title,
        figures=tuple(judge.judge(fact, source) for source, fact in choose_facts(entry.name)),
        totals=_compare_totals(reference, net),
        layers=tuple(item for pair in net.pairs for item in _compare_layer(pair, reference, net)),
    )


_SILENT = {"text": "it compares texts", "external": "it needs training, a data set or a competition's record"}


@dataclass(frozen=True, slots=True)
class _Judge:
    """Measures figures on both networks."""

    reference: Net
    net: AlignedNet
    entry: ModelEntry
    index: Mapping[str, Fact]

    def judge(self, fact: Fact, source: str) -> Figure:
        """One figure."""
        if fact.check not in RECOMPUTABLE:
            return Figure(fact, source, "not comparable", reason=_SILENT[fact.check])
        self.net.incomplete = self.net.recast
        try:
            expected = self._measure(fact, source, self.reference)
            measured = self._measure(fact, source, self.net)
        except MeasureError as error:
            reason = f"the model has no such part ({error.message})" if error.__cause__ else error.message
            return Figure(fact, source, "not comparable", reason=reason)
        except UnavailableError as error:
            return Figure(fact, source, "not comparable", reason=str(error))
        verdict, reason = judge_with_reason(fact, measured)
        own, _ = judge_with_reason(fact, expected)
        as_printed = verdict == own and (measured.value == expected.value or verdict == "convention")
        holds = verdict not in ODD or as_printed
        if not holds and self.net.incomplete:
            reason = "it is about layers that the model arranges in another way"
            return Figure(fact, source, "not comparable", reason=reason)
        return Figure(
            fact,
            source,
            "holds" if holds else "differs",
            verdict=verdict,
            measured=measured.text,
            expected=expected.text,
            reason=reason or measured.arithmetic,
        )

    def _measure(self, fact: Fact, source: str, net: Net) -> Measurement:
        subject = _Subject(net, self.entry)
        measurement = find_paper(source).measure(Case(fact, subject, self.index))
        if not subject.asked:
            raise MeasureError("no model enters it: it follows from other printed figures, or from other code")
        return measurement


def _compare_totals(reference: Net, net: Net) -> tuple[Difference, ...]:
    def tell(found: Net) -> dict[str, Value]:
        trace = found.trace
        return {
            "parameters": trace.totals.params,
            "MACs": found.observed.costs.macs,
            "input": next((ref.shape for ref in trace.inputs), None),
            "output": next((ref.shape for ref in trace.outputs), None),
        }

    ours, theirs = tell(reference), tell(net)
    return tuple(Difference("", "", quantity, ours[quantity], theirs[quantity]) for quantity in ours)


def _compare_layer(pair: Pair, reference: Net, net: AlignedNet) -> Iterator[Difference]:
    op = pair.ours or pair.theirs
    if op is None or classify_op(op) not in WEIGHTED:
        return
    place = reference.trace.layers[pair.ours.layer].path if pair.ours is not None else ""
    theirs = net.own_paths[pair.theirs.layer] if pair.theirs is not None else ""
    ours, measured = _tell_op(pair.ours, reference), _tell_op(pair.theirs, net)
    for quantity in ours:
        yield Difference(place, theirs, quantity, ours[quantity], measured[quantity])


def _tell_op(op: OpRecord | None, net: Net) -> dict[str, Value]:
    if op is None:
        return dict.fromkeys(("output", "weight", "MACs"))
    mark = describe_op(op)
    return {
        "output": mark.output,
        "weight": mark.weight,
        "MACs": net.observed.costs.ops[op.index].macs,
    }
