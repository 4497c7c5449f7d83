"""The app's folder: what MONAI Label's server is started with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pipeline.export.files import make_folder, replacing
from transforms.errors import OutputError

FILES = (
    "main.py",
    "requirements.txt",
    "environment/pyproject.toml",
    "environment/ctvol_monailabel.py",
    "environment/ctvol_monailabel.pth",
)


def write_label_app(folder: str | Path) -> Path:
    """Writes the app: its `main.py`, the pinned requirements of its environment, and what that needs beside them.

    Args:
        folder: Where it goes. Weights that were trained there (`model/`) and `main.py` of someone else stay.

    Returns:
        The folder.

    Raises:
        OutputError: When the folder cannot be written, or holds another app.
    """
    target, template = Path(folder), resources.files("pipeline.label_app") / "template"
    main = target / "main.py"
    if main.exists() and "pipeline.label_app" not in main.read_text(encoding="utf-8", errors="replace"):
        raise OutputError("the folder holds another app", where=main, remedy="Choose another folder")
    for name in FILES:
        path = target / name
        make_folder(path.parent)
        with replacing(path) as temporary:
            temporary.write_bytes((template / name).read_bytes())
    return target
