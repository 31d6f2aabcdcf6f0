"""Layers and operations that threads run inside a forward pass belong to its trace, or it says what is unknown."""

import _thread
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import Pool, ThreadPool
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.core.errors import ArchscopeError

X = torch.zeros(3, 4)
MACS = 3 * (4 * 5 + 4 * 6 + 11 * 2)
PATHS = ["", "a", "b", "b.0", "b.1", "c"]


class Branches(nn.Module):
    """Two branches that `run` computes in threads, and a layer on top of both."""

    def __init__(self, run: Callable[["Branches", Tensor], Any]) -> None:
        super().__init__()
        self.a = nn.Linear(4, 5)
        self.b = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
        self.c = nn.Linear(11, 2)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.c(torch.cat(list(self.run(self, x)), 1))
        return joined


def start_threads(net: Branches, x: Tensor) -> list[Tensor]:
    found: dict[int, Tensor] = {}

    def work(index: int, module: nn.Module) -> None:
        found[index] = module(x)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate((net.a, net.b))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[0], found[1]]


class Worker(threading.Thread):
    def __init__(self, function: Callable[[], Tensor]) -> None:
        super().__init__()
        self.function = function

    def run(self) -> None:
        self.found = self.function()


def subclass_thread(net: Branches, x: Tensor) -> list[Tensor]:
    workers = [Worker(lambda: net.a(x)), Worker(lambda: net.b(x))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [worker.found for worker in workers]


def use_executor(net: Branches, x: Tensor) -> list[Tensor]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda module: module(x), (net.a, net.b)))


def use_thread_pool(net: Branches, x: Tensor) -> list[Tensor]:
    with ThreadPool(2) as pool:
        return pool.map(lambda module: module(x), (net.a, net.b))


def nest_executors(net: Branches, x: Tensor) -> list[Tensor]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(use_executor, net, x).result()


def feed_a_thread(net: Branches, x: Tensor) -> list[Tensor]:
    """The thread reads what is made after it was started."""
    asked: queue.Queue[Tensor | None] = queue.Queue()
    given: queue.Queue[Tensor] = queue.Queue()

    def work() -> None:
        while (item := asked.get()) is not None:
            given.put(net.b(item))

    thread = threading.Thread(target=work)
    thread.start()
    first = net.a(x)
    asked.put(x * 2)
    second = given.get()
    asked.put(None)
    thread.join()
    return [first, second]


def meet_at_a_barrier(net: Branches, x: Tensor) -> list[Tensor]:
    """Both threads are inside their layers at the same time."""
    barrier = threading.Barrier(2, timeout=30)

    def wait(*_: Any) -> None:
        barrier.wait()

    for module in (net.a, net.b):
        module.register_forward_pre_hook(wait)
    return start_threads(net, x)


def fork_eagerly(net: Branches, x: Tensor) -> list[Tensor]:
    future = torch.jit.fork(net.a, x)
    return [torch.jit.wait(future), net.b(x)]


CASES = [
    start_threads, subclass_thread, use_executor, use_thread_pool, nest_executors, feed_a_thread, meet_at_a_barrier,
    fork_eagerly,
]  # fmt: skip


@pytest.fixture(autouse=True)
def patches() -> Iterator[None]:
    """Whatever happens, nothing stays wrapped."""
    before = (threading.Thread.start, ThreadPoolExecutor.submit, nn.Module.__call__, vars(Pool)["_map_async"])
    yield
    assert (threading.Thread.start, ThreadPoolExecutor.submit, nn.Module.__call__, vars(Pool)["_map_async"]) == before


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
@pytest.mark.parametrize("run", CASES)
def test_layers_called_in_threads_are_seen(run: Any, mode: Any) -> None:
    summary = archscope.trace(Branches(run), X, mode=mode)
    trace = summary.trace
    assert (summary.costs.macs, summary.costs.uncounted) == (MACS, ())
    assert [layer.path for layer in trace.layers] == PATHS
    assert [trace.layers[layer.parent].path for layer in trace.layers[1:] if layer.parent is not None] == [
        "", "", "b", "b", "",
    ]  # fmt: skip
    assert trace.never_called == ()
    for layer in trace.layers:
        assert {op.layer for op in trace.list_own_ops(layer)} <= {layer.id}
    assert summary.costs.layers[1].macs == 3 * 20
    assert all(edge.producer is None or edge.producer < edge.consumer for edge in trace.edges)
    assert {op.index for op in trace.ops} == set(range(len(trace.ops)))


