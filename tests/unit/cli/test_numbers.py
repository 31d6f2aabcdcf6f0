"""Numbers on the command line: of any size, in any script and in no script, they are read or refused, never a bug."""

import pytest

import archscope
from archscope.cli.app import main

LONG = "9" * 5_000
ODD = (
    *(LONG, "²", "1²", "٣", "\uff11", "Ⅷ", "1e999", "-1", "nan", "inf", "0x10", "1__0", "2147483648"),
    *("9" * 20, "9" * 41),
)
PLACES = (
    "explain alexnet conv#{}", "explain alexnet features.0#{}", "explain alexnet features.0#{}:features.3#{}",
    "budget alexnet --max-params {}", "budget alexnet --max-macs {}K", "budget alexnet --max-activations 0.{}",
    "budget alexnet --max-params 1 --tolerance {}", "fit resnet20 --memory {}GiB", "fit resnet20 --memory 1.{}GiB",
    "fit resnet20 --memory 1GiB --reserve {}%", "trace alexnet --input 3x{}x3",
    "trace alexnet --input n={}", "trace alexnet --input lengths=tensor([{}])", "trace alexnet --depth {}",
    "trace alexnet --top {}", "bench alexnet --device cpu --threads {}", "bench alexnet --device cpu --batch {}x",
    "train resnet20 --check-only --data none.json --threads {}", "train resnet20 --check-only --data none.json --lr {}",
    "train resnet20 --check-only --data none.json --seed {}", "bench alexnet --device cuda:{}", "models {}",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_no_number_breaks_a_command(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    for odd in ODD:
        words = place.replace("{}", odd).split()
        if place.startswith("bench") and odd.isdecimal() and len(odd) == 1:
            continue  # it would run
        assert main(words) in (0, 1, 2), ascii(words)
        capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("bench alexnet --device cpu --threads 2147483648", "threads cannot be 2147483648"),
        ("bench alexnet --device cpu --threads 1025", "give a whole number from 1 to 1,024"),
        ("budget alexnet --max-params 1 --tolerance inf", "tolerance cannot be inf"),
        ("budget alexnet --max-params 1 --tolerance 1e308", "tolerance cannot be 1e+308"),
        (f"budget alexnet --max-params {LONG}", "is too long for a count"),
        ("explain alexnet features.0#²", "unknown layer 'features.0#²'"),
        (f"trace alexnet --input x=tensor([{2**63}])", "larger than int64 holds"),
    ],
)
def test_the_error_says_which(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("number", ["²", "٣", LONG, "1_0", ""])
def test_calls_are_numbered_in_plain_digits(number: str) -> None:
    summary = archscope.trace("resnet20", inputs="3x8x8")
    assert f"layer1.0.relu#{number}" not in summary
    assert "layer1.0.relu#1" in summary
