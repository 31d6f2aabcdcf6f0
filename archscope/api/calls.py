"""The functions of `archscope`, one for each command: each returns what the command prints, as data.

`target` is a name or path in the words of the command line (`"vgg16"`, `"timm:resnet50"`, `"net.py:Net"`, a saved
`"trace.json"`), and for the calls that only trace, also a `torch.nn.Module` or a `Summary` that is there already.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from archscope.api.reports import BudgetReport, Catalogue, ExplainReport, ModelTable, OriginCatalogue, OriginRow
from archscope.api.summary import ForwardError, Summary, read_summary
from archscope.api.words import (
    Count,
    Inputs,
    check_flag,
    check_mode,
    check_name,
    check_tolerance,
    check_unchanged,
    check_word,
    is_saved,
    read_count,
    read_inputs,
    read_shapes,
    speaks_of_inputs,
    speaks_of_shapes,
)
from archscope.core.errors import ArchscopeError, DataError, UnknownNameError, UsageError
from archscope.core.paths import expand_path
from archscope.core.trace import Mode
from archscope.core.words import InputSpec, TraceOptions
from archscope.rendering.report import Report

if TYPE_CHECKING:
    from torch import nn

    from archscope.observation import Observed

_Answer = TypeVar("_Answer", bound=Report)


# --- tracing ----------------------------------------------------------------------------------------------------------


def trace(
    target: "nn.Module | str",
    /,
    *args: Any,
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
    training: bool | None = None,
    mode: Mode | None = None,
    **kwargs: Any,
) -> Summary:
    """Trace one forward pass of a module, or of a target named in words. The module is left exactly as it was.

    The summary's `findings` are what a reviewer would object to: layers and parameters that are not registered, shared
    by accident or never used, plain tensors that `.to` leaves behind, BatchNorm on one image.

    Args:
        target: a module; or a name or path, whose module is built on meta, without weights and without memory.
        args: positional inputs of forward. Only shapes and dtypes matter where the pass runs on meta; so shapes stand
            for tensors where no tensor is given, `(1, 3, 32, 32)` or `[(1, 3, 32, 32), (1, 10)]`, batch included. A
            tuple that forward itself wants is given by keyword, or annotated as one in forward's signature.
        arguments: constructor arguments of a named target.
        inputs: inputs in words, `"3x32x32"` or `["input_ids=1x128:int64"]`, in place of tensors; without any, a named
            target gets its own. Shapes among them are taken as they are, `[(1, 3, 32, 32)]`.
        training: the flag that forward runs under; None: the module's own, eval for a named target.
        mode: `meta`, `fake` or `real`; None: the cheapest that carries the pass.
        kwargs: inputs of forward by keyword. What forward does not take but the constructor of a named target does
            goes there: `archscope.trace("resnet18", num_classes=10)`. A module whose forward has a parameter named
            like one of the options above gets it as that.

    Raises:
        ForwardError: the forward pass raised; `.summary` holds everything before.
        UnknownNameError, UsageError, TargetError: the target cannot be found or built.
        DataError: a saved trace cannot be read.
    """
    said: dict[str, Any] = {"arguments": arguments, "inputs": inputs, "training": training, "mode": mode}
    if not isinstance(target, str):
        own = _list_own_keywords(target, said)
        kwargs |= {name: said.pop(name) for name in own}
    options = _read_options(**said)
    shapes, keywords = ((), {}) if options.inputs else _find_shapes(target, args, kwargs)
    if shapes:
        options, args, kwargs = replace(options, inputs=shapes), (), keywords
    if isinstance(target, str) and not args and not kwargs:
        return _find_summary(target, options)
    twice = options.arguments.keys() & kwargs.keys()
    if isinstance(target, str) and twice:
        raise UsageError(f"{', '.join(sorted(twice))} is given twice: in arguments and as a keyword", "leave out one")
    from archscope.observation import hold_tensors, observe_call

    if options.inputs and (args or hold_tensors(kwargs)):
        raise UsageError("inputs are given twice: as values and in words", "leave out one of them")

    return _summarise(observe_call(target, options, (args, kwargs)))


def _find_shapes(
    target: "nn.Module | str", args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[tuple[InputSpec, ...], dict[str, Any]]:
    """Where positional arguments stand for tensors: their shapes, and the keywords with what forward takes plain."""
    if not args or not all(map(speaks_of_shapes, args)):
        return (), {}
    from archscope.observation import hold_tensors, list_plain_parameters

    plain = list_plain_parameters(target)
    shapes = [value for place, value in enumerate(args) if place not in plain]
    if not shapes or hold_tensors(kwargs):
        return (), {}
    return read_shapes(shapes), {plain[place]: args[place] for place in plain if place < len(args)} | dict(kwargs)


def _list_own_keywords(module: "nn.Module", said: Mapping[str, Any]) -> tuple[str, ...]:
    """Options that are meant for forward, which has parameters of these names."""
    from archscope.observation import list_forward_names

    names = list_forward_names(module)
    return tuple(
        name
        for name, value in said.items()
        if name in names and value is not None and not (name == "inputs" and speaks_of_inputs(value))
    )


def _read_options(
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
    *,
    training: bool | None = None,
    mode: str | None = None,
) -> TraceOptions:
    """The options, checked. Raises UsageError and its kinds."""
    check_mode(mode)
    check_flag("training", training)
    return TraceOptions(arguments or {}, read_inputs(inputs), training, cast("Mode | None", mode))


def trace_target(text: str, options: TraceOptions) -> Summary:
    """Trace the target `text` on inputs in words. Raises what `trace` raises."""
    from archscope.observation import observe_target

    return _summarise(observe_target(text, options))


def load(path: str | Path) -> Summary:
    """The summary in a file that `summary.save("x.json")` or `archscope trace -o x.json` wrote; torch is not needed.

    Raises DataError where the file is missing or is no saved trace.
    """
    return read_summary(expand_path(path))


def build(target: str, /, **arguments: Any) -> "nn.Module":
    """The module that a target in words names, with torch's default device and dtype, initialised, without weights.

    `"vgg16"`, `"timm:resnet18"`, `"hf:config.json"`, `"net.py:Net"`: whatever the command line takes, but no saved
    trace. `arguments` go to its constructor. An instance that a file holds is given as it is. Raises UnknownNameError,
    UsageError, TargetError.
    """
    check_name("build", target)
    from archscope.targets.resolve import resolve_target

    return resolve_target(target, arguments).build()


# --- one model --------------------------------------------------------------------------------------------------------


def table(
    target: "nn.Module | Summary | str",
    *,
    style: str | None = None,
    receptive: bool = False,
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
    training: bool | None = None,
    mode: Mode | None = None,
) -> Report:
    """A model as the lecture prints AlexNet; or a family (`"vgg"`, `"resnet"`, ...) as its paper prints it.

    `style` is `paper` or `cs231n`; None: the paper's where the name is a family's and nothing else is asked. Raises
    what `trace` raises, UnknownNameError for a style, UsageError for one that does not fit.
    """
    options = _read_options(arguments, inputs, training=training, mode=mode)
    from archscope.papers.family import STYLES, choose_family_table

    check_word("style", style, STYLES)
    if isinstance(target, str):
        wants_one = receptive or bool(options.arguments or options.inputs or options.train or options.mode)
        family = choose_family_table(target, style, wants_one_model=wants_one)
        if family is not None:
            return family
    elif style == "paper":
        raise UsageError("a module is one model: no paper prints it as a table", "leave out style")
    return _ask(target, options, lambda summary: ModelTable(summary, receptive))


def explain(
    target: "nn.Module | Summary | str",
    layer: str | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
    training: bool | None = None,
    mode: Mode | None = None,
) -> ExplainReport:
    """The arithmetic behind a layer (`"conv1"`), a block, or a stack (`"features.24:features.28"`); of all without one.

    Raises what `trace` raises, UnknownNameError for a layer, UsageError for a stack that runs backwards, DataError for
    a trace that was saved without its operations.
    """
    from archscope.analysis.explain import Explainer

    def answer(summary: Summary) -> ExplainReport:
        explainer = Explainer(summary.trace, summary.costs)
        found = explainer.explain_all() if layer is None else (explainer.explain_words(layer),)
        return ExplainReport(summary, found, handout=layer is None)

    if layer is not None and not isinstance(layer, str):
        raise UsageError(f"a layer is named by its path, not by {layer!r}", 'such as "layer1.0.conv2"')
    return _ask(target, _read_options(arguments, inputs, training=training, mode=mode), answer)


def budget(
    target: "nn.Module | Summary | str",
    *,
    max_params: Count | None = None,
    max_macs: Count | None = None,
    max_activations: Count | None = None,
    baseline: "Summary | str | Path | None" = None,
    tolerance: float = 0.0,
    arguments: Mapping[str, Any] | None = None,
    inputs: Inputs = (),
    training: bool | None = None,
) -> BudgetReport:
    """Whether a model keeps within limits, and has not outgrown a saved baseline by more than `tolerance` per cent.

    Raises UsageError where no limit and no baseline is given, and what `trace` raises.
    """
    from archscope.analysis.budget import Measured, check_baseline, check_maximum

    words = {"params": max_params, "macs": max_macs, "activations": max_activations}
    limits = {name: read_count(word, f"max_{name}") for name, word in words.items() if word is not None}
    if not limits and baseline is None:
        raise UsageError("no budget is given", "add --max-params 5M, --max-macs 600M or --baseline saved.json")
    allowed = check_tolerance(tolerance)
    before = load(baseline) if isinstance(baseline, (str, Path)) else baseline
    if before is not None and before.trace.failure is not None:
        raise DataError(f"the forward pass of the baseline {before.title} failed: it has no totals", "save another one")
    summary = _find_summary(target, _read_options(arguments, inputs, training=training))
    if summary.trace.failure is not None:
        raise ForwardError(summary, summary.trace.failure)
    model = Measured(summary.trace, summary.costs)
    checks = [check_maximum(model, quantity, limit) for quantity, limit in limits.items()]
    if before is not None:
        name = str(baseline) if isinstance(baseline, (str, Path)) else before.title
        old = Measured(before.trace, before.costs)
        checks += [
            check_baseline(model, old, quantity, name=name, tolerance=allowed) for quantity in ("params", "macs")
        ]
    return BudgetReport(tuple(checks), summary)


# --- the catalogue, schemas -------------------------------------------------------------------------------------------


def list_models(pattern: str | None = None) -> "Catalogue | OriginCatalogue":
    """The built-in models with source, parameters and MACs, from the generated catalogue; no torch is needed.

    `pattern` is a part of a name, or a pattern such as `vgg*_bn`. With an origin before it (`timm:*`,
    `torchvision:resnet*`, `hf:bert`) the names of that package's models, which must be installed. Raises
    UnknownNameError where nothing matches, MissingPackageError and TargetError where the package cannot be imported.
    """
    if pattern is not None and not isinstance(pattern, str):
        raise UsageError(f"a pattern cannot be {pattern!r}", "such as 'resnet*' or 'timm:vit*'")
    origin, colon, rest = (pattern or "").partition(":")
    if colon:
        return _list_others(origin, rest)
    from archscope.models.registry import load_catalogue

    rows = load_catalogue()
    if pattern is None:
        return Catalogue(rows)
    chosen = tuple(row for row in rows if _matches(row.name, pattern.casefold()))
    if not chosen:
        raise UnknownNameError(
            "model",
            pattern,
            [row.name for row in rows],
            f"archscope models lists all of them, archscope models {_quote(f'timm:{pattern}')} those of timm",
        )
    return Catalogue(chosen)


def _quote(pattern: str) -> str:
    """For a shell, in whose eyes most patterns name files."""
    return "'" + pattern.replace("'", "'\\''") + "'"


def _list_others(origin: str, pattern: str) -> OriginCatalogue:
    from archscope.targets.resolve import LISTS

    check_word("origin", origin, tuple(LISTS))
    known = LISTS[origin]()
    chosen = tuple(
        OriginRow(f"{origin}:{name}", where.removeprefix(f"{origin}.models."))
        for name, where in known
        if _matches(name, pattern)
    )
    if not chosen:
        remedy = f"archscope models '{origin}:*' lists all of them"
        raise UnknownNameError(f"model of {origin}", pattern, [name for name, _ in known], remedy)
    return OriginCatalogue(origin, chosen)


def _matches(name: str, pattern: str) -> bool:
    folded, pattern = name.casefold(), pattern.casefold()
    return fnmatchcase(folded, pattern) or (not set("*?[") & set(pattern) and pattern in folded)


# --- shared -----------------------------------------------------------------------------------------------------------


def _find_summary(target: "nn.Module | Summary | str", options: TraceOptions) -> Summary:
    if isinstance(target, Summary):
        if options != TraceOptions():
            raise UsageError("a Summary is traced already: no option changes it", "trace the model again")
        return target
    if isinstance(target, str):
        return _open_saved(target, options) if is_saved(target) else trace_target(target, options)
    from archscope.observation import observe_call

    return _summarise(observe_call(target, options))


def _open_saved(text: str, options: TraceOptions) -> Summary:
    asked = {"input": options.inputs, "arg": options.arguments, "train": options.train, "mode": options.mode}
    check_unchanged(text, asked)
    return load(text)


def _ask(target: "nn.Module | Summary | str", options: TraceOptions, answer: Callable[[Summary], _Answer]) -> _Answer:
    """The answer about a summary; where forward raised, the error carries the answer about the part that ran."""
    try:
        return answer(_find_summary(target, options))
    except ForwardError as error:
        with suppress(ArchscopeError):  # of a layer that forward did not reach there is nothing to say
            error.report = answer(error.summary)
        raise


def _summarise(observed: "Observed") -> Summary:
    summary = Summary(observed.trace, observed.costs, observed.title, definition=observed.definition)
    if observed.error is None or observed.trace.failure is None:
        return summary
    raise ForwardError(summary, observed.trace.failure, observed.remedy) from observed.error


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document of that name: trace, table, ... Raises UnknownNameError."""
    from archscope.core.documents import load_schema

    return load_schema(name)