@pytest.mark.parametrize("run", [start_threads, use_executor])
def test_the_order_is_that_of_the_code_and_not_of_the_clock(run: Any) -> None:
    def wait(*_: Any) -> None:
        time.sleep(0.05)

    net = Branches(run)
    net.a.register_forward_pre_hook(wait)
    assert [layer.path for layer in archscope.trace(net, X).trace.layers] == PATHS


def test_pools_that_were_there_before() -> None:
    with ThreadPoolExecutor(2) as executor, ThreadPool(2) as pool:
        list(executor.map(time.sleep, [0.01, 0.01]))

        def run(net: Branches, x: Tensor) -> list[Tensor]:
            first = executor.submit(lambda: x @ net.a.weight.t())
            second = pool.apply_async(lambda: net.b(x))
            return [first.result(), second.get()]

        summary = archscope.trace(Branches(run), X)
        assert summary.costs.macs == MACS
        # The workers are as they were: what they run now belongs to no trace.
        assert executor.submit(lambda: torch.ones(2).sum().item()).result() == 2
        assert executor.submit(torch.is_grad_enabled).result()


def test_a_thread_that_was_there_before_calls_a_layer() -> None:
    asked: queue.Queue[Any] = queue.Queue()
    given: queue.Queue[Any] = queue.Queue()

    def serve() -> None:
        while (item := asked.get()) is not None:
            given.put(item[0](item[1]))

    thread = threading.Thread(target=serve)
    thread.start()

    def run(net: Branches, x: Tensor) -> list[Tensor]:
        asked.put((net.b, x))
        return [net.a(x), given.get()]

    try:
        assert archscope.trace(Branches(run), X).costs.macs == MACS
    finally:
        asked.put(None)
        thread.join()


def test_what_still_runs_when_forward_returns_is_unknown() -> None:
    release = threading.Event()

    def run(net: Branches, x: Tensor) -> list[Tensor]:
        def work() -> None:
            release.wait(30)
            net.b(x)

        threading.Thread(target=work, daemon=True).start()
        return [net.a(x), x[:, :1].expand(3, 6)]

    summary = archscope.trace(Branches(run), X)
    release.set()
    assert summary.costs.macs is None
    assert summary.costs.counted_macs == 3 * (20 + 22)
    (unknown,) = summary.costs.uncounted
    assert (unknown.op, unknown.calls) == ("threading.Thread", 1)
    assert "still running" in unknown.reason
    assert "nothing uncounted" not in str(summary)
    assert summary.to_dict()["counts_complete"] is False


def test_an_error_in_a_thread_is_told_as_the_layers() -> None:
    def run(net: Branches, x: Tensor) -> list[Tensor]:
        with ThreadPoolExecutor(1) as pool:
            return [pool.submit(net.c, x).result()]

    with pytest.raises(ArchscopeError, match=r"c \(Linear\) failed on 3x4"):
        archscope.trace(Branches(run), X)


