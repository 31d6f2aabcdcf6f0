"""fvcore: a runnable model goes in; its flop count comes out, by operation.

It calls one multiply-add one flop, so its flops of products are MACs; it adds estimates for some operations that are
none, and skips operations it has no formula for.
"""

import logging
import warnings

from archscope.inspection.counters.subject import Runnable
from archscope.inspection.counters.tally import RawCount

PACKAGE = "fvcore"
PLACES = ("cpu", "meta")
"""Where it can run a model, in the order of trying: its jit trace checks values in some functions, which meta lacks."""

KINDS = {
    "conv": "convolution",
    **dict.fromkeys(("linear", "addmm", "matmul", "mm", "bmm", "einsum"), "product"),
}
"""Its operations by ours; any other is an estimate for something that is no product."""


def count(runnable: Runnable) -> RawCount:
    """Its counts. Raises what fvcore raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for torch.jit.script, which torch deprecates, when it is imported
        from fvcore.nn import FlopCountAnalysis, parameter_count

    module, inputs = runnable.by_position()
    analysis = FlopCountAnalysis(module, inputs)
    analysis.unsupported_ops_warnings(False)
    analysis.uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    flops = {str(name): int(number) for name, number in analysis.by_operator().items()}
    kinds: dict[str, int] = {}
    for name, number in flops.items():
        kind = KINDS.get(name, f"estimate {name}")
        kinds[kind] = kinds.get(kind, 0) + number
    total = sum(flops.values())
    return RawCount(
        params=int(parameter_count(runnable.module)[""]),
        macs=total,
        printed=f"{total:,} flops (1 per multiply-add)",
        by_kind=kinds,
        unsupported=tuple(sorted(str(name) for name in analysis.unsupported_ops())),
    )
