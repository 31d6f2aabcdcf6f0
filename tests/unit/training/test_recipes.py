"""Recipes: the notebooks' hyper-parameters, what is corrected in them, and the rates they lead to."""

from math import isclose

import pytest

from archscope.core.errors import UnknownNameError, UsageError
from archscope.training.recipes import (
    RECIPES,
    OneCycle,
    Recipe,
    StepDecay,
    choose_recipe,
    find_rate,
    find_recipe,
    fit_recipe,
)


def test_the_notebook_of_vgg() -> None:
    """lab_10_5_2_vgg_cifar10.toml: 0.005, 0.9, 512, mean and std 0.5, seed 777, StepLR(5, 0.9)."""
    recipe = find_recipe("lecture-vgg")
    assert (recipe.learning_rate, recipe.momentum, recipe.batch_size, recipe.seed) == (0.005, 0.9, 512, 777)
    assert recipe.mean == recipe.std == (0.5, 0.5, 0.5)
    assert recipe.schedule == StepDecay(5, 0.9)
    assert (recipe.weight_decay, recipe.padding, recipe.flip) == (0, 0, True)


def test_the_notebook_of_resnet() -> None:
    """lab_10_6_2_resnet_cifar10.toml: 0.1, 0.9, 5e-4, 256, RandomCrop(32, 4), seed 777, StepLR(10, 0.5)."""
    recipe = find_recipe("lecture-resnet")
    assert (recipe.learning_rate, recipe.momentum, recipe.batch_size, recipe.seed) == (0.1, 0.9, 256, 777)
    assert recipe.mean == (0.4914, 0.4822, 0.4465)
    assert recipe.schedule == StepDecay(10, 0.5)
    assert (recipe.weight_decay, recipe.padding, recipe.flip) == (5e-4, 4, True)


def test_as_printed_undoes_the_corrections() -> None:
    printed = find_recipe("lecture-vgg", as_printed=True)
    assert printed.schedule == StepDecay(5, 0.9, early=True)
    assert (printed.flip, printed.tests_in_training, printed.test_batch_size) == (False, True, 4)
    assert "as printed" in printed.source
    with pytest.raises(UsageError, match="does not apply to the recipe fast"):
        find_recipe("fast", as_printed=True)


def test_an_unknown_recipe() -> None:
    with pytest.raises(UnknownNameError, match="unknown recipe 'lecture-vvg'") as caught:
        find_recipe("lecture-vvg")
    assert "lecture-vgg" in caught.value.remedy


@pytest.mark.parametrize(
    ("family", "name"),
    [("vgg-cifar", "lecture-vgg"), ("alexnet", "lecture-vgg"), ("resnet-cifar", "lecture-resnet"), ("", "fast")],
)
def test_the_recipe_of_a_family(family: str, name: str) -> None:
    assert choose_recipe(family) == name


def test_drops_come_after_the_epochs() -> None:
    recipe = find_recipe("lecture-vgg")
    rates = [find_rate(recipe, epoch * 98, 98, 30) for epoch in range(11)]
    assert rates[:5] == [0.005] * 5
    assert isclose(rates[5], 0.0045)
    assert isclose(rates[10], 0.00405)


def test_drops_come_one_epoch_early_as_printed() -> None:
    recipe = find_recipe("lecture-vgg", as_printed=True)
    rates = [find_rate(recipe, epoch * 98, 98, 30) for epoch in range(10)]
    assert rates[3] == 0.005
    assert isclose(rates[4], 0.0045)
    assert isclose(rates[9], 0.00405)


def test_one_cycle_goes_up_and_down() -> None:
    recipe = find_recipe("fast")
    rates = [find_rate(recipe, step, 10, 10) for step in range(100)]
    peak = max(rates)
    assert isclose(peak, 0.4, rel_tol=0.02)
    assert 18 <= rates.index(peak) <= 20
    assert 0.04 < rates[0] < 0.1
    assert 0 < rates[-1] < 0.002
    assert OneCycle().scale(0.2) == 1.0


@pytest.mark.parametrize(
    ("images", "batch", "rate"), [(50_000, 512, 0.4), (5_000, 32, 0.025), (3_000, 32, 0.025), (10, 32, 0.025)]
)
def test_fast_adapts_to_the_data(images: int, batch: int, rate: float) -> None:
    fitted = fit_recipe(find_recipe("fast"), images, normalised=True, batch_size=None, rate=None)
    assert (fitted.batch_size, fitted.learning_rate) == (batch, pytest.approx(rate))


def test_fast_goes_slower_without_normalisation() -> None:
    fitted = fit_recipe(find_recipe("fast"), 50_000, normalised=False, batch_size=256, rate=None)
    assert fitted.learning_rate == pytest.approx(0.02)


def test_what_is_asked_is_taken() -> None:
    fitted = fit_recipe(find_recipe("fast"), 50_000, normalised=False, batch_size=100, rate=0.3)
    assert (fitted.batch_size, fitted.learning_rate) == (100, 0.3)


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if not recipe.adapts], ids=lambda recipe: recipe.name)
def test_the_lecture_s_recipes_stay_as_they_are(recipe: Recipe) -> None:
    assert fit_recipe(recipe, 100, normalised=False, batch_size=None, rate=None) == recipe
