"""Numbers and names as people read them."""

from __future__ import annotations

from pipeline.export.drawing import colour_of

NO_VALUE = "–"


def number(value: float | int | str | None, digits: int = 1) -> str:
    """Say a number.

    Args:
        value: The number; None for one that there is not.
        digits: After the point. A number that would be rounded to 0 but is not 0 is said as a bound.

    Returns:
        The number with thin spaces between thousands; a dash for None; other text as it is.

    Example:
        >>> number(12.345), number(None), number(0.004), number(0), number(-3.21, 0)
        ('12.3', '–', '<0.1', '0', '−3')
    """
    if value is None:
        return NO_VALUE
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == 0:
        return f"{value:,.0f}".replace(",", "\u202f").replace("-", "−")
    least = 10.0**-digits
    if abs(value) < least / 2:
        return f"<{least:.{digits}f}" if value > 0 else f">−{least:.{digits}f}"
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "−")


def plain_name(name: str) -> str:
    """Give a class's name without underscores.

    Example:
        >>> plain_name("ground_glass")
        'ground glass'
    """
    return name.replace("_", " ")


def css_colour(value: int) -> str:
    """Give the colour of a label value, as CSS writes it: that of the preview and of the DICOM SEG.

    Example:
        >>> css_colour(1)
        '#56b4e9'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour_of(value))
