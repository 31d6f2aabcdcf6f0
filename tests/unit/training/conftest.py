"""Small models, small images and small archives for the tests of training."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archscope.training.data.binary import CLASSES, FOLDER, TEST_FILE, TRAIN_FILES, Layout
from archscope.training.data.images import Data, ImageSet

TINY = Layout(per_file=20, train_per_class=10, test_per_class=2)
"""The official layout with 20 records a file."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors are slower with more, and sums depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _make_images(count: int, side: int = 8, classes: int = 3, seed: int = 0) -> ImageSet:
    """Images whose class shows as a bright stripe, under noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    images = torch.randint(0, 120, (count, 3, side, side), generator=generator, dtype=torch.uint8)
    for place, label in enumerate(labels.tolist()):
        images[place, label % 3, label * side // classes : (label + 1) * side // classes] += 120
    return ImageSet(images, labels)


@pytest.fixture
def data() -> Data:
    """Three classes of 8x8 images."""
    return Data(_make_images(60, seed=1), _make_images(30, seed=2), ("red", "green", "blue"), "stripes")


def _make_net(
    widths: tuple[int, ...] = (16, 16, 24), *, norm: bool = True, classes: int = 3, tail: nn.Module | None = None
) -> nn.Sequential:
    """Convolutions, a pool and a linear layer for 8x8 images, sound with He's initialisation."""
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        layers.append(nn.Conv2d(channels, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers.append(nn.ReLU())
        channels = width
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(channels * 4, classes)]
    layers += [tail] if tail is not None else []
    net = nn.Sequential(*layers)
    for part in net.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
    return net


@pytest.fixture
def make_net() -> Callable[..., nn.Sequential]:
    """Builds a sound convolutional net for 8x8 images of three classes."""
    return _make_net


@pytest.fixture
def make_images() -> Callable[..., ImageSet]:
    """Makes images whose class shows as a bright stripe."""
    return _make_images


@pytest.fixture
def make_records() -> Callable[..., bytes]:
    """Makes the bytes of a file of twenty records, two of each class."""
    return _make_records


@pytest.fixture
def tiny() -> Layout:
    """The official layout with 20 records a file."""
    return TINY


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Nine normalised images with their labels."""
    images = _make_images(9, seed=3)
    return (images.images.float() / 255 - 0.45) / 0.25, images.labels


@pytest.fixture
def write_binary(tmp_path: Path) -> Callable[..., Path]:
    """Writes the official layout with 20 records a file; what is given replaces a file's bytes."""

    def write(**replaced: bytes) -> Path:
        folder = tmp_path / "data" / FOLDER
        folder.mkdir(parents=True)
        for name in (*TRAIN_FILES, TEST_FILE):
            (folder / name).write_bytes(replaced.get(name.partition(".")[0], _make_records()))
        return folder

    return write


def _make_records(first_label: int = 0) -> bytes:
    """Twenty records, two of each class."""
    records = bytearray()
    for number in range(20):
        label = (number + first_label) % len(CLASSES)
        records += bytes([label]) + bytes([label * 20 + number]) * 1024 + bytes([255 - number]) * 1024 + bytes(1024)
    return bytes(records)


NET = '''
import torch
from torch import nn


class Net(nn.Module):
    """For 8x8 images, with BatchNorm and dropout."""

    def __init__(self, num_classes: int = 10, width: int = 8) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(width * 64, num_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x))


class Softmax(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).softmax(1)


class Listed(Net):
    """A layer stands in a plain list."""

    def __init__(self, num_classes: int = 10, width: int = 8) -> None:
        super().__init__(num_classes, width)
        self.layers = [nn.Linear(num_classes, num_classes)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers[0](super().forward(x))


class Explodes(Net):
    """Gives NaN from its second training step on."""

    steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = super().forward(x)
        if self.training:
            self.steps += 1
        return scores * float("nan") if self.steps > 1 else scores


class Unsteady(Net):
    """Gives NaN in eval mode, once it was trained."""

    trained = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.trained = self.trained or self.training
        scores = super().forward(x)
        return scores * float("nan") if self.trained and not self.training else scores


class Fixed(nn.Module):
    """Its number of classes is its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Net(5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


class Narrow(Fixed):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Net(2)


class Large(Fixed):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 4, 9), nn.Flatten(), nn.Linear(4 * 8 * 8, 3))


class Raises(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not today")


instance = Net(3)
'''


@pytest.fixture
def net_file(tmp_path: Path) -> Path:
    """A file of models for 8x8 images."""
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


@pytest.fixture
def loaded(data: Data, monkeypatch: pytest.MonkeyPatch) -> Data:
    """What every session loads: three classes of 8x8 images."""
    monkeypatch.setattr("archscope.training.session.load_data", lambda where, reporter: data)
    return data
