"""A bundle's inference config as a task of MONAI Label: overlays, weights and device are keys of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monailabel.tasks.infer.bundle import BundleConstants, BundleInferTask

from transforms.reading import read_ct

MINE = "model_filename"


class ShippedWeights(BundleConstants):
    """Which of a bundle's weights a task starts with.

    Args:
        name: A file in its `models` folder.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def model_pytorch(self) -> str:
        """The file's name."""
        return self.name


class ConfiguredTask(BundleInferTask):
    """MONAI Label's task for a bundle, that reads overlays, and takes the newest weights.

    Network, preprocessing, inferer and postprocessing are the config's own, made anew for another device and when the
    weights on the disk change.

    Args:
        bundle: The bundle's folder.
        overlays: Configs of it on top of `inference.yaml`.
        weights: Name of the shipped weights.
        trained: Weights that are used instead as soon as they are there.
        conf: What the server was started with.
        options: Of MONAI Label's task.
    """

    def __init__(
        self,
        bundle: Path,
        overlays: Sequence[str],
        weights: str,
        *,
        trained: Path | None = None,
        conf: Mapping[str, str],
        **options: Any,
    ) -> None:
        self.bundle = bundle
        self.overlays = [str(bundle / "configs" / name) for name in overlays]
        self.weights = [bundle / "models" / weights, *([] if trained is None else [trained])]
        self._parsers: dict[str, tuple[str, ConfigParser]] = {}
        super().__init__(str(bundle), dict(conf), ShippedWeights(weights), **options)
        if self.valid:
            self.path = [str(path) for path in self.weights]
            self._config.pop(MINE, None)  # a bundle's weights belong to its variants: none is anyone's choice

    def stamp(self) -> str:
        """Tells weights from others that answered before or will."""
        weights = Path(self.get_path())
        return f"{weights.name}:{weights.stat().st_mtime_ns}"

    def _load_bundle_config(self, path: str, config: str) -> ConfigParser:
        parser = ConfigParser()
        parser.read_config([config, *self.overlays])
        parser["bundle_root"] = path
        parser["progress"] = None
        return parser

    def _update_device(self, data: Mapping[str, Any] | None) -> None:
        device = str((data or {}).get("device") or "auto")
        stamp = self.stamp()
        if device not in self._parsers or self._parsers[device][0] != stamp:
            parser = self._load_bundle_config(self.bundle_path, self.bundle_config_path)
            parser["device"], parser["weights"] = device, str(self.get_path())
            self._parsers[device] = (stamp, parser)
        self.bundle_config = self._parsers[device][1]

    def _get_network(self, device: str, data: Mapping[str, Any] | None) -> Any:
        return self.bundle_config.get_parsed_content("network")

    def _filter_transforms(self, transforms: Any, filters: Any) -> Any:
        return super()._filter_transforms(transforms if isinstance(transforms, list) else [transforms], filters)

    def pre_transforms(self, data: Any = None) -> Sequence[Callable[..., Any]]:
        """Those of the config, after a look at the slices where the image was made of DICOM."""
        return [check_source, *super().pre_transforms(data)]


def check_source(data: dict[str, Any]) -> dict[str, Any]:
    """Refuses a volume that MONAI Label made of DICOM slices which cannot be trusted (a gap, a tilt, …).

    MONAI Label brings a series as NIfTI, made by a reader that passes over gaps; its slices lie in a folder beside it.
    """
    slices = Path(str(data["image"]).removesuffix(".nii.gz"))
    if slices.is_dir():
        read_ct(slices)
    return data
