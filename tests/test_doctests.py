"""The examples in the packages' docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import pipeline
import transforms


def modules():
    for package in (pipeline, transforms):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield info.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
