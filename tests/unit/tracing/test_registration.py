"""What a module holds and has not registered, or has registered twice: named, with the remedy, and nothing else is."""

from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import archscope
from archscope.core.finding import Finding
from archscope.tracing.holdings import find_holdings

IMAGE = torch.zeros(2, 3, 8, 8)
POINT_WEIGHTS = 4 * 4 + 4
"""Of a 1x1 convolution from 4 to 4 channels, with its biases."""
Fingerprint = Callable[..., dict[str, object]]
Pair = namedtuple("Pair", ["first", "second"])


def make_point() -> nn.Conv2d:
    return nn.Conv2d(4, 4, 1)


@dataclass
class Heads:
    first: nn.Module


class Slotted:
    __slots__ = ("empty", "first")

    def __init__(self, first: nn.Module) -> None:
        self.first = first


def walk(value: Any) -> Iterator[nn.Module]:
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, dict):
        yield from (part for item in value.values() for part in walk(item))
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        yield from (part for item in value for part in walk(item))
    elif isinstance(value, (Heads, Slotted)):
        yield value.first
    elif isinstance(value, partial):
        yield value.args[0]
    else:
        yield value.__closure__[0].cell_contents


class Holder(nn.Module):
    """A stem, and after it whatever its attribute `parts` holds."""

    def __init__(self, parts: Any) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.__dict__["parts"] = parts

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for part in walk(self.parts):
            x = part(x)
        return x


class Scaled(nn.Module):
    """A stem, times every tensor of its attribute `scales`."""

    def __init__(self, scales: Any) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.scales = scales

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        scales = self.scales.values() if isinstance(self.scales, dict) else self.scales
        for scale in [scales] if isinstance(scales, torch.Tensor) else scales:
            x = x * scale
        return x


def find(module: nn.Module, *inputs: torch.Tensor) -> tuple[Finding, ...]:
    return archscope.trace(module.eval(), *(inputs or (IMAGE,))).findings


def find_one(module: nn.Module, code: str) -> Finding:
    (finding,) = find(module)
    assert finding.code == code
    return finding


