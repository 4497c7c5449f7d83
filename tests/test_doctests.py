"""The examples in the packages' docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import pipeline
import transforms

ELSEWHERE = {"monailabel", "fastapi"}
"""What only the environment of MONAI Label's server has."""


def modules():
    for package in (pipeline, transforms):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield info.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ELSEWHERE:
            raise
        pytest.skip(f"{error.name} is in another environment")
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
