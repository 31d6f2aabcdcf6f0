"""The rules of verdicts, on figures that nobody ever printed."""

from fractions import Fraction
from typing import Any

import pytest

from archscope.papers.measurement import Amount, Claim, Convention, Listing, Measurement, Numbers, Phrase, Reading
from archscope.papers.published import Fact, list_numbers, read_amount
from archscope.papers.verdicts import RULES, VERDICTS, judge_with_reason


def invent(published: str, **fields: Any) -> Fact:
    given: dict[str, Any] = {
        "id": "invented.figure",
        "model": "Net",
        "where": "total",
        "quantity": "params",
        "rounding": "exact",
        "locus": "Table 9",
        "check": "trace",
        "confirmed": False,
    }
    return Fact(published=published, **{**given, **fields})


def amount(value: str | int, *conventions: Convention, conflict: str = "") -> Measurement:
    return measure(Amount(Fraction(value)), *conventions, conflict=conflict)


def measure(reading: Reading, *conventions: Convention, conflict: str = "") -> Measurement:
    return Measurement("measured", 1, reading, conventions=conventions, conflict=conflict)


@pytest.mark.parametrize(
    ("printed", "scale", "value", "verdict"),
    [
        # Nearest to the last printed digit, a half upwards.
        ("61", 1_000_000, 60_965_224, "agrees"),
        ("12", 1_000_000, 12_499_999, "agrees"),
        ("13", 1_000_000, 12_500_000, "agrees"),
        ("3.9", 10**9, 3_857_973_248, "agrees"),
        ("2.7", 1024, 2_750, "agrees"),
        # Cut, or rounded up.
        ("12", 1_000_000, 12_500_000, "rounded"),
        ("60", 1_000_000, 60_965_224, "rounded"),
        ("13", 1_000_000, 12_000_001, "rounded"),
        ("3.8", 10**9, 3_857_973_248, "rounded"),
        # A whole unit away is no rounding.
        ("380", 1024, 379 * 1024, "wrong"),
        ("59", 1_000_000, 60_965_224, "wrong"),
        ("4.0", 10**9, 3_857_973_248, "wrong"),
        # Exact counts.
        ("4096", 1, 4096, "agrees"),
        ("4096", 1, 4097, "wrong"),
    ],
)
def test_one_number(printed: str, scale: int, value: int, verdict: str) -> None:
    assert judge_with_reason(invent(printed, printed_number=printed, scale=scale), amount(value))[0] == verdict


def test_zeros_beyond_the_significant_digits_say_nothing() -> None:
    two = invent("650,000", printed_number="650000", rounding="two significant digits")
    assert judge_with_reason(two, amount(652_000))[0] == "agrees"
    assert judge_with_reason(two, amount(659_272))[0] == "rounded"
    assert judge_with_reason(two, amount(661_000))[0] == "wrong"
    exact = invent("650,000", printed_number="650000")
    assert judge_with_reason(exact, amount(652_000))[0] == "wrong"


@pytest.mark.parametrize(
    ("published", "value", "verdict"),
    [
        ("81% more", "81.48", "agrees"),
        ("-0.92%", "-0.92", "agrees"),
        ("-0.92%", "-0.925", "rounded"),
        ("-0.92%", "0.92", "wrong"),
        ("2.8%", "2.85", "rounded"),
        ("1,234 units", "1234", "agrees"),
        ("alpha = 10^-4", "0.0001", "agrees"),
        ("thirteen", "13", "agrees"),
        ("no number at all", "13", "wrong"),
    ],
)
def test_a_number_in_a_text(published: str, value: str, verdict: str) -> None:
    assert judge_with_reason(invent(published), amount(value))[0] == verdict


def test_another_number_of_the_text() -> None:
    fact = invent("3*4 = 12K")
    assert judge_with_reason(fact, measure(Amount(Fraction(11_900), at=-1, scale=1000)))[0] == "agrees"
    assert judge_with_reason(fact, measure(Amount(Fraction(11_900), at=7)))[0] == "wrong"


