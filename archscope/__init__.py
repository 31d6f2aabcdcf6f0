"""archscope: look inside a PyTorch architecture.

In: the name of a model or a `torch.nn.Module`. Out: a `Summary` of one observed forward pass.

    import archscope

    summary = archscope.trace("resnet50")
    summary.show()

Importing this package imports no torch: the names that need it are fetched from `archscope.api` when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from archscope.core.errors import ArchscopeError
from archscope.version import __version__

if TYPE_CHECKING:
    from archscope.api import ForwardError, Summary, build, check_training, trace
else:

    def __getattr__(name: str) -> object:
        if name not in _NAMES_OF_API:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module("archscope.api"), name)
        globals()[name] = value
        return value


__all__ = ["ArchscopeError", "ForwardError", "Summary", "__version__", "build", "check_training", "trace"]

_NAMES_OF_API = frozenset({"ForwardError", "Summary", "build", "check_training", "trace"})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
