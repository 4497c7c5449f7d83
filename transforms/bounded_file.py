"""Files whose headers may claim any length."""

from __future__ import annotations

import io
import os
from pathlib import Path


class BoundedFile(io.BufferedReader):
    """A file that never takes more memory for a piece of it than it is large itself.

    Python makes room for as many bytes as are asked for before it looks whether there are any; pydicom asks for what
    a header says, which may be 4 GB.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file; at its end, and of a file that is shorter, what there is."""
        return super().read(size if size is None or size < 0 else min(size, self._size))