class TestModules:
    @pytest.mark.parametrize(
        ("make", "words", "remedy", "count"),
        [
            (lambda: [make_point(), make_point()], "a plain list", "self.parts = nn.ModuleList([...])", 2),
            (lambda: (make_point(),), "a plain tuple", "nn.ModuleList", 1),
            (lambda: Pair(make_point(), make_point()), "a plain tuple", "nn.ModuleList", 2),
            (lambda: {make_point()}, "a plain set", "nn.ModuleList", 1),
            (lambda: deque([make_point()]), "a plain deque", "nn.ModuleList", 1),
            (lambda: {"a": make_point()}, "a plain dict", "self.parts = nn.ModuleDict({...})", 1),
            (lambda: OrderedDict(a=make_point(), b=nn.ReLU()), "a plain dict", "nn.ModuleDict", 1),
            (lambda: {"a": [make_point(), (make_point(),)]}, "a plain dict", "so each container within it", 2),
            (lambda: [[make_point()], [make_point()]], "a plain list", "so each container within it", 2),
            (lambda: Heads(make_point()), "an object of class Heads", "let Heads be an nn.Module", 1),
            (lambda: Slotted(make_point()), "an object of class Slotted", "let Slotted be an nn.Module", 1),
            (lambda: partial(print, make_point()), "a closure", "attribute of the module", 1),
            (make_point, "parts is a Conv2d", "assign it as an attribute", 1),
        ],
    )
    def test_wherever_they_are(self, make: Callable[[], Any], words: str, remedy: str, count: int) -> None:
        finding = find_one(Holder(make()), "unregistered-module")
        assert finding.severity == "warning"
        assert finding.place == "parts"
        assert words in finding.message
        assert f" {count * POINT_WEIGHTS} parameters" in finding.message
        assert remedy in finding.remedy

    def test_a_closure(self) -> None:
        point = make_point()
        finding = find_one(Holder(lambda x: point(x) * 2), "unregistered-module")
        assert "parts, a closure, holds a Conv2d that is not registered" in finding.message

    def test_the_class(self) -> None:
        class Shared(nn.Module):
            layer = nn.Conv2d(3, 4, 1)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.layer(x)

        finding = find_one(Shared(), "unregistered-module")
        assert finding.place == "Shared.layer"
        assert "in __init__" in finding.remedy

    def test_made_in_forward(self) -> None:
        class Fresh(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return nn.Conv2d(3, 4, 1)(x)

        finding = find_one(Fresh(), "unregistered-module")
        assert "made in forward, or a global" in finding.message
        assert "in __init__" in finding.remedy

    def test_in_a_submodule_and_in_what_is_not_registered(self) -> None:
        inner = Holder([make_point()])
        assert find_one(nn.Sequential(OrderedDict(block=inner)), "unregistered-module").place == "block.parts"
        hidden = [nn.Conv2d(4, 3, 1), Holder([make_point()])]
        assert [finding.place for finding in find(Holder(hidden))] == ["parts", "parts[1].parts"]

    def test_dropout_stays_in_training_mode(self) -> None:
        finding = find_one(Holder([nn.Dropout(0.5)]), "unregistered-module")
        assert ".eval() passes over Dropout" in finding.message

    def test_frozen_ones_are_a_note(self) -> None:
        finding = find_one(Holder([make_point().requires_grad_(False)]), "unregistered-module")
        assert finding.severity == "note"
        assert f"{POINT_WEIGHTS} frozen parameters" in finding.message

    def test_what_forward_does_not_use_is_a_note(self) -> None:
        module = Holder([])
        module.__dict__["spare"] = [make_point()]
        finding = find_one(module, "unregistered-module")
        assert finding.severity == "note"
        assert "forward uses none of it" in finding.message

    @pytest.mark.parametrize("parts", [[nn.ReLU()], {"a": nn.Identity()}, [nn.Dropout(0.0)], nn.ReLU()])
    def test_nothing_to_register(self, parts: Any) -> None:
        assert find(Holder(parts)) == ()

    def test_registered_elsewhere(self) -> None:
        module = Holder([])
        module.layers = nn.ModuleList([make_point()])
        module.parts.append(module.layers[0])
        module.__dict__["again"] = {"a": [module.layers[0]], "root": module, "weight": module.stem.weight}
        assert find(module) == ()

    def test_of_a_named_target(self, tmp_path: Any) -> None:
        text = """
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = [nn.Linear(8, 8), nn.Linear(8, 8)]
            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x
        """
        (tmp_path / "net.py").write_text("\n".join(line[8:] for line in text.splitlines()))
        summary = archscope.trace(f"{tmp_path}/net.py:Net", inputs="2x8")
        assert [finding.code for finding in summary.findings] == ["unregistered-module"]
        assert "144 parameters" in summary.findings[0].message  # 2 * (8 * 8 + 8)
        assert summary.params == 0

    def test_where_forward_fails(self) -> None:
        with pytest.raises(archscope.ForwardError) as caught:
            archscope.trace(Holder([make_point()]), torch.zeros(1, 5, 8, 8))
        assert [finding.code for finding in caught.value.summary.findings] == ["unregistered-module"]


class TestParameters:
    def test_a_plain_tensor(self) -> None:
        finding = find_one(Scaled(torch.ones(4, 1, 1, requires_grad=True)), "unregistered-parameter")
        assert finding.place == "scales"
        assert "nn.Parameter" in finding.remedy
        assert "register_buffer" in finding.remedy

    @pytest.mark.parametrize(("container", "remedy"), [(list, "nn.ParameterList"), (dict, "nn.ParameterDict")])
    def test_parameters_in_a_container(self, container: type, remedy: str) -> None:
        scales = [nn.Parameter(torch.ones(4, 1, 1)) for _ in range(2)]
        held = dict(zip("ab", scales, strict=True)) if container is dict else scales
        finding = find_one(Scaled(held), "unregistered-parameter")
        assert "2 Parameters" in finding.message
        assert "8 elements" in finding.message
        assert remedy in finding.remedy

    def test_registered_ones(self) -> None:
        assert find(Scaled(nn.Parameter(torch.ones(4, 1, 1)))) == ()
        assert find(Scaled(nn.ParameterList([torch.ones(4, 1, 1)]))) == ()

    @pytest.mark.filterwarnings("ignore::FutureWarning")
    def test_tensors_that_torch_itself_puts_there(self) -> None:
        pruned = nn.Conv2d(3, 4, 1)
        prune.l1_unstructured(pruned, "weight", 0.5)
        old = nn.utils.weight_norm(nn.Conv2d(3, 4, 1))
        for module in (pruned, old, parametrizations.weight_norm(nn.Conv2d(3, 4, 1))):
            assert find(module) == ()
        assert find(nn.LSTM(8, 4), torch.zeros(5, 1, 8)) == ()

    def test_what_forward_keeps(self) -> None:
        class Keeps(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.stem = nn.Conv2d(3, 4, 1)
                self.seen: list[torch.Tensor] = []

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                self.seen.append(self.stem(x))
                return self.seen[-1]

        module = Keeps()
        module(IMAGE)
        assert find(module) == ()


class TestConstants:
    """A plain tensor matters where `.to` leaves it behind and forward then fails."""

    def test_one_that_stays_behind(self) -> None:
        finding = find_one(Scaled(torch.ones(4, 1, 1)), "unregistered-buffer")
        assert "self.register_buffer('scales', ...)" in finding.remedy
        assert find_one(Scaled([torch.ones(4, 1, 1)]), "unregistered-buffer").place == "scales"

    def test_a_distribution(self) -> None:
        class Prior(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.prior = torch.distributions.Normal(torch.zeros(8), torch.ones(8), validate_args=False)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.prior.log_prob(x)

        assert find_one(Prior(), "unregistered-buffer").place == "prior"

    def test_one_of_each_block_is_one_finding(self) -> None:
        blocks = nn.Sequential(*(nn.Sequential(Scaled(torch.ones(4, 1, 1)), nn.Conv2d(4, 3, 1)) for _ in range(3)))
        assert "scales of each Scaled (3 of them)" in find_one(blocks, "unregistered-buffer").message

    def test_those_that_do_not_matter(self) -> None:
        class Follows(Scaled):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.stem(x) * self.scales.expand(4, 1, 1).to(x.device)

        assert find(Follows(torch.ones(1, 1, 1))) == ()
        assert find(Scaled(torch.tensor(2.0))) == ()  # a scalar goes with every device
        module = Scaled([])
        module.register_buffer("mean", torch.ones(4, 1, 1))
        module.unread = torch.ones(3)
        assert find(module) == ()


class TestSharing:
    def test_a_block_times_three(self) -> None:
        block = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
        finding = find_one(nn.Sequential(*[block] * 3), "shared-module")
        assert "0, 1 and 2 are one Sequential, called 3 times with the same 18 parameters" in finding.message
        assert "running statistics" in finding.message
        assert "[Sequential(...) for _ in range(3)], not [Sequential(...)] * 3" in finding.remedy

    def test_two_attributes(self) -> None:
        class Two(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first = nn.Conv2d(3, 3, 1)
                self.second = self.first

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.second(self.first(x))

        finding = find_one(Two(), "shared-module")
        assert finding.severity == "note"  # `a = b = Conv2d(...)` is as likely to be meant
        assert "first and second are one Conv2d, called 2 times with the same 12 parameters" in finding.message
        assert "(the same in 2 more Two)" in find_one(nn.Sequential(Two(), Two(), Two()), "shared-module").message

    def test_one_batch_norm_under_two_names(self) -> None:
        class Two(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv2d(3, 3, 1)
                self.bn1 = self.bn2 = nn.BatchNorm2d(3)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.bn2(self.conv(self.bn1(x)))

        assert find_one(Two(), "shared-module").severity == "warning"

    def test_one_batch_norm_after_two_layers(self) -> None:
        class Shared(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv1, self.conv2 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
                self.norm, self.relu = nn.BatchNorm2d(3), nn.ReLU()

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.norm(self.conv2(self.relu(self.norm(self.conv1(x)))))

        finding = find_one(Shared(), "shared-module")
        assert finding.place == "norm"
        assert "norm is one BatchNorm after conv1 and conv2" in finding.message

    def test_what_is_meant(self) -> None:
        """A ReLU under two names, tied weights, a tower for two inputs, a layer under a second name."""
        relu = nn.ReLU()
        assert find(nn.Sequential(nn.Conv2d(3, 3, 1), relu, nn.Conv2d(3, 3, 1), relu)) == ()

        class Tied(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embed, self.head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
                self.head.weight = self.embed.weight

            def forward(self, ids: torch.Tensor) -> torch.Tensor:
                return self.head(self.embed(ids))

        assert find(Tied(), torch.zeros(1, 3, dtype=torch.int64)) == ()

        class Towers(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
                self.layers = nn.ModuleList([self.conv])

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.norm(self.layers[0](x)) + self.norm(self.layers[0](-x))

        assert find(Towers()) == ()


def test_no_property_is_run_and_nothing_changes(fingerprint: Fingerprint) -> None:
    class Trap:
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise AssertionError("__class__ was read")

        @property
        def value(self) -> None:
            raise AssertionError("a property was run")

        def __getattr__(self, name: str) -> None:
            raise AssertionError("__getattr__ was run")

    class Items(list):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[Any]:
            raise AssertionError("__iter__ was run")

        def __len__(self) -> int:
            raise AssertionError("__len__ was run")

    class Net(nn.Module):
        @property
        def value(self) -> None:
            raise AssertionError("a property was run")

    module = Net()
    items = Items()
    list.append(items, make_point())
    module.__dict__.update(trap=Trap(), items=items, loop=[module])
    module.loop.append(module.loop)
    (holding,) = find_holdings(module)
    assert [held.place for held in holding.modules] == ["items[0]"]

    held = Holder([make_point(), {"a": torch.ones(2, requires_grad=True)}]).eval()
    held.parts.pop()
    before = fingerprint(held, IMAGE)
    archscope.trace(held, IMAGE)
    assert fingerprint(held, IMAGE) == before