@pytest.mark.parametrize(
    ("published", "reading", "verdict"),
    [
        ("[55x55x96]", Numbers((55, 55, 96)), "agrees"),
        ("[55x55x96]", Numbers((55, 55, 95)), "wrong"),
        ("[55x55x96]", Numbers((55, 55)), "wrong"),
        ("x.shape =[1, 128, 32,32]", Numbers((1, 128, 32, 32)), "agrees"),
        ("8 + 3 = net 11", Numbers((3, 11), at=(1, 2)), "agrees"),
        ("8 + 3 = net 11", Numbers((3, 11), at=(1, 9)), "wrong"),
        ("2(2^2 C^2) = 8C^2", Numbers((8,), pattern=r"(\d+)C\^2"), "agrees"),
        ("224 x 224 RGB", Numbers((224, 224, 3)), "agrees"),
        ("96  kernels of size 5x5", Phrase("96 kernels of size 5x5"), "agrees"),
        ("96 kernels of size 5x5", Phrase("96 kernels of size 3x3"), "wrong"),
        ("cfg = [8, 'M', 16] ### a net", Listing((8, "M", 16)), "agrees"),
        ("cfg = [8, 'M', 16]", Listing((8, "M")), "wrong"),
        ("cfg = 8, M", Listing((8, "M")), "wrong"),
        ("cfg = [8, M]", Listing((8, "M")), "wrong"),
        ("it holds", Claim(True), "agrees"),
        ("it holds", Claim(True, loosely=True), "rounded"),
        ("it holds", Claim(False), "wrong"),
    ],
)
def test_sizes_words_and_claims(published: str, reading: Reading, verdict: str) -> None:
    assert judge_with_reason(invent(published), measure(reading))[0] == verdict


class TestTheFirstThatFits:
    PRINTED = invent("15.3", printed_number="15.3", scale=10**9)
    OTHER = Convention("without the heads", Amount(Fraction(15_346_000_000)))

    def test_agrees_before_everything(self) -> None:
        assert (
            judge_with_reason(self.PRINTED, amount(15_300_000_000, self.OTHER, conflict="another row"))[0] == "agrees"
        )

    def test_rounded_before_convention(self) -> None:
        assert (
            judge_with_reason(self.PRINTED, amount(15_390_000_000, self.OTHER, conflict="another row"))[0] == "rounded"
        )

    def test_convention_before_inconsistent(self) -> None:
        found = judge_with_reason(self.PRINTED, amount(15_470_000_000, self.OTHER, conflict="another row"))
        assert found == ("convention", "without the heads")

    def test_a_convention_must_agree_and_not_merely_be_cut(self) -> None:
        cut = Convention("cut", Amount(Fraction(15_390_000_000)))
        assert judge_with_reason(self.PRINTED, amount(15_470_000_000, cut))[0] == "wrong"

    def test_the_second_convention_may_fit(self) -> None:
        none = Convention("nothing", Amount(Fraction(1)))
        assert judge_with_reason(self.PRINTED, amount(15_470_000_000, none, self.OTHER))[1] == "without the heads"

    def test_inconsistent_before_wrong(self) -> None:
        found = judge_with_reason(self.PRINTED, amount(15_470_000_000, conflict="row 3 prints 15.5"))
        assert found == ("inconsistent", "row 3 prints 15.5")

    def test_wrong(self) -> None:
        assert judge_with_reason(self.PRINTED, amount(15_470_000_000)) == ("wrong", "")

    def test_the_help_states_every_verdict_in_this_order(self) -> None:
        assert (
            tuple(RULES) == VERDICTS == ("agrees", "rounded", "convention", "inconsistent", "wrong", "not recomputable")
        )


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("eight layers; 5 and 3", [8, 5, 3]),
        ("12,345,678 and 1,23", [12_345_678, 1, 23]),
        ("16 +3 =vgg19", [16, 3, 19]),
        ("2010-2017", [2010, 2017]),
        ("11.3x10^9", ["11.3", 10**9]),
        ("doubled", [2]),
        ("stone tenor", []),
    ],
)
def test_numbers_in_a_text(text: str, numbers: list[Any]) -> None:
    assert [number.value for number in list_numbers(text)] == [Fraction(number) for number in numbers]


def test_the_step_is_the_last_printed_digit() -> None:
    printed = read_amount(invent("1.50 billion", printed_number="1.50", scale=10**9))
    assert printed is not None
    assert (printed.value, printed.step) == (1_500_000_000, 10_000_000)
    assert read_amount(invent("none")) is None
