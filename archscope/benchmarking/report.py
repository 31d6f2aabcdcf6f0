"""A benchmark for people: a table of targets, one of layers where asked for, and notes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archscope.benchmarking.compare import Key, list_ratios, tell_ratios
from archscope.benchmarking.document import build_document, find_utilisation, is_noisy
from archscope.benchmarking.options import BLOCKS
from archscope.benchmarking.results import BenchReport, Memory, TrainingVerdict, VariantResult
from archscope.benchmarking.roofline import Ceiling
from archscope.benchmarking.statistics import Ratio, Timing, compare_interleaved
from archscope.benchmarking.workload import BACKWARD, FORWARD, OPTIMIZER
from archscope.core.documents.bench import BenchDocument
from archscope.core.errors import CheckError, ModelError, UsageError
from archscope.core.table import Cell, Column, Row, Table
from archscope.core.units import format_bytes, format_si
from archscope.machine.environment import LOW_CPU_SHARE
from archscope.rendering.report import Report

_PHASES = ((FORWARD, "forward"), (BACKWARD, "backward"), (OPTIMIZER, "optimizer"), ("step", "step"))


def build_bench_table(report: BenchReport, ratios: Sequence[str] = ()) -> Table:
    """One row for each target and variant; `ratios` are lines about an older run."""
    rows = tuple(Row(tuple(_make_cells(result, report))) for result in report.results)
    kind = "inference" if report.step.inference else "training step"
    flags = [
        word
        for word, is_on in (("channels-last", report.step.channels_last), ("compiled", report.step.compiled))
        if is_on
    ]
    return Table(
        title=f"bench: {kind} on {', '.join(_name_devices(report))}",
        columns=_list_columns(report),
        rows=rows,
        notes=(*_list_notes(report), *ratios),
        subtitle=" · ".join(
            (*flags, "median ms of one step", f"torch {report.machine.torch}", f"{report.machine.threads} threads")
        ),
    )


def _name_devices(report: BenchReport) -> Iterator[str]:
    for device in report.machine.devices:
        yield f"{device.word} ({device.name})"


def _list_columns(report: BenchReport) -> tuple[Column, ...]:
    times: list[Column] = []
    for phase, title in _PHASES:
        shown = any(phase in result.timings for result in report.results)
        optional = phase == OPTIMIZER
        times.append(Column(f"{phase}_ms", title, "ms", "right", "number", hidden=not shown, optional=optional))
        for part in ("p10", "p90", "low", "high"):
            # The interval of the whole is shown; what stands in the other columns is for programs.
            times.append(Column(f"{phase}_{part}_ms", part, "ms", "right", "number", hidden=True))
    whole = "forward" if report.step.inference else "step"
    devices = {result.variant.device for result in report.results}
    dtypes = {result.variant.dtype for result in report.results}
    training = any(result.training is not None for result in report.results)
    unpredicted = not _predicts(report)
    return (
        Column("target", "target"),
        Column("device", "device", hidden=len(devices) < 2),
        Column("dtype", "dtype", hidden=len(dtypes) < 2),
        Column("batch", "batch", align="right", kind="number"),
        *times,
        Column("range", f"{whole} p10..p90", align="right", optional=True),
        Column("images_per_second", "images/s", align="right", kind="number"),
        Column("peak_memory_bytes", "peak memory", align="right", kind="number", short="memory"),
        Column(
            "predicted_memory_bytes",
            "predicted",
            align="right",
            kind="number",
            optional=True,
            hidden=unpredicted,
        ),
        Column("flops_per_second", "FLOP/s", align="right", kind="number", optional=True),
        Column("utilisation", "of ceiling", align="right", kind="number", short="ceiling"),
        Column("first_call_ms", "first call", "ms", "right", "number", hidden=True),
        Column("macs", "MACs", align="right", kind="number", hidden=True),
        Column("training", "short training", hidden=not training, noted=True),
        Column("remark", "remark", noted=True, hidden=not any(_remark(result) for result in report.results)),
    )


def _predicts(report: BenchReport) -> bool:
    return any(result.memory is not None and result.memory.predicted is not None for result in report.results)


def _make_cells(result: VariantResult, report: BenchReport) -> Iterator[Cell]:
    yield Cell(result.target, mark="failed" if result.failure else "")
    yield Cell(result.variant.device)
    yield Cell(result.variant.dtype)
    yield Cell(str(result.batch) if result.batch else "", result.batch or None)
    for phase, _ in _PHASES:
        yield from _make_time_cells(result.timings.get(phase))
    yield Cell("" if result.whole is None else f"{format_ms(result.whole.p10)}..{format_ms(result.whole.p90)}")
    speed = result.images_per_second
    yield Cell("" if speed is None else f"{speed:,.4g}" if speed < 1000 else f"{speed:,.0f}", speed)
    yield from _make_memory_cells(result.memory)
    flops = result.flops_per_second
    yield Cell("" if flops is None else format_si(int(flops), digits=3), flops)
    ceiling = report.find_ceiling(result.variant)
    share = find_utilisation(result, ceiling.flops_per_second if ceiling is not None else None)
    yield Cell("" if share is None else f"{100 * share:.0f} %", share)
    yield _make_ms_cell(result.first_call_ms)
    yield Cell("" if result.macs is None else format_si(result.macs), result.macs)
    verdict = result.training
    yield Cell("") if verdict is None else Cell(tell_verdict(verdict), mark="good" if verdict.passed else "bad")
    yield Cell(_remark(result))


def _make_time_cells(timing: Timing | None) -> Iterator[Cell]:
    if timing is None:
        yield from [Cell("")] * 5
        return
    for value in (timing.median, timing.p10, timing.p90, *timing.interval):
        yield _make_ms_cell(value)


def _make_ms_cell(value: float | None) -> Cell:
    return Cell("") if value is None else Cell(format_ms(value), round(value, 6))


def _make_memory_cells(memory: Memory | None) -> Iterator[Cell]:
    for value in (memory.allocated, memory.predicted) if memory is not None else (None, None):
        yield Cell("" if value is None else format_bytes(value), value)


def _remark(result: VariantResult) -> str:
    """Why there are no times, or what to mistrust."""
    if result.failure:
        return result.failure
    remarks = []
    if not result.complete and result.whole is not None:
        remarks.append(f"{len(result.whole.samples)} of {BLOCKS} blocks in the time given")
    if not result.settled:
        remarks.append("not settled")
    if is_noisy(result) and result.whole is not None:
        remarks.append(f"noisy: spread {100 * result.whole.spread:.0f} %")
    if result.variant.device == "cpu" and result.cpu_share is not None and result.cpu_share < LOW_CPU_SHARE:
        remarks.append(f"CPU {100 * result.cpu_share:.0f} %")
    return ", ".join((*remarks, *result.notes))


def tell_verdict(verdict: TrainingVerdict) -> str:
    """`pass: loss 2.41 to 0.52, accuracy 88 %`."""
    word = "pass" if verdict.passed else f"fail: {verdict.reason}"
    if verdict.start_loss is None or verdict.end_loss is None or verdict.accuracy is None:
        return word
    figures = f"loss {verdict.start_loss:.2f} to {verdict.end_loss:.2f}, accuracy {100 * verdict.accuracy:.0f} %"
    return f"{word}: {figures}" if verdict.passed else f"{word} ({figures})"


def _list_notes(report: BenchReport) -> Iterator[str]:
    if report.interrupted:
        yield "interrupted: these are the results so far"
    for ceiling in report.ceilings:
        yield tell_ceiling(ceiling)
    yield from _compare_variants(report)
    if not report.step.inference:
        yield "step = forward with its loss, backward, SGD with momentum; FLOPs of a step = 3 x 2 x MACs of forward"
    verdicts = [result.training for result in report.results if result.training is not None]
    if verdicts:
        passed = sum(verdict.passed for verdict in verdicts)
        what = "synthetic images: accuracies say nothing about CIFAR-10" if verdicts[0].synthetic else verdicts[0].data
        yield f"short training of {verdicts[0].steps} steps: {passed} of {len(verdicts)} pass; {what}"
    yield from _warn(report)


def tell_ceiling(ceiling: Ceiling) -> str:
    """`ceiling of cpu fp32: 95.1 GFLOP/s by a measured product, 12.3 GB/s by a measured copy; ...`."""
    measured = (
        f"ceiling of {ceiling.variant.label}: {format_si(int(ceiling.flops_per_second), 'FLOP/s', 3)} by a measured "
        f"product, {format_si(int(ceiling.bytes_per_second), 'B/s', 3)} by a measured copy; ridge at "
        f"{ceiling.ridge:.3g} FLOPs a byte"
    )
    peak = ceiling.datasheet_flops
    if peak is None or ceiling.datasheet is None:
        return measured
    share = 100 * ceiling.flops_per_second / peak
    return (
        f"{measured}; {share:.0f} % of the datasheet's {format_si(int(peak), 'FLOP/s', 3)} ({ceiling.datasheet.title})"
    )


def _compare_variants(report: BenchReport) -> Iterator[str]:
    """Every variant against the first of its target, block by block."""
    first: dict[str, VariantResult] = {}
    for result in report.results:
        base = first.setdefault(result.target, result)
        if base is result or base.whole is None or result.whole is None:
            continue
        count = min(len(base.whole.samples), len(result.whole.samples))
        ratio = compare_interleaved(result.whole.samples[:count], base.whole.samples[:count])
        scale = base.batch and result.batch / base.batch
        pair = f"{ratio.ratio * scale:.3g} times as fast as {base.variant.label}"
        text = f"{result.target}: {result.variant.label} is {pair}"
        yield (
            f"{text} ({ratio.low * scale:.3g} to {ratio.high * scale:.3g})"
            if ratio.differs
            else (
                f"{result.target}: no difference between {result.variant.label} and {base.variant.label} "
                f"({ratio.low * scale:.3g} to {ratio.high * scale:.3g})"
            )
        )


def _warn(report: BenchReport) -> Iterator[str]:
    machine = report.machine
    if machine.busy and machine.load is not None:
        yield f"the machine was already busy: load {machine.load:.1f} on {machine.processors} processors"
    noisy = [result.target for result in report.results if is_noisy(result)]
    if noisy:
        yield f"noisy, so the medians are only approximate: {', '.join(dict.fromkeys(noisy))}"


def build_layer_table(result: VariantResult, ceiling: Ceiling | None) -> Table:
    """Where the time of one target lies, module by module."""
    whole = sum(layer.total_ms for layer in result.layers)
    trains = any(layer.backward_ms is not None for layer in result.layers)
    columns = (
        Column("path", "module"),
        Column("type", "type", optional=True),
        Column("forward_ms", "forward", "ms", "right", "number"),
        Column("backward_ms", "backward", "ms", "right", "number", hidden=not trains),
        Column("share", "share", align="right", kind="share"),
        Column("macs", "MACs", align="right", kind="number"),
        Column("bytes", "bytes moved", align="right", kind="number", optional=True),
        Column("intensity", "FLOPs a byte", align="right", kind="number", optional=True),
        Column("bound", "bound"),
        Column("floor_ms", "forward at the ceiling", "ms", "right", "number", optional=True),
    )
    rows = tuple(
        Row(
            (
                Cell(layer.path or "(root)"),
                Cell(layer.type),
                _make_ms_cell(layer.forward_ms),
                _make_ms_cell(layer.backward_ms),
                Cell(
                    f"{100 * layer.total_ms / whole:.1f} %" if whole else "", layer.total_ms / whole if whole else None
                ),
                Cell("" if layer.macs is None else format_si(layer.macs), layer.macs),
                Cell(format_bytes(layer.moved_bytes), layer.moved_bytes),
                Cell("" if layer.intensity is None else f"{layer.intensity:.3g}", layer.intensity),
                Cell(layer.bound),
                _make_ms_cell(layer.floor_ms),
            )
        )
        for layer in result.layers
    )
    return Table(
        f"{result.target}: time per module on {result.variant.label}, batch {result.batch}",
        columns,
        rows,
        tuple(_list_layer_notes(result, ceiling)),
        "a module's own work in all its calls",
    )


def _list_layer_notes(result: VariantResult, ceiling: Ceiling | None) -> Iterator[str]:
    sums = (
        sum(layer.forward_ms for layer in result.layers),
        sum(layer.backward_ms or 0.0 for layer in result.layers),
    )
    for phase, total, whole in zip((FORWARD, BACKWARD), sums, result.whole_of_layers_ms or (), strict=False):
        if whole:
            yield (
                f"{phase}: the modules add up to {format_ms(total)} ms, the whole takes {format_ms(whole)} ms "
                f"({100 * (total / whole - 1):+.1f} %)"
            )
    spent = sum(layer.forward_ms for layer in result.layers)
    for bound in ("compute", "memory"):
        part = sum(layer.forward_ms for layer in result.layers if layer.bound == bound)
        if spent:
            yield f"{bound}-bound modules take {100 * part / spent:.0f} % of forward"
    if ceiling is not None:
        yield tell_ceiling(ceiling)


def format_ms(value: float) -> str:
    """Three digits that count: `0.0123`, `1.23`, `123`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 1 else f"{value:.{2 if value < 10 else 1}f}"


