"""archscope: look inside a PyTorch architecture.

    import archscope

    summary = archscope.trace("resnet50")  # or a torch.nn.Module and its inputs, or their shapes
    summary.show()
    summary["layer1.0.conv2"].output_shape  # (1, 64, 56, 56)

Importing this package imports no torch: the names that need it are fetched from `archscope.api` when first used. And
next to nothing else, so that the command line hears Ctrl-C from the first milliseconds on.
"""

from archscope.version import __version__

TYPE_CHECKING = False  # as of typing, whose import takes longer than all the rest

if TYPE_CHECKING:
    from archscope.api import (
        ForwardError,
        Summary,
        benchmark,
        budget,
        build,
        check_training,
        compare_counters,
        explain,
        fit,
        list_models,
        load,
        schema,
        table,
        trace,
        train,
        verify,
    )
    from archscope.core.errors import ArchscopeError
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        home = "archscope.core.errors" if name == "ArchscopeError" else "archscope.api"
        value = getattr(import_module(home), name)
        globals()[name] = value
        return value


__all__ = [
    "ArchscopeError",
    "ForwardError",
    "Summary",
    "__version__",
    "benchmark",
    "budget",
    "build",
    "check_training",
    "compare_counters",
    "explain",
    "fit",
    "list_models",
    "load",
    "schema",
    "table",
    "trace",
    "train",
    "verify",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
