"""Parts of a module that was built: `Net.encoder`, and the network of a module that has no forward of its own."""

from typing import Any

from torch import nn

from archscope.core.errors import TargetError, UnknownNameError, join_words
from archscope.modules import iterate_parameters, name_children, name_modules
from archscope.targets.constructor import describe_value

LONGEST_LIST = 8


def take_part(module: nn.Module, path: str, owner: str) -> nn.Module:
    """The submodule `encoder.layers.0` of `module`, which people call `owner`. Raises UnknownNameError, TargetError."""
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            known = [name for name, _ in name_modules(module) if name]
            first = ", ".join(dict.fromkeys(name.partition(".")[0] for name in known))
            raise UnknownNameError(f"module in {owner}:", path, known, f"{owner} holds {first}" if first else "")
        found = getattr(found, part)
    if not isinstance(found, nn.Module):
        raise TargetError(
            f"{path} of {owner} is {describe_value(found)}, not a torch.nn.Module", "name a module that it holds"
        )
    return found


def has_forward(kind: type) -> bool:
    """Whether calling a module of that class does anything: nn.Module's own forward, and Lightning's, only raise."""
    for owner in kind.__mro__:
        if owner is nn.Module:
            return False
        if "forward" in vars(owner) or "__call__" in vars(owner):
            return owner.__name__ != "LightningModule"
    return True


def find_network(module: nn.Module, text: str) -> str:
    """Path of the part that runs: empty for the module itself, else its only submodule with parameters.

    `text` names the module to people (`net.py:Net`). Raises TargetError where it has no forward and several such parts.
    """
    if has_forward(type(module)) or "forward" in vars(module):
        return ""
    named = dict(name_children(module))
    weighty = [name for name, part in named.items() if any(True for _ in iterate_parameters(part))]
    parts = weighty or list(named)
    if len(parts) == 1 and not isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        inner = find_network(named[parts[0]], f"{text}.{parts[0]}")
        return f"{parts[0]}.{inner}" if inner else parts[0]
    listed = [f"{text}.{name}" for name in parts[:LONGEST_LIST]]
    raise TargetError(
        f"{type(module).__name__} has no forward of its own" + ("" if parts else ", and holds no module that has one"),
        f"name the part that is meant: {join_words(listed)}" if listed else "",
    )
