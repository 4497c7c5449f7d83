"""The classes of a label map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def class_values(names: Sequence[str], classes: Mapping[str, int], *, where: str) -> list[int]:
    """The values of classes that are named.

    Args:
        names: Of classes other than the background.
        classes: Class name to value.
        where: The setting that names them.

    Raises:
        SettingError: When there is no such class, or it is the background.
    """
    known = {name: value for name, value in classes.items() if value}
    unknown = [names] if isinstance(names, str) else [name for name in names if name not in known]
    if unknown:
        raise SettingError(
            "there is no such class of lesions",
            where=where,
            found=", ".join(map(str, unknown)),
            expected=f"a list of some of: {', '.join(known)}",
        )
    return [known[name] for name in names]