@dataclass(frozen=True, slots=True, repr=False)
class BenchmarkReport(Report):
    """Times, memory and utilisation of targets, beside an older run where one was given."""

    found: BenchReport
    ratios: Mapping[Key, Ratio] | None = None
    """Against the older run; None where there is none."""
    old_name: str = ""

    @property
    def problem(self) -> BaseException | None:
        """The interruption, the models that raised or that cannot be run as asked, or those that did not learn."""
        if self.found.interrupted:
            return KeyboardInterrupt()
        failed = [result.target for result in self.found.failures]
        if failed:
            asked = all(result.exit_code == UsageError.exit_code for result in self.found.failures)
            kind = UsageError if asked else ModelError
            return kind(f"not measured: {', '.join(dict.fromkeys(failed))}", "the reasons are in the table")
        untrained = [result.target for result in self.found.untrained]
        if untrained:
            return CheckError(f"the short training failed: {', '.join(dict.fromkeys(untrained))}")
        return None

    def build_document(self) -> BenchDocument:
        """The document `archscope.bench/1`, every sample in it."""
        return build_document(self.found, None if self.ratios is None else list_ratios(self.ratios))

    def build_tables(self, width: int | None = None) -> tuple[Table, ...]:
        """The targets, then the modules of each target that was looked into."""
        lines = () if self.ratios is None else tuple(tell_ratios(self.ratios, self.old_name))
        return (build_bench_table(self.found, lines), *self._build_layer_tables())

    def build_data_table(self) -> Table:
        """The targets; where modules were asked for, those of the first target."""
        return next(iter(self._build_layer_tables()), None) or self.build_tables()[0]

    def _build_layer_tables(self) -> tuple[Table, ...]:
        found = self.found
        split = [result for result in found.results if result.layers]
        return tuple(build_layer_table(result, found.find_ceiling(result.variant)) for result in split)
