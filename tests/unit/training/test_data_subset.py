"""Classes, subsets and shuffled labels."""

from dataclasses import replace

import pytest
import torch

from archscope.core.errors import UnknownNameError, UsageError
from archscope.training.data.images import Data, DataSubset, fingerprint_data, select_data


def test_nothing_asked_changes_nothing(data: Data) -> None:
    assert fingerprint_data(select_data(data, DataSubset(), 0)) == fingerprint_data(data)


def test_classes_get_labels_in_the_order_asked(data: Data) -> None:
    picked = select_data(data, DataSubset(classes=("blue", "red")), 0)
    assert picked.classes == ("blue", "red")
    assert len(picked.train) == 40
    assert torch.equal(picked.train.images[picked.train.labels == 0], data.train.images[data.train.labels == 2])
    assert torch.equal(picked.test.images[picked.test.labels == 1], data.test.images[data.test.labels == 0])


def test_a_subset_takes_the_first_of_each_class(data: Data) -> None:
    picked = select_data(data, DataSubset(subset=7, test_subset=3), 5)
    assert torch.bincount(picked.train.labels).tolist() == [3, 2, 2]
    assert torch.equal(picked.train.images, data.train.images[:7])
    assert len(picked.test) == 3


@pytest.mark.parametrize(
    ("selection", "error", "message"),
    [
        (DataSubset(classes=("reed", "blue")), UnknownNameError, "unknown class 'reed'"),
        (DataSubset(classes=("red",)), UsageError, "two different classes"),
        (DataSubset(classes=("red", "red")), UsageError, "two different classes"),
        (DataSubset(subset=2), UsageError, "less than one image of each of the 3 classes"),
        (DataSubset(subset=61), UsageError, "--subset 61 needs 21 images of red, there are 20"),
        (DataSubset(test_subset=40), UsageError, "--test-subset 40 needs 14 images of red, there are 10"),
    ],
)
def test_what_cannot_be_picked(selection: DataSubset, error: type[Exception], message: str, data: Data) -> None:
    with pytest.raises(error, match=message):
        select_data(data, selection, 0)


def test_shuffled_labels(data: Data) -> None:
    first = select_data(data, DataSubset(shuffle_labels=True), 1)
    assert torch.equal(first.train.labels.sort().values, data.train.labels.sort().values)
    assert not torch.equal(first.train.labels, data.train.labels)
    assert torch.equal(first.test.labels, data.test.labels)
    assert "shuffled" in first.notes[-1]
    again = select_data(data, DataSubset(shuffle_labels=True), 1)
    assert torch.equal(first.train.labels, again.train.labels)
    other = select_data(data, DataSubset(shuffle_labels=True), 2)
    assert not torch.equal(first.train.labels, other.train.labels)


def test_a_fingerprint_tells_data_apart(data: Data) -> None:
    marks = {
        fingerprint_data(data),
        fingerprint_data(replace(data, classes=("a", "b", "c"))),
        fingerprint_data(replace(data, train=data.test)),
        fingerprint_data(select_data(data, DataSubset(shuffle_labels=True), 1)),
    }
    assert len(marks) == 4
    assert all(len(mark) == 16 for mark in marks)
