"""What belongs to the whole process survives a trace: functions that others wrap, garbage collection, randomness."""

import _thread
import gc
import itertools
import random
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.tracing.isolation import keep_random_state

X = torch.zeros(3, 4)
MACS = 3 * 4 * 5

PLACES = [
    (nn.Module, "__call__"),
    (nn.Module, "__setattr__"),
    (torch.nn.functional, "linear"),
    (threading.Thread, "start"),
    (ThreadPoolExecutor, "submit"),
    (_thread, "start_new_thread"),
    (ThreadPool.__mro__[1], "apply_async"),
]


class Foreign:
    """Another tool that wraps a function of somebody else's and takes its wrapper away again."""

    def __init__(self, owner: Any, name: str) -> None:
        self.owner, self.name, self.calls = owner, name, 0

    def apply(self) -> None:
        found = self.found = vars(self.owner)[self.name]

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return found(*args, **kwargs)

        setattr(self.owner, self.name, wrapper)

    def revert(self) -> None:
        setattr(self.owner, self.name, self.found)


def make_apply(foreign: Foreign) -> Callable[[], None]:
    """As a function, which a copy of a module shares; a bound method it would copy with its object."""
    return lambda: foreign.apply()  # noqa: PLW0108


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0].__name__.rpartition('.')[2]}.{place[1]}")
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Any, str]]:
    owner, name = request.param
    original = vars(owner)[name]
    yield owner, name
    setattr(owner, name, original)


class Net(nn.Module):
    """Does something to the process in its forward pass."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 5)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        self.act()
        made: Tensor = self.layer(x)
        return made


def check_process() -> None:
    """Modules, threads and pools work, and a trace of them counts everything once."""
    assert nn.Linear(2, 3)(torch.zeros(1, 2)).shape == (1, 3)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(int, "7").result() == 7

    def branch(net: Net, x: Tensor) -> Tensor:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(net.layer, x).result()

    class Threaded(Net):
        def forward(self, x: Tensor) -> Tensor:
            return branch(self, x)

    for net in (Net(), Threaded()):
        summary = archscope.trace(net, X)
        assert summary.costs.macs == MACS
        assert [layer.path for layer in summary.trace.layers] == ["", "layer"]


MOMENTS = ("before", "during", "after")


@pytest.mark.parametrize(
    ("applied", "reverted"),
    list(itertools.combinations_with_replacement((*MOMENTS, "never"), 2))[:-1],
)
def test_foreign_patches_leave_a_working_process(place: tuple[Any, str], applied: str, reverted: str) -> None:
    original = vars(place[0])[place[1]]
    foreign = Foreign(*place)
    acts: dict[str, list[Callable[[], None]]] = {moment: [] for moment in (*MOMENTS, "never")}
    acts[applied].append(foreign.apply)
    acts[reverted].append(foreign.revert)
    for act in acts["before"]:
        act()
    archscope.trace(Net(lambda: [act() for act in acts["during"]]), X, mode="meta")
    for act in acts["after"]:
        act()
    check_process()
    if reverted != "never":
        archscope.trace(Net(), X)
        assert vars(place[0])[place[1]] is original


@pytest.mark.parametrize("first_out", [0, 1])
def test_two_foreign_patches_in_either_order_of_removal(place: tuple[Any, str], first_out: int) -> None:
    # The second is applied in a later trace, over a wrapper of ours that the first one keeps.
    pair = Foreign(*place), Foreign(*place)
    for index in range(2):
        archscope.trace(Net(make_apply(pair[index])), X, mode="meta")
        check_process()
    pair[first_out].revert()
    check_process()
    pair[1 - first_out].revert()
    check_process()


def test_a_patch_kept_for_long_makes_calls_no_deeper() -> None:
    original = nn.Module.__call__
    foreign = Foreign(nn.Module, "__call__")
    archscope.trace(Net(make_apply(foreign)), X, mode="meta")
    depths: set[int] = set()
    for _ in range(20):
        archscope.trace(Net(lambda: depths.add(len(traceback.extract_stack()))), X, mode="meta")
    assert len(depths) == 1
    foreign.revert()
    archscope.trace(Net(), X)
    assert nn.Module.__call__ is original


def test_a_trace_in_a_traced_forward_keeps_a_foreign_patch() -> None:
    foreign = Foreign(nn.Module, "__call__")
    summary = archscope.trace(Net(lambda: archscope.trace(Net(make_apply(foreign)), X)), X)
    assert summary.costs.macs == MACS
    check_process()
    foreign.revert()


def draw() -> None:
    random.random()
    np.random.rand()
    torch.rand(1, device="cpu")


def read_states() -> tuple[Any, ...]:
    return random.getstate(), str(np.random.get_state()), torch.get_rng_state().numpy().tobytes()


def test_several_traces_at_once_leave_randomness_and_collection_as_they_were() -> None:
    net = Net(draw)
    for collects in (True, False):
        before = read_states()
        if not collects:
            gc.disable()
        try:
            for _ in range(10):
                barrier = threading.Barrier(8)

                def work(barrier: threading.Barrier = barrier) -> None:
                    barrier.wait()
                    archscope.trace(net, X)

                threads = [threading.Thread(target=work) for _ in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert gc.isenabled() == collects
                assert read_states() == before
        finally:
            gc.enable()


@pytest.mark.parametrize("leaves", [(0, 1), (1, 0)])
def test_the_last_of_overlapping_traces_puts_back_what_the_first_found(leaves: tuple[int, int]) -> None:
    before = read_states()
    inside = [threading.Event(), threading.Event()]
    may_leave = [threading.Event(), threading.Event()]

    def work(index: int) -> None:
        with keep_random_state():
            draw()
            inside[index].set()
            may_leave[index].wait(10)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread, entered in zip(threads, inside, strict=True):
        thread.start()
        entered.wait(10)
    for index in leaves:
        may_leave[index].set()
        threads[index].join()
    assert read_states() == before


def test_an_inner_trace_puts_back_what_it_found_itself() -> None:
    drawn: list[float] = []

    def act() -> None:
        random.seed(3)
        archscope.trace(inner, X)
        drawn.append(random.random())

    inner, outer = Net(draw), Net(act)
    before = read_states()
    archscope.trace(outer, X)
    assert drawn == [random.Random(3).random()]
    assert read_states() == before
