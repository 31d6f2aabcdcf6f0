"""Workloads, layers, roofs, documents and tables on small modules and made-up results."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn

from archscope.benchmarking.compare import check_times, compare_with_old, list_ratios, tell_ratios
from archscope.benchmarking.document import build_document
from archscope.benchmarking.layers import average_middle, run_pass
from archscope.benchmarking.memory import predict_batch, predict_peak
from archscope.benchmarking.options import StepOptions, Variant
from archscope.benchmarking.preparation import BenchTarget
from archscope.benchmarking.report import build_bench_table, build_layer_table
from archscope.benchmarking.results import BenchReport, Memory, TrainingVerdict, VariantResult
from archscope.benchmarking.roofline import Ceiling, LayerTime, Work, find_datasheet, find_floor, list_work
from archscope.benchmarking.statistics import Timing
from archscope.benchmarking.training_check import judge_losses
from archscope.benchmarking.workload import ModelWorkload, find_loss
from archscope.core.codec import encode, format_document, read_document
from archscope.core.documents import load_schema
from archscope.core.documents.bench import BenchDocument
from archscope.core.errors import DataError, ModelError
from archscope.core.words import InputSpec
from archscope.machine.clock import HostClock
from archscope.machine.environment import record_machine
from archscope.rendering import render
from archscope.targets.target import Target

FP32 = Variant("cpu", "fp32")
CEILING = Ceiling(FP32, 1e9, 1e8)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.relu(self.conv(x))
        x = x + x
        return self.fc(x.mean((2, 3)))


def make_workload(*, training: bool = True) -> ModelWorkload:
    return ModelWorkload(Block().train(training), ((torch.ones(2, 3, 8, 8),), {}), "fp32")


def test_a_step_has_three_phases_and_leaves_no_gradients() -> None:
    workload = make_workload()
    marks = workload.run(HostClock(torch.device("cpu")).mark)
    assert len(marks) == 4
    assert marks == sorted(marks)
    assert all(parameter.grad is None for parameter in workload.module.parameters())
    assert len(make_workload(training=False).run(lambda: None)) == 2


def test_every_moment_is_charged_to_one_module(clock: Any) -> None:
    mark = clock.mark

    def ticking():
        clock.advance(1)
        return mark()

    clock.mark = ticking
    forward, backward = run_pass(make_workload(), clock)
    assert set(forward) == {"", "conv", "relu", "fc", "(loss)"}
    # Each mark is a tick: one for each beginning and each end, and one for the loss.
    assert sum(forward.values()) == 2 * 4 + 1
    assert {"conv", "relu", "fc", "", "(loss)"} == set(backward)
    assert backward["conv"] == 3  # the convolution and two parameters
    assert run_pass(make_workload(training=False), clock)[1] == {}


def test_a_root_with_a_call_of_its_own_is_charged_too() -> None:
    class Direct(Block):
        def __call__(self, x):
            return self.forward(x)

    workload = ModelWorkload(Direct().eval(), ((torch.ones(2, 3, 8, 8),), {}), "fp32")
    forward, _ = run_pass(workload, HostClock(torch.device("cpu")))
    assert list(forward) == ["(loss)", "", "conv", "relu", "fc"]


def test_the_middle_half_sums_to_its_mean() -> None:
    passes = [{"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 1.0}, {"a": 2.0, "b": 2.0}, {"a": 90.0, "b": 9.0}]
    assert average_middle(passes) == {"a": 2.0, "b": 1.5}


def test_losses_of_all_kinds_of_outputs() -> None:
    scores = torch.zeros(4, 10, requires_grad=True)
    assert find_loss(scores).item() == pytest.approx(2.302585)
    maps = torch.full((1, 2, 4, 4), 2.0, requires_grad=True)
    assert find_loss({"a": maps, "b": [maps]}).item() == 8
    with pytest.raises(ModelError, match="nothing that forward returned"):
        find_loss(torch.zeros(4, 10))


def test_work_and_roof(chain) -> None:
    work = list_work(*chain)
    assert work["conv1"].macs == 13_824  # 8*8*8*27
    # Input 3*8*8, weight 216, output 8*8*8, in float32.
    assert work["conv1"].moved_bytes == 4 * (192 + 216 + 512)
    assert work["flatten"].moved_bytes == 0
    assert find_floor(Work("Conv2d", 500_000, 1_000), CEILING) == (1.0, "compute")
    assert find_floor(Work("ReLU", 0, 100_000), CEILING) == (1.0, "memory")
    assert find_floor(Work("Odd", None, 100_000), CEILING) == (None, "")
    assert CEILING.ridge == 10


def test_datasheet_names() -> None:
    found = find_datasheet("NVIDIA H100 80GB HBM3")
    assert found is not None
    assert found.title == "NVIDIA H100 SXM"
    assert found.find_peak("bf16") == 989.5e12
    assert find_datasheet("NVIDIA H100 PCIe").title == "NVIDIA H100 PCIe"
    assert find_datasheet("Tesla V100-SXM2-16GB").find_peak("tf32") is None
    assert find_datasheet("Some other card") is None


def make_report(scale: float = 1.0) -> BenchReport:
    timings = {
        "forward": Timing(tuple(scale * (1 + 0.001 * i) for i in range(30))),
        "backward": Timing((2.0 * scale,) * 30),
        "optimizer": Timing((1.0 * scale,) * 30),
        "step": Timing(tuple(scale * (4 + 0.001 * i) for i in range(30))),
    }
    layer = LayerTime("conv", "Conv2d", 1.0, 2.0, 500, 100, 0.5, "compute")
    good = VariantResult(
        target="net",
        variant=FP32,
        batch=8,
        timings=timings,
        first_call_ms=9.0,
        memory=Memory(1000, None, 900),
        macs=1_000_000,
        cpu_share=0.9,
        layers=(layer,),
        whole_of_layers_ms=(1.0, 2.0),
        training=TrainingVerdict(True, "", 20, "made-up", True, 2.3, 1.0, 0.5),
    )
    slow = replace(good, variant=Variant("cpu", "bf16"), complete=False, settled=False, cpu_share=0.1)
    bad = VariantResult("bad", FP32, 0, failure="out of memory")
    return BenchReport((good, slow, bad), record_machine(["cpu"]), (CEILING,), StepOptions())


def test_document_keeps_to_its_schema_and_table_says_all() -> None:
    report = make_report()
    document = encode(build_document(report))
    jsonschema.validate(document, load_schema("bench"))
    text = render(build_bench_table(report), "plain")
    for words in (
        "out of memory",
        "pass: loss 2.30 to 1.00, accuracy 50 %",
        "no difference",
        "not settled",
        "CPU 10 %",
    ):
        assert words in text
    # 2 x 3 x 10**6 FLOPs in 4.0145 ms, of 10**9 a second.
    assert document["targets"][0]["utilisation"] == pytest.approx(6e6 / 4.0145e-3 / 1e9, rel=1e-4)
    assert document["targets"][0]["images_per_second"] == pytest.approx(8 / 4.0145e-3, rel=1e-4)
    layers = render(build_layer_table(report.results[0], CEILING), "plain")
    assert "forward: the modules add up to 1.00 ms, the whole takes 1.00 ms (+0.0 %)" in layers
    assert "compute-bound modules take 100 % of forward" in layers


def test_an_older_run(tmp_path) -> None:
    path = tmp_path / "old.json"
    path.write_text(format_document(build_document(make_report())), encoding="utf-8")
    old = read_document(path, BenchDocument)
    ratios = compare_with_old(make_report(1.2), old)
    lines = list(tell_ratios(ratios, "old.json"))
    assert len(lines) == 2
    assert "takes 1.200x the time" in lines[0]
    assert lines[0].endswith("slower")
    compared = encode(build_document(make_report(1.2), list_ratios(ratios)))
    jsonschema.validate(compared, load_schema("bench"))
    assert compared["compared"][0]["verdict"] == "slower"
    same = list(tell_ratios(compare_with_old(make_report(1.04), old), "old.json"))
    assert "no difference (runs differ by up to 10 % anyway)" in same[0]
    assert list(tell_ratios({}, "old.json")) == ["old.json has no target with the same device, precision and batch"]
    with pytest.raises(DataError, match="timed training steps"):
        compare_with_old(replace(make_report(), step=StepOptions(inference=True)), old)
    path.write_text(json.dumps(encode(build_document(make_report())) | {"targets": [{}]}), encoding="utf-8")
    with pytest.raises(DataError, match=r"old.json: targets\[0\] has no 'target'"):
        read_document(path, BenchDocument)
    with pytest.raises(DataError, match="there is no file"):
        read_document(tmp_path / "absent.json", BenchDocument)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="is not a saved bench: its schema is not"):
        read_document(path, BenchDocument)


def make_noisy(report: BenchReport) -> BenchReport:
    """Every other sample of each timing takes twice as long: p90 - p10 is far above 15 % of the median."""
    results = []
    for result in report.results:
        timings = {
            phase: Timing(tuple(sample * (1 + i % 2) for i, sample in enumerate(timing.samples)))
            for phase, timing in result.timings.items()
        }
        results.append(replace(result, timings=timings))
    return replace(report, results=tuple(results))


@pytest.mark.parametrize(
    ("old_is_noisy", "new_is_noisy", "told"),
    [
        (True, False, "since the older run is noisy"),
        (False, True, "since this run is noisy"),
        (True, True, "since the older run and this run are noisy"),
    ],
)
@pytest.mark.parametrize("factor", [1.0, 3.0, 0.3])
def test_noisy_runs_get_no_verdict(tmp_path, old_is_noisy: bool, new_is_noisy: bool, told: str, factor: float) -> None:
    old, new = make_report(), make_report(factor)
    old, new = make_noisy(old) if old_is_noisy else old, make_noisy(new) if new_is_noisy else new
    path = tmp_path / "old.json"
    path.write_text(format_document(build_document(old)), encoding="utf-8")
    ratios = compare_with_old(new, read_document(path, BenchDocument))
    assert len(ratios) == 2
    for line in tell_ratios(ratios, "old.json"):
        assert f"no verdict, {told}" in line
        assert not any(word in line for word in ("slower", "faster", "no difference"))
    compared = encode(build_document(new, list_ratios(ratios)))
    jsonschema.validate(compared, load_schema("bench"))
    assert [entry["verdict"] for entry in compared["compared"]] == [None, None]
    # What compares is read back as an older run.
    path.write_text(json.dumps(compared), encoding="utf-8")
    assert read_document(path, BenchDocument).compared


def test_memory_is_predicted_in_the_precision_that_is_timed() -> None:
    target = Target("wide", "wide", lambda: nn.Sequential(nn.Linear(8, 64), nn.Linear(64, 8)))
    bench_target = BenchTarget(target, (InputSpec(None, (4096, 8), None),), StepOptions(inference=False))
    wide, narrow = (predict_peak(bench_target, 4096, dtype) for dtype in ("fp32", "bf16"))
    # The hidden layer's output is kept for backward and its gradient made: 4096 x 64 values of 4 bytes, or of 2.
    assert wide is not None
    assert narrow is not None
    assert wide - narrow >= 4096 * 64 * 2
    assert predict_batch(bench_target, 2**30, "bf16") > 1.5 * predict_batch(bench_target, 2**30, "fp32")


def test_verdicts_about_losses() -> None:
    blank = TrainingVerdict(False, "", 20, "made-up", True)
    assert judge_losses([2.3] * 5 + [1.0] * 15, blank, 0.5).passed
    flat = judge_losses([2.3] * 20, blank, 0.1)
    assert flat.reason == "the loss did not fall: 2.300 at the start, 2.300 after 20 steps"
    assert judge_losses([2.3, float("nan")], blank, None).reason == "the loss became NaN or infinite at step 2"


@pytest.mark.parametrize("time", [0.0, -1.0, 1e300])
def test_times_that_no_clock_measures_are_refused_before_the_bench(tmp_path, time: float) -> None:
    document = encode(build_document(make_report()))
    timing = next(key for key in ("step_ms", "forward_ms") if document["targets"][0][key])
    document["targets"][0][timing]["samples"][0] = time
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=r"old.json: targets\[0\] has a block of"):
        check_times(read_document(path, BenchDocument), "old.json")
