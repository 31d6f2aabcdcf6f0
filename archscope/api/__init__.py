"""Everything that can be asked of archscope from Python, one function for each command; the command line calls these.

Importing this package imports no torch: each function fetches the stage that it needs.
"""

from archscope.api.calls import budget, build, explain, list_models, load, schema, table, trace
from archscope.api.runs import benchmark, check_training, compare_counters, fit, train, verify
from archscope.api.summary import ForwardError, Summary

__all__ = [
    "ForwardError",
    "Summary",
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
