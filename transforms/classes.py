"""The classes of a label map."""

from __future__ import annotations

from collections.abc import Mapping

from transforms.errors import SettingError


def check_classes(classes: Mapping[str, int]) -> dict[str, int]:
    """Makes sure that classes number the channels of a network: 0, 1, 2, …, each once.

    Args:
        classes: Class name to value.

    Returns:
        The same as a dictionary.

    Raises:
        SettingError: When a value is missing, stands twice, or there is only one class.
    """
    if not isinstance(classes, Mapping) or sorted(classes.values()) != list(range(len(classes))) or len(classes) < 2:
        raise SettingError(
            "the classes do not number the channels of a network",
            where="classes",
            found=classes,
            expected="names with the values 0 (background), 1, 2, …, each once",
            remedy="Say under `merge` which values of the label maps each class stands for: [[0], [5]] reads 5 as 1",
        )
    return dict(classes)
