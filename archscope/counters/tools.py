"""Other tools' counts: torchinfo, fvcore and torch's FlopCounterMode, each imported late."""

import logging
import warnings

import torch
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from archscope.core.operators import find_operator
from archscope.counters.runnable import Runnable
from archscope.counters.tool_count import RawCount
from archscope.modules import is_training, iterate_parameters, name_modules

TORCHINFO = "torchinfo"
TORCHINFO_PLACES = ("meta", "cpu")
"""Where it can run a model, in the order of trying: it reads shapes only."""


def count_with_torchinfo(runnable: Runnable) -> RawCount:
    """Its counts. Raises what torchinfo raises."""
    import torchinfo

    module, inputs = runnable.by_position()
    device = next((tensor.device for tensor in iterate_parameters(runnable.module)), None)
    found = torchinfo.summary(
        module,
        input_data=list(inputs) or None,
        device=device,
        mode="train" if is_training(runnable.module) else "eval",
        verbose=0,
    )
    names = {id(module): name for name, module in name_modules(runnable.module)}
    layers: dict[str, int] = {}
    for info in found.summary_list:
        if info.is_leaf_layer:
            name = names.get(id(info.module), info.var_name)
            layers[name] = layers.get(name, 0) + info.macs
    macs = int(found.total_mult_adds)
    return RawCount(int(found.total_params), macs, f"{macs:,} mult-adds", by_layer=layers)


FVCORE = "fvcore"
FVCORE_PLACES = ("cpu", "meta")
"""Where it can run a model, in the order of trying: its jit trace checks values in some functions, which meta lacks."""

_FVCORE_KINDS = {
    "conv": "convolution",
    **dict.fromkeys(("linear", "addmm", "matmul", "mm", "bmm", "einsum"), "product"),
}
"""Its operations by ours; any other is an estimate for something that is no product."""


def count_with_fvcore(runnable: Runnable) -> RawCount:
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
        kind = _FVCORE_KINDS.get(name, f"estimate {name}")
        kinds[kind] = kinds.get(kind, 0) + number
    total = sum(flops.values())
    return RawCount(
        params=int(parameter_count(runnable.module)[""]),
        macs=total,
        printed=f"{total:,} flops (1 per multiply-add)",
        by_kind=kinds,
        unsupported=tuple(sorted(str(name) for name in analysis.unsupported_ops())),
    )


TORCH = "torch"
FLOP_COUNTER_PLACES = ("meta", "cpu")
"""Where it can run a model, in the order of trying: it reads shapes only."""


def count_with_flop_counter(runnable: Runnable) -> RawCount:
    """Its counts. Raises what the forward pass raises."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        runnable.module(*runnable.args, **runnable.kwargs)
    kinds: dict[str, int] = {}
    for operator, flops in counter.get_flop_counts().get("Global", {}).items():
        name = _name_operator(operator)
        known = find_operator(name)
        kind = f"estimate {name}" if known is None or known.free else known.kind
        kinds[kind] = kinds.get(kind, 0) + int(flops) // 2
    total = int(counter.get_total_flops())
    return RawCount(None, total // 2, f"{total:,} FLOPs (2 per multiply-add)", by_kind=kinds)


def flop_counter_knows(name: str) -> bool:
    """Whether it has a formula for the operation of that name (`aten.convolution`)."""
    return name in {_name_operator(operator) for operator in flop_registry}


def _name_operator(operator: object) -> str:
    return str(operator).removesuffix(".default")
