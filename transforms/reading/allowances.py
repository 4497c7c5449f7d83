"""What a user may allow that the reader would otherwise refuse."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.errors import SettingError

ALLOWANCES = {
    "not-hu": "voxel values that cannot be Hounsfield units",
    "tilt": "a tilted gantry: slices are shifted in their plane to make the volume straight",
    "uneven": "missing or unevenly spaced slices: an even grid is interpolated between them",
}
"""The kinds of `allow`, and what each lets through."""


def check_allowances(allow: Sequence[str]) -> frozenset[str]:
    """The kinds as a set.

    Raises:
        SettingError: For a kind that there is not, or a bare string instead of a list.
    """
    if isinstance(allow, str):
        raise SettingError("`allow` must be a list", found=repr(allow), remedy=f"Write ['{allow}']")
    unknown = sorted(set(allow) - set(ALLOWANCES))
    if unknown:
        raise SettingError(
            "`allow` names a kind that there is not",
            found=", ".join(map(str, unknown)),
            expected="one of " + ", ".join(ALLOWANCES),
            remedy="Correct the spelling or leave it out",
        )
    return frozenset(allow)
