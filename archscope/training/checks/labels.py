"""After training: do the labels belong to the images?

Where they were shuffled, the training images can only be memorised. The accuracy on held-out images is then at chance,
or as far below it as luck would have it above, or better than that on the training images.
"""

from dataclasses import dataclass

from archscope.core.finding import Finding

SIGNIFICANT = 4.0
"""Standard deviations of guessing."""
SLACK = 0.03
"""How much better than the training images the held-out ones may be classified, beyond chance."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended."""

    classes: int
    test_accuracy: float
    test_images: int
    known_accuracy: float
    """On training images as they are, in eval mode."""
    known_images: int
    steps: int
    """Steps of the optimizer."""

    @property
    def chance(self) -> float:
        """Accuracy of guessing."""
        return 1 / self.classes

    @property
    def test_deviation(self) -> float:
        """Standard deviation of the held-out accuracy of guessing."""
        return _find_deviation(self.test_images, self.chance)

    @property
    def known_deviation(self) -> float:
        """Standard deviation of the training images' accuracy of guessing."""
        return _find_deviation(self.known_images, self.chance)


def check_labels(outcome: Outcome) -> list[Finding]:
    """Shuffled labels are an error; held-out accuracy at chance alone, which may be too short a training, a warning."""
    sign = _find_sign(outcome)
    measured = f"{outcome.test_accuracy:.1%} of {outcome.test_images:,} held-out images"
    expected = f"more than {outcome.chance:.1%}, which is chance"
    if sign:
        return [
            Finding(
                severity="error",
                code="labels-shuffled",
                message=f"the labels do not belong to the images: {sign}",
                expected=expected,
                measured=f"{measured}, {outcome.known_accuracy:.1%} of {outcome.known_images:,} training images",
                remedy="the labels (or the held-out ones) are shuffled, shifted by one, or in another order than "
                "the images",
            )
        ]
    if not _is_at_chance(outcome):
        return []
    return [
        Finding(
            severity="warning",
            code="at-chance",
            message=f"the held-out accuracy is at chance after {outcome.steps:,} steps: too few of them, or shuffled "
            "labels",
            expected=expected,
            measured=measured,
            remedy="train longer or with another --lr; if that does not help, the labels do not belong to the images",
        )
    ]


def _find_sign(outcome: Outcome) -> str:
    """What gives shuffled labels away, beyond what luck does with so few images; empty where nothing does."""
    test, known, chance = outcome.test_accuracy, outcome.known_accuracy, outcome.chance
    both = SIGNIFICANT * (outcome.test_deviation**2 + outcome.known_deviation**2) ** 0.5
    learned = known > chance + SIGNIFICANT * outcome.known_deviation and known > test + both
    if learned and _is_at_chance(outcome):
        return f"the held-out accuracy is at chance while the training loss falls (training accuracy {known:.1%})"
    if test < chance - SIGNIFICANT * outcome.test_deviation:
        return f"the held-out accuracy is {test:.1%}, far below chance"
    if test > known + SLACK + both:
        return f"held-out images are classified better ({test:.1%}) than the training images ({known:.1%})"
    return ""


def _is_at_chance(outcome: Outcome) -> bool:
    """Whether guessing would sometimes do as well."""
    return outcome.test_accuracy <= outcome.chance + 2 * outcome.test_deviation


def _find_deviation(images: int, chance: float) -> float:
    return float((chance * (1 - chance) / max(images, 1)) ** 0.5)
