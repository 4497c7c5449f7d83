"""The model zoo's rules for a bundle, checked without a network connection."""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

from pipeline.bundle.contents import LARGEST_BYTES, REQUIRED, bundle_files
from pipeline.bundle.exports import export_onnx, export_torchscript, network_of, onnx_answer, sample_input
from pipeline.bundle.hashes import check_hashes
from transforms.errors import CTError

PERSONAL_PATH = re.compile(rb"(?<![\w.])(/home/|/root/|/Users/|[A-Z]:\\Users\\)\w")
"""A path of somebody's own machine."""

TOLERANCE = 1e-4
"""How far the logits of an exported network may lie from those of the bundle's own, absolute and relative."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What came of one rule."""

    rule: str
    outcome: Literal["passed", "failed", "skipped"]
    detail: str = ""


class _BrokenError(Exception):
    """A rule is broken; the message says how."""


class _NotHereError(Exception):
    """A rule cannot be checked here; the message says why."""


def verify_bundle(bundle: Path) -> Iterator[Check]:
    """Checks a bundle rule by rule; what is broken in one does not keep the others from being checked.

    Args:
        bundle: The bundle's folder.

    Yields:
        The outcome of each rule, as soon as it is known.
    """
    rules: dict[str, Callable[[Path], str]] = {
        "files": _files,
        "hashes of the weights": _hashes,
        "version in the changelog": _changelog,
        "metadata schema": _schema,
        "network input and output": _in_and_out,
        "TorchScript": partial(_exported, export=_torchscript),
        "ONNX": partial(_exported, export=_onnx),
    }
    for rule, check in rules.items():
        try:
            yield Check(rule=rule, outcome="passed", detail=check(bundle))
        except _NotHereError as reason:
            yield Check(rule=rule, outcome="skipped", detail=str(reason))
        except (_BrokenError, CTError) as error:
            yield Check(rule=rule, outcome="failed", detail=str(error))
        except Exception as error:  # noqa: BLE001  # boundary: MONAI's checks raise whatever they meet
            yield Check(rule=rule, outcome="failed", detail=f"{type(error).__name__}: {error}".splitlines()[0])


def _files(bundle: Path) -> str:
    files = bundle_files(bundle)
    missing = [name for name in REQUIRED if not (bundle / name).is_file()]
    large = [path.name for path in files if path.stat().st_size > LARGEST_BYTES]
    personal = [path.name for path in files if path.suffix != ".pt" and PERSONAL_PATH.search(path.read_bytes())]
    faults = {"missing": missing, "over 25 MB": large, "with a path of somebody's own machine": personal}
    broken = "; ".join(f"{what}: {', '.join(names)}" for what, names in faults.items() if names)
    if broken:
        raise _BrokenError(broken)
    return f"{len(files)} files, {sum(path.stat().st_size for path in files) / 2**20:.1f} MB"


def _hashes(bundle: Path) -> str:
    check_hashes(bundle)
    return f"{len(list((bundle / 'models').glob('*.pt')))} files"


def _changelog(bundle: Path) -> str:
    metadata = _metadata(bundle)
    version = str(metadata.get("version"))
    if version not in metadata.get("changelog", {}):
        raise _BrokenError(f"{version} is not in it")
    return version


def _schema(bundle: Path) -> str:
    from monai.bundle import verify_metadata

    if find_spec("jsonschema") is None:
        raise _NotHereError("needs jsonschema: pip install ctvol[bundle]")
    with resources.as_file(resources.files("pipeline.bundle") / "metadata_schema.json") as schema, _quiet():
        verify_metadata(meta_file=str(bundle / "configs" / "metadata.json"), filepath=str(schema))
    return str(_metadata(bundle).get("schema", "")).rpartition("/")[2]


def _in_and_out(bundle: Path) -> str:
    from monai.bundle import verify_net_in_out

    configs = bundle / "configs"
    with _quiet():
        verify_net_in_out(
            net_id="network_def",
            meta_file=str(configs / "metadata.json"),
            config_file=str(configs / "inference.yaml"),
            device="cpu",
            bundle_root=str(bundle),
        )
    return " x ".join(map(str, sample_input(_metadata(bundle)).shape))


def _exported(bundle: Path, export: Callable[[Path, Path], Callable[[torch.Tensor], torch.Tensor]]) -> str:
    """Compares at two sizes: an export with the size of its example built in fails at the other."""
    network, largest = network_of(bundle), 0.0
    with tempfile.TemporaryDirectory(prefix="ctvol-verify-") as folder:
        with _quiet():
            exported = export(bundle, Path(folder))
        for multiple in (1, 2):
            image = sample_input(_metadata(bundle), multiple)
            with torch.inference_mode():
                expected, found = network(image), exported(image)
            if not torch.allclose(found, expected, atol=TOLERANCE, rtol=TOLERANCE):
                raise _BrokenError(
                    f"differs by up to {float((found - expected).abs().max()):.2g} at {tuple(image.shape)}"
                )
            largest = max(largest, float((found - expected).abs().max()))
    return f"agrees to {largest:.1g}"


def _torchscript(bundle: Path, folder: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    load: Callable[[Path], torch.nn.Module] = torch.jit.load
    return load(export_torchscript(bundle, folder)).eval()


def _onnx(bundle: Path, folder: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        raise _NotHereError("needs onnx and onnxruntime: pip install ctvol[bundle]")
    return partial(onnx_answer, export_onnx(bundle, folder))


def _metadata(bundle: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return metadata


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what MONAI's commands print out of the table."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
