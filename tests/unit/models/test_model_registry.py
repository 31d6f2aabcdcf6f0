"""The registry: names, aliases, arguments and their errors."""

import inspect
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from archscope.core.errors import UnknownNameError, UsageError
from archscope.models.registry import (
    build_model,
    check_arguments,
    default_input_shape,
    find_entry,
    index_entries,
    list_entries,
)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("vgg16", "vgg16"),
        ("VGG-16", "vgg16"),
        ("vgg-d", "vgg16"),
        ("VGG-D", "vgg16"),
        ("vgg-a-lrn", "vgg11_lrn"),
        ("vgg-c", "vgg16c"),
        ("vgg-e-bn", "vgg19_bn"),
        ("ResNet-50", "resnet50"),
        ("inception-v1", "googlenet"),
    ],
)
def test_names_and_aliases(asked, name):
    assert find_entry(asked).name == name


def test_unknown_model_names_the_nearest():
    with pytest.raises(UnknownNameError) as caught:
        find_entry("restnet50")
    assert caught.value.message == "unknown model 'restnet50'"
    assert caught.value.suggestions[0] == "resnet50"
    assert "did you mean resnet50" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_unknown_argument_lists_what_is_accepted():
    with pytest.raises(UnknownNameError) as caught:
        build_model("resnet18", num_class=10)
    assert caught.value.message == "unknown argument 'num_class'"
    assert "did you mean num_classes?" in caught.value.remedy
    assert "resnet18 takes num_classes, shortcut, stem, zero_init_residual" in caught.value.remedy


@pytest.mark.parametrize("fixed", ["layout", "column", "batch_norm"])
def test_what_the_name_fixes_is_no_argument(fixed):
    with pytest.raises(UnknownNameError):
        build_model("resnet18" if fixed == "layout" else "vgg11", **{fixed: "x"})


@pytest.mark.parametrize(
    ("name", "arguments", "asked", "allowed"),
    [
        ("resnet34", {"shortcut": "D"}, "shortcut='D'", "A, B or C"),
        ("resnet34", {"shortcut": None}, "shortcut=None", "A, B or C"),
        ("resnet34", {"stem": 3}, "stem=3", "imagenet or cifar"),
        ("alexnet", {"num_classes": 0}, "num_classes=0", "a whole number from 1"),
        ("alexnet", {"num_classes": -1}, "num_classes=-1", "a whole number from 1"),
        ("alexnet", {"num_classes": 2**31}, "num_classes=2147483648", "to 2,147,483,647"),
        ("alexnet", {"num_classes": True}, "num_classes=True", "a whole number from 1"),
        ("alexnet", {"num_classes": 1.5}, "num_classes=1.5", "a whole number from 1"),
        ("alexnet", {"num_classes": "ten"}, "num_classes='ten'", "a whole number from 1"),
        ("googlenet", {"aux": 1}, "aux=1", "true or false"),
        ("vgg", {"classifier": "fc"}, "classifier='fc'", "imagenet, lecture or none"),
        ("vgg", {"cfg": []}, "cfg=[]", '"M" (max pool)'),
        ("vgg", {"cfg": ["M"]}, "cfg=['M']", '"M" (max pool)'),
        ("vgg", {"cfg": [64, "P"]}, "'P'", '"M" (max pool)'),
        ("vgg", {"cfg": [64, 0]}, "0", '"M" (max pool)'),
        ("vgg", {"cfg": [64, True]}, "True", '"M" (max pool)'),
        ("vgg", {"cfg": ["conv2-64"]}, "'conv2-64'", "K odd"),
        ("vgg", {"cfg": ["conv3-0"]}, "'conv3-0'", "K odd"),
        ("vgg", {"cfg": 1.5}, "cfg=1.5", '"M" (max pool)'),
        ("vgg", {"cfg": [[64]]}, "cfg=[[64]]", '"M" (max pool)'),
    ],
)
def test_bad_values_say_what_and_what_is_allowed(name, arguments, asked, allowed):
    with pytest.raises(UsageError) as caught:
        build_model(name, **arguments)
    assert asked in caught.value.message
    assert allowed in caught.value.remedy


def test_words_are_read_in_any_case():
    assert check_arguments("resnet18", shortcut="a", stem="CIFAR") == {"shortcut": "A", "stem": "cifar"}
    assert check_arguments("vgg", classifier=None, cfg=[8, "m"]) == {"classifier": "none", "cfg": (8, "m")}
    assert check_arguments("vgg", cfg=8) == {"cfg": (8,)}


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("alexnet", {}, (3, 227, 227)),
        ("alexnet_2012", {}, (3, 227, 227)),
        ("vgg19_bn", {}, (3, 224, 224)),
        ("googlenet", {}, (3, 224, 224)),
        ("resnet18", {}, (3, 224, 224)),
        ("plain34", {"stem": "cifar"}, (3, 32, 32)),
        ("resnet18", {"stem": "cifar"}, (3, 32, 32)),
        ("resnet56", {}, (3, 32, 32)),
        ("vgg16_cifar", {}, (3, 32, 32)),
        ("resnet50_cifar", {}, (3, 32, 32)),
    ],
)
def test_default_inputs(name, arguments, shape):
    assert default_input_shape(name, **arguments) == shape


@pytest.mark.parametrize("change", [{"name": "VGG_16"}, {"name": "new", "aliases": ("vgg-d",)}])
def test_a_second_model_of_one_name_raises(change):
    row = replace(find_entry("vgg16"), **change)
    with pytest.raises(ValueError, match="two models answer to"):
        index_entries((*list_entries(), row))


@pytest.mark.parametrize("entry", list_entries(), ids=lambda entry: entry.name)
def test_rows_fit_their_builders(entry):
    module_name, _, function = entry.builder.partition(":")
    parameters = inspect.signature(getattr(import_module(module_name), function)).parameters
    given = {*dict(entry.settings), *entry.defaults()}
    required = {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
    assert required <= given <= set(parameters)
    assert check_arguments(entry.name, **entry.defaults()) == entry.defaults()


@pytest.mark.parametrize("entry", list_entries(), ids=lambda entry: entry.name)
def test_every_model_is_built_and_run_on_meta(entry):
    with torch.device("meta"):
        model = build_model(entry.name).eval()
    with torch.no_grad():
        scores = model(torch.empty(2, *entry.input_shape, device="meta"))
    assert scores.shape == (2, entry.defaults()["num_classes"])


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg16c_bn", "vgg", "vgg16_cifar", "googlenet", "resnet50", "plain18", "plain20", "resnet20"]
)
def test_num_classes(name):
    with torch.device("meta"):
        model = build_model(name, num_classes=7).eval()
    assert model(torch.empty(1, *default_input_shape(name), device="meta")).shape == (1, 7)


def test_the_registry_imports_no_torch():
    code = (
        "import sys; from archscope.models import registry; registry.find_entry('vgg16');"
        "registry.load_catalogue(); registry.check_arguments('resnet18', stem='cifar');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
