"""A clock whose time passes only where a test says so."""

import pytest


class FakeClock:
    def __init__(self) -> None:
        self.now_ms = 0.0

    def advance(self, span_ms: float) -> None:
        self.now_ms += span_ms

    def mark(self) -> float:
        return self.now_ms

    def settle(self) -> None:
        """Nothing to wait for."""

    def between_ms(self, start: float, end: float) -> float:
        return end - start


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
