"""torchinfo: a runnable model goes in; its `total_mult_adds` comes out, by layer.

For every leaf layer it multiplies each `weight` and `bias` by the batch and the output positions of a convolution, and
by the first dimension of the output of any other layer.
"""

from archscope.inspection.counters.subject import Runnable
from archscope.inspection.counters.tally import RawCount

PACKAGE = "torchinfo"
PLACES = ("meta", "cpu")
"""Where it can run a model, in the order of trying: it reads shapes only."""


def count(runnable: Runnable) -> RawCount:
    """Its counts. Raises what torchinfo raises."""
    import torchinfo

    module, inputs = runnable.by_position()
    device = next((tensor.device for tensor in runnable.module.parameters()), None)
    found = torchinfo.summary(
        module,
        input_data=list(inputs) or None,
        device=device,
        mode="train" if runnable.module.training else "eval",
        verbose=0,
    )
    names = {id(module): name for name, module in runnable.module.named_modules()}
    layers: dict[str, int] = {}
    for info in found.summary_list:
        if info.is_leaf_layer:
            name = names.get(id(info.module), info.var_name)
            layers[name] = layers.get(name, 0) + info.macs
    macs = int(found.total_mult_adds)
    return RawCount(int(found.total_params), macs, f"{macs:,} mult-adds", by_layer=layers)
