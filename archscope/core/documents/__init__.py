"""The JSON documents that commands emit, one typed document for each schema."""

from importlib import import_module
from typing import Any

from archscope.core.errors import UnknownNameError

_DOCUMENTS = {
    "against": "figures:AgainstDocument",
    "bench": "bench:BenchDocument",
    "budget": "findings:BudgetDocument",
    "counters": "figures:CountersDocument",
    "explain": "tables:ExplainDocument",
    "findings": "findings:FindingsDocument",
    "fit": "fit:FitDocument",
    "table": "tables:TableDocument",
    "trace": "trace:TraceDocument",
    "train": "findings:TrainDocument",
    "verify": "figures:VerifyDocument",
}


def list_schemas() -> tuple[str, ...]:
    """The names that `load_schema` knows, sorted."""
    return tuple(sorted(_DOCUMENTS))


def load_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of that name. Raises UnknownNameError where there is none."""
    if name not in _DOCUMENTS:
        raise UnknownNameError("schema", name, list_schemas(), f"known: {', '.join(list_schemas())}")
    from archscope.core.codec import build_schema

    module, _, kind = _DOCUMENTS[name].partition(":")
    return build_schema(getattr(import_module(f"{__name__}.{module}"), kind))
