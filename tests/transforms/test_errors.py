"""The family of errors: what a message says, and that a user's error is found under what was made of it."""

import pickle

import pytest

from transforms.errors import CTError, GeometryError, SettingError, root_error


def wrapped(error, times=2):
    """The exception that an error becomes as transforms and configs hand it on."""
    for _ in range(times):
        try:
            raise RuntimeError("applying transform") from error
        except RuntimeError as outer:
            error = outer
    return error


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({}, "it is wrong."),
        ({"where": "scan/"}, "scan: it is wrong."),
        ({"where": "/"}, "/: it is wrong."),
        ({"found": 0}, "it is wrong (found 0)."),
        ({"found": "a", "expected": "b", "remedy": "Turn it"}, "it is wrong (found a; expected b). Turn it."),
    ],
)
def test_a_message_says_what_where_found_expected_and_remedy(details, text):
    assert str(CTError("it is wrong", **details)) == text


def test_errors_cross_processes_whole():
    error = GeometryError("it is bent", where="scan", found=[1, 2], expected=3, remedy="Straighten it")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is GeometryError
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_a_users_error_is_found_under_what_was_made_of_it():
    error = SettingError("it cannot work")
    assert root_error(error) is error
    assert root_error(wrapped(error)) is error


def test_what_goes_wrong_while_a_users_error_is_handled_is_no_users_error():
    outer = ValueError("a bug")
    outer.__context__ = SettingError("it cannot work")
    assert root_error(outer) is outer


def test_other_errors_are_their_own_root():
    error = wrapped(KeyError("a bug"))
    assert root_error(error) is error
