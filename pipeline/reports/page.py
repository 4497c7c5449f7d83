"""Templates to pages: one HTML file that holds its styles, programs and pictures."""

from __future__ import annotations

import base64
from functools import cache
from importlib import metadata
from io import BytesIO
from os import PathLike
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from pipeline.export.files import replacing
from pipeline.reports.wording import number, plain_name


def render_page(template: str, **context: Any) -> str:
    """Make a page from a template of this package.

    Whatever stands in the context is escaped; what a template asks for must be there. A template extends `base.html`,
    which brings the styles, forbids every request and says what the page is not; `parts.html` has tables and figures.

    Args:
        template: Name of a file in `templates/`.
        context: What it is filled with.

    Returns:
        The page, HTML.
    """
    return _environment().get_template(template).render(version=_version(), **context)


def write_page(path: str | PathLike[str], template: str, **context: Any) -> None:
    """Make a page and write it.

    Args:
        path: The file.
        template: Name of a file in `templates/`.
        context: What it is filled with.

    Raises:
        OutputError: When the file cannot be written.
    """
    page = render_page(template, **context)
    with replacing(path) as temporary:
        # A name that came from bytes that are no text must not keep the page from being written.
        temporary.write_text(page, encoding="utf-8", errors="replace")


def data_uri(content: bytes, kind: str) -> str:
    """Give bytes as an address that holds them.

    Args:
        content: The bytes.
        kind: Their media type, such as `image/png`.

    Example:
        >>> data_uri(b"a", "text/plain")
        'data:text/plain;base64,YQ=='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def picture_uri(picture: Image.Image, form: str = "PNG", **options: Any) -> str:
    """Give a picture as an address that holds it.

    Args:
        picture: The picture.
        form: PNG, JPEG or WEBP.
        options: Of Pillow's `save`, such as `quality`.
    """
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return data_uri(buffer.getvalue(), f"image/{form.lower()}")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, plain_name=plain_name)
    return environment


def _version() -> str:
    try:
        return metadata.version("ctvol")
    except metadata.PackageNotFoundError:
        return ""
