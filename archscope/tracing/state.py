"""Parameters and buffers of a module, each tensor counted once, and the settings of its layers."""

from collections.abc import Callable, Iterable, Iterator
from math import prod

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from archscope.core.trace import Setting, StateTensor, StateTotals
from archscope.modules import iterate_buffers, iterate_parameters, name_buffers, name_parameters
from archscope.tracing.structure import is_plain, to_setting
from archscope.tracing.values import ValueTable, dtype_name


class StateInventory:
    """What the modules beneath `root` hold, by tensor identity."""

    def __init__(self, root: nn.Module, stand_in: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """`stand_in` gives the tensor that took the place of a parameter in the forward pass (scripted modules)."""
        self._stand_in = stand_in
        self._modules: dict[int, nn.Module] = {}
        self._paths: dict[int, list[str]] = {}
        self._subtrees: dict[int, dict[int, torch.Tensor]] = {}
        self._buffers: dict[int, dict[int, torch.Tensor]] = {}
        self._holders: dict[int, list[str]] = {}
        self.root = root
        for path, module in walk_modules(root):
            self._paths.setdefault(id(module), []).append(path)
            if id(module) not in self._modules:
                self._modules[id(module)] = module
                for tensor in own_parameters(module):
                    self._holders.setdefault(id(tensor), []).append(path)

    def path_of(self, module: nn.Module) -> str | None:
        """The first path of the module beneath the root; None for a module that is not there."""
        paths = self._paths.get(id(module))
        return paths[0] if paths else None

    def own_params(self, module: nn.Module) -> int:
        """Elements of the parameters registered on the module itself, each tensor once."""
        return sum(element_count(tensor) for tensor in own_parameters(module))

    def params(self, module: nn.Module) -> int:
        """Elements of the parameters of the module and beneath, each tensor once."""
        return sum(element_count(tensor) for tensor in self._subtree(module).values())

    def trainable_params(self, module: nn.Module) -> int:
        """The part of `params` that requires a gradient."""
        return sum(element_count(tensor) for tensor in self._subtree(module).values() if tensor.requires_grad)

    def buffers(self, module: nn.Module) -> int:
        """Elements of the buffers of the module and beneath, each tensor once."""
        found = self._buffers.get(id(module))
        if found is None:
            found = self._buffers[id(module)] = {id(tensor): tensor for tensor in iterate_buffers(module)}
        return sum(element_count(tensor) for tensor in found.values())

    def shared_with(self, module: nn.Module) -> tuple[str, ...]:
        """Paths of other modules that hold one of the module's own parameters."""
        own = self.path_of(module)
        paths = {path for tensor in own_parameters(module) for path in self._holders.get(id(tensor), ())}
        return tuple(sorted(path for path in paths if path != own))

    def totals(self) -> StateTotals:
        """Parameters and buffers of the root."""
        params = list(self._subtree(self.root).values())
        buffers = list({id(tensor): tensor for tensor in iterate_buffers(self.root)}.values())
        return StateTotals(
            params=sum(map(element_count, params)),
            trainable_params=sum(element_count(tensor) for tensor in params if tensor.requires_grad),
            buffers=sum(map(element_count, buffers)),
            param_bytes=sum(element_count(tensor) * tensor.element_size() for tensor in params),
            buffer_bytes=sum(element_count(tensor) * tensor.element_size() for tensor in buffers),
        )

    def list_state(self, values: ValueTable) -> tuple[StateTensor, ...]:
        """Every parameter and buffer once, under its first path, with the number of its value."""
        found: dict[int, StateTensor] = {}
        for kind, named in (("parameter", name_parameters(self.root)), ("buffer", name_buffers(self.root))):
            for path, tensor in named:
                found[id(tensor)] = StateTensor(
                    path=path,
                    value=values.first_number_of(self._stand_in(tensor)),
                    shape=_shape(tensor),
                    dtype=dtype_name(tensor.dtype),
                    kind="parameter" if kind == "parameter" else "buffer",
                    trainable=tensor.requires_grad,
                )
        return tuple(found.values())

    def list_untouched(self, values: ValueTable, called: Iterable[nn.Module]) -> tuple[str, ...]:
        """Paths of modules that hold parameters of which no operation read one."""
        names = []
        seen = {id(module) for module in called}
        for module in self._modules.values():
            own = list(own_parameters(module))
            if own and id(module) not in seen and not any(values.was_read(self._stand_in(tensor)) for tensor in own):
                names.append(self._paths[id(module)][0])
        return tuple(names)

    def _subtree(self, module: nn.Module) -> dict[int, torch.Tensor]:
        found = self._subtrees.get(id(module))
        if found is None:
            found = self._subtrees[id(module)] = {id(tensor): tensor for tensor in iterate_parameters(module)}
        return found


def walk_modules(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules with their paths in order; one that is met again gets its other path and is not entered twice."""
    waiting: list[tuple[str, nn.Module]] = [("", root)]
    entered: set[int] = set()
    while waiting:
        path, module = waiting.pop()
        yield path, module
        if id(module) in entered:
            continue
        entered.add(id(module))
        prefix = f"{path}." if path else ""
        children = [(f"{prefix}{name}", child) for name, child in module._modules.items() if child is not None]
        waiting += reversed(children)


def own_parameters(module: nn.Module) -> Iterator[torch.Tensor]:
    """Parameters registered on the module itself, each tensor once; scripted modules keep theirs elsewhere."""
    yield from {id(tensor): tensor for tensor in module._parameters.values() if tensor is not None}.values()


def element_count(tensor: torch.Tensor) -> int:
    """Number of elements; 0 for a lazy tensor that has no sizes yet."""
    return 0 if is_lazy(tensor) else prod(tensor.shape)


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return () if is_lazy(tensor) else tuple(tensor.shape)


SETTING_NAMES = (
    "in_channels", "out_channels", "in_features", "out_features", "in1_features", "in2_features", "num_features",
    "num_channels", "num_groups", "num_embeddings", "embedding_dim", "padding_idx", "embed_dim", "num_heads", "kdim",
    "vdim", "input_size", "hidden_size", "num_layers", "proj_size", "bidirectional", "batch_first", "nonlinearity",
    "kernel_size", "stride", "padding", "dilation", "output_padding", "groups", "transposed", "padding_mode",
    "ceil_mode", "count_include_pad", "divisor_override", "output_size", "normalized_shape", "eps", "momentum",
    "affine", "elementwise_affine", "track_running_stats", "p", "dropout", "inplace", "negative_slope", "alpha",
    "beta", "k", "size", "scale_factor", "mode", "align_corners", "upscale_factor", "start_dim", "end_dim", "dim",
    "unflattened_size", "approximate", "norm_first", "num_parameters", "bias",
)  # fmt: skip
"""Constructor settings of torch's own modules, in the order they are shown."""


def read_settings(module: nn.Module) -> tuple[tuple[str, Setting], ...]:
    """The settings of `module` among `SETTING_NAMES`; `bias` is true where there is a bias."""
    found: list[tuple[str, Setting]] = []
    for name in SETTING_NAMES:
        if name in module.__dict__:
            value = module.__dict__[name]
        elif name == "bias" and name in module._parameters:
            value = module._parameters[name] is not None
        else:
            continue
        plain = to_setting(value)
        if is_plain(plain):
            found.append((name, plain))
    return tuple(found)