def test_an_error_that_a_thread_dies_of_is_told_and_not_its_consequence(capfd: pytest.CaptureFixture[str]) -> None:
    """Forward goes on and fails for want of what the thread owed it."""

    def run(net: Branches, x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        thread = threading.Thread(target=lambda: found.append(net.c(x)))
        thread.start()
        thread.join()
        return [found[0], found[0]]

    with pytest.raises(ArchscopeError, match=r"c \(Linear\) failed on 3x4"):
        archscope.trace(Branches(run), X)
    assert capfd.readouterr().err == ""


def test_a_thread_that_reads_values_is_traced_for_real() -> None:
    def run(net: Branches, x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        thread = threading.Thread(target=lambda: found.append(net.b(x[: int(torch.rand(1).sum() * 0) + 3])))
        thread.start()
        thread.join()
        return [net.a(x), found[0]]

    summary = archscope.trace(Branches(run), X)
    assert (summary.trace.mode, summary.costs.macs) == ("real", MACS)


def test_a_thread_that_dies_of_an_error_nobody_minds() -> None:
    def run(net: Branches, x: Tensor) -> list[Tensor]:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        return [net.a(x), net.b(x)]

    summary = archscope.trace(Branches(run), X)
    assert summary.costs.macs == MACS
    assert "a thread that forward started ended with ZeroDivisionError: division by zero" in str(summary)


FORKED = """
import warnings

warnings.simplefilter("ignore")
import torch
from torch import nn
import archscope


@torch.jit.script
def run(x, left, right):
    first = torch.jit.fork(torch.mm, x, left)
    second = torch.mm(x, right)
    return torch.cat([torch.jit.wait(first), second], 1)


class Net(nn.Module):
    def forward(self, x, left, right):
        return run(x, left, right) @ right.new_ones(11, 2)


print(archscope.trace(Net(), torch.zeros(3, 4), torch.zeros(4, 5), torch.zeros(4, 6)).costs.macs)
"""


def test_what_torchscript_forks_is_seen(tmp_path: Any) -> None:
    (tmp_path / "forked.py").write_text(FORKED)
    done = subprocess.run([sys.executable, str(tmp_path / "forked.py")], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(MACS), done.stderr


def test_two_traces_in_two_threads_stay_apart() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(archscope.trace, Branches(use_executor), X) for _ in range(8)]
        assert [future.result().costs.macs for future in found] == [MACS] * 8


def test_fit_sees_what_threads_keep_for_the_backward_pass(tmp_path: Any) -> None:
    """The same two convolutions one after the other, and in threads."""
    text = """
import torch
from concurrent.futures import ThreadPoolExecutor
from torch import nn


class One(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return (self.a(x) * self.b(x)).sum((1, 2, 3))


class Two(One):
    def forward(self, x):
        with ThreadPoolExecutor(2) as pool:
            a, b = pool.map(lambda module: module(x), (self.a, self.b))
        return (a * b).sum((1, 2, 3))
"""
    (tmp_path / "nets.py").write_text(text)
    one, two = (
        archscope.fit(f"{tmp_path / 'nets.py'}:{name}", batch=2, training=True, inputs="3x32x32").fit.prediction
        for name in ("One", "Two")
    )
    # The image, which both convolutions keep, and their outputs, which the product keeps.
    kept = 4 * (2 * 3 * 32 * 32 + 2 * (2 * 8 * 30 * 30))
    assert two.saved_activation_bytes == one.saved_activation_bytes == kept
    assert (two.peak_bytes, two.gradient_bytes) == (one.peak_bytes, one.gradient_bytes)


class Queued(nn.Module):
    """A raw thread, which ran before forward, multiplies what it finds in a queue; `use` gets the product."""

    def __init__(self, use: Callable[["Queued", Tensor], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 4))
        self.top = nn.Linear(5, 2)
        self.use = use
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        inbox, outbox = self.inbox, self.outbox

        def work() -> None:
            while (item := inbox.get()) is not None:
                outbox.put(nn.functional.linear(*item))

        _thread.start_new_thread(work, ())

    def forward(self, x: Tensor) -> Tensor:
        self.inbox.put((x, self.weight))
        return self.use(self, self.outbox.get())


USES: dict[str, tuple[Callable[[Queued, Tensor], Tensor], list[str]]] = {
    "a layer's input": (lambda net, found: net.top(found), ["top"]),
    "an operand": (lambda _, found: found + 1, [""]),
    "the output": (lambda _, found: found, [""]),
}


@pytest.mark.parametrize("mode", ["meta", "fake", "real"])
@pytest.mark.parametrize("use", USES)
def test_what_a_thread_that_ran_before_made_is_unknown(mode: Any, use: str) -> None:
    function, paths = USES[use]
    net = Queued(function)
    summary = archscope.trace(net, X, mode=mode)
    net.inbox.put(None)
    assert summary.costs.macs is None
    (unknown,) = summary.costs.uncounted
    assert [summary.trace.layers[index].path for index in unknown.layers] == paths
    assert "a thread that ran before forward" in unknown.reason
    assert summary.to_dict()["counts_complete"] is False


start_before = _thread.start_new_thread


@pytest.mark.parametrize("known", [True, False], ids=["by its module", "by a name of one's own"])
def test_raw_threads_are_followed_or_told(known: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 5))
            self.top = nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Any:
            found: queue.SimpleQueue[Tensor] = queue.SimpleQueue()
            (_thread.start_new_thread if known else start_before)(lambda: found.put(x @ self.weight), ())
            return self.top(found.get(timeout=10))

    summary = archscope.trace(Net(), X)
    assert summary.costs.macs == (3 * (4 * 5 + 5 * 2) if known else None)
    assert summary.costs.counted_macs == 3 * (4 * 5 * known + 5 * 2)


def test_what_was_there_before_is_no_work_of_a_thread() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 5)
            self.plain = [torch.zeros(4), {"deep": torch.zeros(4)}]
            self.view = self.layer.weight.data.t()
            self.hidden = lambda: self.layer.bias

        def forward(self, x: Tensor) -> Any:
            literal = torch.tensor([1.0, 2.0, 3.0, 4.0])
            return self.layer((x + self.plain[0]) * self.plain[1]["deep"] + literal) + self.hidden()

    net, stop = Net(), threading.Event()
    busy = threading.Thread(target=lambda: [None for _ in iter(stop.is_set, True)], daemon=True)
    busy.start()
    for mode in ("meta", "fake"):
        assert archscope.trace(net, X, mode=mode).costs.macs == 3 * 4 * 5
    stop.set()
    busy.join()
