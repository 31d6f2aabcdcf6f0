"""BatchNorm on one image or one value, and parameters that forward never uses."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import archscope
from archscope.core.finding import Finding

IMAGE = torch.zeros(1, 3, 8, 8)


def find(module: nn.Module, image: torch.Tensor = IMAGE, *, training: bool = False) -> tuple[Finding, ...]:
    return archscope.trace(module, image, training=training).findings


class TestBatchNorm:
    def test_statistics_of_one_image(self) -> None:
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.BatchNorm2d(4))
        (finding,) = find(net, training=True)
        assert (finding.severity, finding.code, finding.place) == ("note", "batchnorm-single-image", "1")
        assert "2 BatchNorm layers take their statistics from one image (1 and 3; 9 values" in finding.message
        assert find(net) == ()
        assert find(net, torch.zeros(2, 3, 8, 8), training=True) == ()

    def test_without_running_statistics_also_in_eval(self) -> None:
        (finding,) = find(nn.BatchNorm2d(3, track_running_stats=False))
        assert finding.code == "batchnorm-single-image"
        assert finding.message.startswith("batch 1: 1 BatchNorm layer takes its statistics from one image")

    def test_other_norms_are_none(self) -> None:
        norms = (nn.InstanceNorm2d(3, track_running_stats=True), nn.GroupNorm(1, 3), nn.LayerNorm(8))
        assert find(nn.Sequential(*norms), training=True) == ()

        class Standardised(nn.Conv2d):
            """Its weights are standardised by the function of BatchNorm, as in NFNets."""

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                weight = functional.batch_norm(self.weight.reshape(1, 4, -1), None, None, training=True)
                return functional.conv2d(x, weight.reshape_as(self.weight), self.bias)

        assert find(Standardised(3, 4, 3), training=True) == ()

    def test_one_value_fails_and_says_what_helps(self) -> None:
        net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3))
        with pytest.raises(archscope.ForwardError) as caught:
            find(net, training=True)
        (finding,) = caught.value.summary.findings
        assert (finding.severity, finding.code, finding.place) == ("error", "batchnorm-single-value", "1")
        assert "at least 2 images" in caught.value.remedy


class Spare(nn.Module):
    """A convolution, and beside it a layer and a scale that no code names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.spare = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Linear(2, 2))
        self.scale = nn.Parameter(torch.ones(7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Auxiliary(Spare):
    """The layer is a head for training, the scale for inputs of another kind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        if self.training:
            y = y + self.spare[0](y) + self.spare[1].weight.sum() + self.spare[1].bias.sum()
        return y * self.scale.sum() if x.dim() > 4 else y


class TestUnused:
    def test_branches_that_no_code_names(self) -> None:
        layer, scale = sorted(find(Spare()), key=lambda finding: finding.place, reverse=True)
        assert (layer.severity, layer.code, layer.place) == ("warning", "unused-parameters", "spare")
        assert "forward never uses spare: 26 parameters" in layer.message  # (4 * 4 + 4) + (2 * 2 + 2)
        assert (scale.severity, scale.place) == ("warning", "scale")
        assert "7 parameters" in scale.message

    def test_heads_of_training_and_conditions_are_no_dead_branches(self) -> None:
        (finding,) = find(Auxiliary())
        assert (finding.severity, finding.place) == ("note", "scale")
        assert "this pass does not use scale" in finding.message

    def test_also_where_one_image_is_too_few_for_training(self) -> None:
        net = nn.Sequential(nn.AdaptiveAvgPool2d(8), Auxiliary(), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4))
        assert [finding.place for finding in find(net.eval())] == ["1.scale"]

    def test_the_same_part_of_each_block_is_one_finding(self) -> None:
        blocks = nn.Sequential(*(nn.Sequential(Spare(), nn.Conv2d(4, 3, 1)) for _ in range(3)))
        places = {finding.place: finding.message for finding in find(blocks)}
        assert set(places) == {"*.0.spare", "*.0.scale"}
        assert "0.0.scale, 1.0.scale and 2.0.scale: 21 parameters" in places["*.0.scale"]

    def test_data_reads_a_parameter(self) -> None:
        class Detached(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.scale = nn.Parameter(torch.ones(3, 1, 1))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * self.scale.data

        assert find(Detached()) == ()

    def test_names_made_at_run_time(self) -> None:
        class Numbered(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer1, self.layer2 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
                self.depth = 1

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                for number in range(self.depth):
                    x = getattr(self, f"layer{number + 1}")(x)
                return x

        assert [(finding.severity, finding.place) for finding in find(Numbered())] == [("note", "layer2")]


def test_a_finding_is_shown_saved_and_read_back(tmp_path: object) -> None:
    summary = archscope.trace(Spare().eval(), IMAGE)
    told = "warning: forward never uses spare: 26 parameters"
    for word in ("table", "plain", "md"):
        text = summary.render(word)
        assert told in text
        assert "remedy: use it in forward, or leave it out of the constructor" in text
        assert "never called" not in text  # said once
    assert told in summary._repr_html_()
    assert [entry["code"] for entry in summary.to_dict()["findings"]] == ["unused-parameters"] * 2
    assert summary.render("github").startswith("::warning title=unused-parameters::forward never uses")
    summary.save(f"{tmp_path}/x.json")
    assert archscope.load(f"{tmp_path}/x.json").findings == summary.findings
    assert archscope.trace("googlenet").findings == ()


@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        "alexnet",
        "torchvision:googlenet",
        "torchvision:inception_v3",
        "torchvision:vit_b_16",
        "torchvision:swin_v2_t",
        "torchvision:densenet121",
        "torchvision:mnasnet1_0",
        "timm:coat_lite_mini",
        "timm:nfnet_f0",
        "timm:levit_128",
        "timm:eva02_tiny_patch14_224",
        "timm:xcit_nano_12_p16_224",
        "timm:mobilevitv2_050",
        "timm:twins_svt_small",
    ],
)
def test_no_false_alarm(name: str) -> None:
    library = name.partition(":")[0] if ":" in name else "torch"
    pytest.importorskip(library)
    assert archscope.trace(name).findings == ()
