"""What is known of an operator, said once; MACs, receptive fields, explanations, tables and the tracer read it here."""

from dataclasses import dataclass
from typing import Any, Literal

from archscope.core.trace import OpRecord, ValueRef

Kind = Literal[
    "convolution", "product", "attention", "recurrent", "encoder", "backward", "pool", "adaptive pool",
    "normalisation", "activation", "reduction", "mixing", "resampling", "padding", "concatenation", "addition",
    "layout", "copy", "fill", "other",
]  # fmt: skip
"""`backward` is the gradient of a counted kind, `mixing` a softmax or cumulative sum along one axis, `layout` a view
or a permutation, `fill` a tensor of one constant; `other` costs nothing and has no class of its own."""

BY_KIND = "by kind"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator, all its overloads and its in-place form together. What is left out follows from the kind."""

    name: str
    """Qualified name without the overload and without the underscore of an in-place form: `aten.convolution`."""
    kind: Kind
    formula: str = BY_KIND
    """Which of `analysis.macs.FORMULAS` counts it; empty where it costs nothing."""
    reason: str = ""
    """Why it cannot be counted, where it cannot."""
    reading: str = BY_KIND
    """Which rule of `analysis.receptive` follows it; a word without a rule means position by position."""
    data: tuple[str, ...] = ()
    """What its input, or the left factor of a product, may be called in the schema: the first that is there counts."""
    weight: tuple[str, ...] = ()
    """The same of the weight, or the right factor."""
    bias: tuple[str, ...] = ()
    """The same of what is added."""
    window: Literal["sliding", "adaptive", "none", "by kind"] = "by kind"
    transposed: bool = False
    """Always transposed; `aten.convolution` has an argument for it."""
    dimensions: int = 0
    """Dimensions that a window slides along; read off the name where 0: `max_pool2d`."""
    taps: int = 1
    """Source positions along one axis that one interpolated value lies between: 1 nearest, 2 linear, 4 cubic."""
    view: bool = False
    """Its outputs share the storage of its first input."""
    title: str = BY_KIND
    """What the lecture's table calls it: `CONV`, `MAX POOL`, `FC`, `batch normalisation`; empty where it has no row."""
    dtypes: Literal["one", "parameters", "any", "by kind"] = "by kind"
    """`one`: a real kernel refuses operands of several dtypes; `parameters`: but for float32 ones beside half data."""
    updates: tuple[str, ...] = ()
    """Arguments that it writes to in training mode although its schema does not say so."""
    bound: str = ""
    """The name of the function that bounds its values, where they are no free scores: `softmax`, `ReLU`."""
    rectifies: bool = False
    """Cuts what is negative: units can die."""
    reads_values: bool = False
    """Hands the values of a tensor to Python."""

    def __post_init__(self) -> None:
        """Fill in what follows from the kind and the name."""
        digit = next((int(sign) for sign in self.name if sign in "123"), 2)
        defaults = {**_DEFAULTS, "reading": self.kind, "dimensions": digit, **_BY_KIND.get(self.kind, {})}
        for field, value in defaults.items():
            if getattr(self, field) in (BY_KIND, (), 0):
                object.__setattr__(self, field, value)

    @property
    def free(self) -> bool:
        """Whether it costs no MACs."""
        return not self.formula and not self.reason

    def find_data(self, op: OpRecord) -> ValueRef:
        """The call's input, or left factor; its first operand where none has such a name."""
        return _find_operand(op, self.data) or op.inputs[0]

    def find_weight(self, op: OpRecord) -> ValueRef | None:
        """The call's weight, or right factor."""
        return _find_operand(op, self.weight)


def _find_operand(op: OpRecord, names: tuple[str, ...]) -> ValueRef | None:
    return next((ref for name in names if (ref := op.operand(name)) is not None), None)


_DEFAULTS: dict[str, Any] = {"formula": "", "window": "none", "title": "", "dtypes": "any", "data": ("input", "self")}
_BY_KIND: dict[Kind, dict[str, Any]] = {
    "convolution": {
        "formula": "convolution",
        "window": "sliding",
        "title": "CONV",
        "dtypes": "one",
        "data": ("input", "self", "qx"),
        "weight": ("weight", "packed_weight", "weight.0", "packed_weight.0"),
        "bias": ("bias",),
    },
    "product": {
        "formula": "product",
        "title": "FC",
        "dtypes": "one",
        "data": ("self", "input"),
        "weight": ("mat2", "weight"),
        "bias": ("bias",),
    },
    "attention": {"formula": "attention"},
    "recurrent": {"formula": "recurrent"},
    "pool": {"window": "sliding", "title": "POOL"},
    "adaptive pool": {"window": "adaptive", "title": "POOL"},
    "normalisation": {"title": "normalisation", "dtypes": "parameters", "weight": ("weight",), "bias": ("bias",)},
}

OPERATORS: dict[str, Operator] = {}
"""By name."""

FREE_FAMILIES = ("aten._foreach_", "aten._fused_", "prims.", "quantized_decomposed.", "profiler.")
"""Element-wise updates, optimizer steps, primitive element-wise operations and (de)quantisation."""


def register_operator(operator: Operator) -> None:
    """Make an operator known. Raises ValueError where its name is taken."""
    if operator.name in OPERATORS:
        raise ValueError(f"operator {operator.name} is registered twice")
    OPERATORS[operator.name] = operator


def find_operator(name: str) -> Operator | None:
    """The operator of that name (`aten.relu`), of its in-place form (`aten.relu_`) or of a family that is free."""
    found = OPERATORS.get(name) or OPERATORS.get(name.removesuffix("_"))
    if found is None and name.startswith(FREE_FAMILIES):
        return Operator(name, "other")
    return found


def find_kind(name: str) -> Kind | None:
    """The kind of the operator of that name, where it is known."""
    found = find_operator(name)
    return found.kind if found is not None else None


def register_all(kind: Kind, names: str, prefix: str = "aten.", **fields: Any) -> None:
    """Register operators that differ in nothing but their names, which spaces divide."""
    for name in names.split():
        register_operator(Operator(prefix + name, kind, **fields))
