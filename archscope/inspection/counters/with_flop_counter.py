"""torch's FlopCounterMode: a runnable model goes in; half its FLOPs come out, by operation.

It counts two FLOPs for each multiply-add of convolutions, matrix products and attention, and nothing else.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from archscope.analysis.macs import FORMULAS
from archscope.inspection.counters.subject import Runnable
from archscope.inspection.counters.tally import RawCount

PACKAGE = "torch"
PLACES = ("meta", "cpu")
"""Where it can run a model, in the order of trying: it reads shapes only."""


def count(runnable: Runnable) -> RawCount:
    """Its counts. Raises what the forward pass raises."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        runnable.module(*runnable.args, **runnable.kwargs)
    kinds: dict[str, int] = {}
    for operator, flops in counter.get_flop_counts().get("Global", {}).items():
        formula = FORMULAS.get(_name(operator))
        kind = formula.kind if formula is not None else f"estimate {_name(operator)}"
        kinds[kind] = kinds.get(kind, 0) + int(flops) // 2
    total = int(counter.get_total_flops())
    return RawCount(None, total // 2, f"{total:,} FLOPs (2 per multiply-add)", by_kind=kinds)


def knows(name: str) -> bool:
    """Whether it has a formula for the operation of that name (`aten.convolution`)."""
    return name in {_name(operator) for operator in flop_registry}


def _name(operator: object) -> str:
    return str(operator).removesuffix(".default")
