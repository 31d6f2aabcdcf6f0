"""Memory as arithmetic: the search for a batch, and lifetimes in traces made by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.analysis.memory import MOST_BATCH, find_largest_batch, find_optimizer, find_trace_peak
from archscope.core.errors import UnknownNameError, UsageError
from archscope.core.words import format_memory, parse_memory


class TestSearch:
    @pytest.mark.parametrize(("limit", "largest"), [(1000, 0), (1007, 1), (1014, 2), (1020, 2), (8007, 1001)])
    def test_a_straight_line(self, limit: int, largest: int) -> None:
        found = find_largest_batch(lambda batch: 1000 + 7 * batch, limit)
        assert (found.largest, found.bounded) == (largest, True)

    def test_a_line_is_followed_in_a_few_steps(self) -> None:
        asked: list[int] = []

        def need(batch: int) -> int:
            asked.append(batch)
            return 10**9 + 123_456 * batch

        assert find_largest_batch(need, 10**9 + 123_456 * 98_765).largest == 98_765
        assert len(asked) <= 5

    def test_an_early_plateau_leads_nobody_astray(self) -> None:
        # The optimizer's step decides small batches, the activations large ones.
        asked: list[int] = []

        def need(batch: int) -> int:
            asked.append(batch)
            return max(5000 + batch, 100 * batch)

        assert find_largest_batch(need, 100 * 777 + 50).largest == 777
        assert len(asked) <= 12

    def test_the_batch_above_the_largest_was_asked_too(self) -> None:
        asked: list[int] = []

        def need(batch: int) -> int:
            asked.append(batch)
            return 10 * batch

        assert find_largest_batch(need, 505).largest == 50
        assert 51 in asked

    def test_what_needs_no_memory_ends_at_the_bound(self) -> None:
        found = find_largest_batch(lambda batch: 1, 10)
        assert (found.largest, found.bounded) == (MOST_BATCH, False)

    def test_the_smallest_batch_may_be_two(self) -> None:
        assert find_largest_batch(lambda batch: batch, 1, smallest=2).largest == 0
        assert find_largest_batch(lambda batch: batch, 2, smallest=2).largest == 2

    @given(st.lists(st.integers(0, 50), min_size=2, max_size=60), st.integers(0, 1500))
    def test_any_growing_need(self, steps: list[int], limit: int) -> None:
        needs = [sum(steps[: i + 1]) for i in range(len(steps))]
        asked: list[int] = []

        def need(batch: int) -> int:
            asked.append(batch)
            return needs[batch - 1] if batch <= len(needs) else needs[-1] + 1000 * (batch - len(needs))

        found = find_largest_batch(need, limit)
        expected = 0
        while need(expected + 1) <= limit:
            expected += 1
        assert found.largest == expected


class TestTracePeak:
    def test_a_chain_holds_two_activations_at_a_time(self, handmade: Any) -> None:
        net = handmade((1, 10))  # 40 bytes
        net.enter("", "Net", 0)
        x = net.call("a", "Tanh", 0, (1, 100))  # 400
        x = net.call("b", "Tanh", x, (1, 200))  # 800: 40 + 400 + 800
        x = net.call("c", "Tanh", x, (1, 20))  # 80: 40 + 800 + 80
        net.leave(x)
        trace, _ = net.build()
        peak = find_trace_peak(trace)
        assert (peak.live_bytes, peak.path, peak.type) == (40 + 400 + 800, "b", "Tanh")

    def test_a_residual_lives_until_it_is_added(self, handmade: Any) -> None:
        net = handmade((1, 10))
        net.enter("", "Net", 0)
        kept = net.call("a", "Tanh", 0, (1, 100))
        x = net.call("b", "Tanh", kept, (1, 100))
        x = net.call("c", "Tanh", x, (1, 100))  # 40 + three of 400
        x = net.run("aten.add", [x, kept], (1, 100))  # 40 + three of 400: the second is dead
        net.leave(x)
        trace, _ = net.build()
        assert find_trace_peak(trace).live_bytes == 40 + 3 * 400

    def test_views_and_in_place_operations_make_no_storage(self, handmade: Any) -> None:
        net = handmade((1, 10))
        net.enter("", "Net", 0)
        x = net.run("aten.tanh", [0], (1, 100))
        x = net.run("aten.view", [x], (100,))
        x = net.run("aten.relu_", [x], (100,))
        x = net.run("aten.view", [x], (10, 10))
        x = net.run("aten.sum", [x], ())
        net.leave(x)
        trace, _ = net.build()
        peak = find_trace_peak(trace)
        assert (peak.live_bytes, peak.path) == (40 + 400 + 4, "")

    def test_outputs_live_to_the_end_and_a_view_of_the_input_is_the_input(self, handmade: Any) -> None:
        net = handmade((1, 10))
        net.enter("", "Net", 0)
        first = net.run("aten.tanh", [net.run("aten.view", [0], (10,))], (100,))
        last = net.run("aten.tanh", [first], (50,))
        unread = net.run("aten.tanh", [last], (7,))
        second = net.run("aten.tanh", [last], (20,))
        assert unread
        net.leave(first, second)
        trace, _ = net.build(first, second)
        assert find_trace_peak(trace).live_bytes == 40 + 400 + 200 + 4 * max(7, 20)


class TestWords:
    @pytest.mark.parametrize(
        ("text", "amount"),
        [
            ("16GiB", 16 * 1024**3),
            ("16GB", 16 * 1000**3),
            ("24000MB", 24_000_000_000),
            ("1.5gib", 3 * 512 * 1024**2),
            (" 512 MiB ", 512 * 1024**2),
            ("1_000kb", 1_000_000),
            ("80,000MB", 80_000_000_000),
            ("1TiB", 1024**4),
            ("7B", 7),
        ],
    )
    def test_an_amount_is_read_exactly(self, text: str, amount: int) -> None:
        assert parse_memory(text) == amount

    @pytest.mark.parametrize(
        "text", ["", "GiB", "16", "16G", "-1GB", "0GB", "1.2.3GB", "16 G B", "lots", "0.1B", "9" * 90 + "GB", "1e3GB"]
    )
    def test_what_is_no_amount_says_how_to_write_one(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_memory(text)
        assert "--memory 16GiB" in caught.value.remedy

    @pytest.mark.parametrize(
        ("amount", "text"),
        [(16 * 1024**3, "16 GiB"), (16 * 10**9, "16 GB"), (1500 * 10**6, "1,500 MB"), (1234, "1,234 B")],
    )
    def test_amounts_are_written_exactly(self, amount: int, text: str) -> None:
        assert format_memory(amount) == text

    def test_optimizers(self) -> None:
        assert [find_optimizer(word).state for word in ("sgd", "momentum", "Adam", "adamw")] == [0, 1, 2, 2]
        with pytest.raises(UnknownNameError, match="unknown optimizer"):
            find_optimizer("lion")
