"""The ways from file to label map that `whole_ct.py` compares, and what it measures beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

BUNDLE = Path(__file__).parents[1] / "bundles" / "ct_lesion_segmentation"
STOCK = "stock MONAI"
CLASSES = 4
SPACING_MM = (1.5, 1.5, 1.5)
PATCH = (96, 96, 96)
BATCH = 8
"""As inference.yaml has it."""

Segment = Callable[[Path, Path], dict[str, float]]  # study and output folder to seconds by stage


def stock_monai(device: str) -> Segment:
    """MONAI's transforms, sliding windows, `Invertd` and `SaveImaged` with the defaults that bundles have."""
    import torch
    from monai import transforms as mt
    from monai.inferers import SlidingWindowInferer
    from monai.networks.nets import UNet

    network = UNet(
        spatial_dims=3, in_channels=1, out_channels=CLASSES, channels=(16, 32, 64, 128, 256), strides=(2,) * 4,
        num_res_units=2, norm="instance",
    )  # fmt: skip
    network.load_state_dict(torch.load(BUNDLE / "models" / "model.pt", weights_only=True))
    network = network.eval().to(device)
    inferer = SlidingWindowInferer(PATCH, sw_batch_size=4, overlap=0.5, mode="gaussian")
    before = mt.Compose(
        [
            mt.LoadImaged("image"),
            mt.EnsureChannelFirstd("image"),
            mt.Orientationd("image", axcodes="RAS", labels=None),
            mt.Spacingd("image", pixdim=SPACING_MM, mode="bilinear"),
            mt.ScaleIntensityRanged("image", -1000, 300, 0, 1, clip=True),
            mt.EnsureTyped("image", device=device),
        ]
    )

    def segment(study: Path, output: Path) -> dict[str, float]:
        save = {"output_dir": output, "output_postfix": "labels", "separate_folder": False, "print_log": False}
        after = mt.Compose(
            [
                mt.Activationsd("pred", softmax=True),
                mt.Invertd("pred", transform=before, orig_keys="image", nearest_interp=False, to_tensor=True),
                mt.AsDiscreted("pred", argmax=True),
                mt.SaveImaged("pred", output_dtype="uint8", **save),
            ]
        )
        marks = [time.perf_counter()]
        data = before({"image": str(study)})
        marks.append(time.perf_counter())
        with torch.no_grad():
            data["pred"] = inferer(data["image"][None], network)[0]
        if device != "cpu":
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        after(data)
        marks.append(time.perf_counter())
        stages = [end - start for start, end in pairwise(marks)]
        return dict(zip(("read", "network", "restore and write"), stages, strict=True))

    return segment


def slice_loop(device: str) -> Segment:
    """The 2.5D network in float32 by MONAI's `SliceInferer`, a slice at a time; its stage alone counts."""
    import torch
    from monai import transforms as mt
    from monai.inferers import SliceInferer

    from pipeline.networks import UNetELU

    network = UNetELU(3, CLASSES).eval().to(device)
    network.load_state_dict(torch.load(BUNDLE / "models" / "model_2_5d.pt", weights_only=True))

    def segment(study: Path, output: Path) -> dict[str, float]:
        from transforms import NetworkInput, inference_chain

        settings = NetworkInput(spacing_mm=(1.5, 1.5, 3.0), region="lungs", windows=[{"low": -1000, "high": 300}])
        data = inference_chain(settings)({"image": str(study)})
        image = torch.as_tensor(data["image"]).to(device)
        with_ends = torch.nn.functional.pad(image, (1, 1, 0, 0), mode="replicate")
        stacked = with_ends.unfold(-1, 3, 1).permute(0, 4, 1, 2, 3)[0]
        padded = mt.DivisiblePad((16, 16, 1))(stacked)
        begun = time.perf_counter()
        inferer = SliceInferer(roi_size=padded.shape[1:3], spatial_dim=2, sw_batch_size=1)
        with torch.no_grad():
            labels = inferer(padded[None], network)[0].argmax(0)
        seconds = time.perf_counter() - begun
        output.mkdir(parents=True)
        mt.SaveImage(output, "labels", separate_folder=False, print_log=False, output_dtype="uint8")(labels[None])
        return {"network": seconds}

    return segment


def ctvol(mode: str, *overlays: str, **more: Any) -> Callable[[str], Segment]:
    """The bundle, which writes the label map alone."""

    def prepare(device: str) -> Segment:
        from pipeline.bundle import run_workflow

        def segment(study: Path, output: Path) -> dict[str, float]:
            keys = {"dataset_dir": str(study), "output_dir": str(output), "mode": mode, "write": ["nifti"], **more}
            begun = time.perf_counter()
            run_workflow(BUNDLE, ["inference.yaml", *overlays], device=device, **keys)
            seconds = time.perf_counter() - begun
            (provenance,) = output.glob("*/provenance.json")
            stages: dict[str, float] = json.loads(provenance.read_text())["seconds"]
            merged = {
                "read": stages["read"],
                "network": stages["network"],
                "restore and write": stages["restore"] + stages["write"],
            }
            return {**merged, "start": seconds - sum(merged.values())}

        return segment

    return prepare


CONTESTANTS: dict[str, Callable[[str], Segment]] = {
    STOCK: stock_monai,
    "ctvol fast": ctvol("fast"),
    "ctvol exact": ctvol("exact"),
    "ctvol openvino": ctvol("fast", backend="openvino"),
    "ctvol 2.5D": ctvol("fast", "unet_2_5d.yaml"),
    "SliceInferer": slice_loop,
}


def counted_parts() -> list[int]:
    """Grows by the number of patches of each volume from now on."""
    from pipeline.inference import patches

    counts: list[int] = []

    class Counting(patches.Blend):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            counts.append(0)

        def add(self, *args: Any) -> None:
            super().add(*args)
            counts[-1] += 1

    patches.Blend = Counting  # type: ignore[misc]
    return counts


def bare_seconds(count: int, device: str) -> float:
    """How long the default network takes for patches that lie ready on a device, computed as in fast mode."""
    import torch
    from monai.networks.nets import UNet

    from pipeline.inference import resolve
    from pipeline.inference.compiling import CompiledNetworks
    from pipeline.inference.running import in_batches, in_threads

    there = torch.empty(0, device=device).device
    network = UNet(3, 1, CLASSES, (16, 32, 64, 128, 256), (2,) * 4, num_res_units=2, norm="instance").eval().to(there)
    backend, run = CompiledNetworks()("auto", network, there, resolve("auto", there), (1, *PATCH))

    def seconds(parts: list[torch.Tensor]) -> float:
        begun = time.perf_counter()
        threads = torch.get_num_threads()
        logits = in_threads(run, parts, threads) if backend.concurrent else in_batches(run, parts, BATCH, there)
        for _ in logits:
            pass
        if there.type == "cuda":
            torch.cuda.synchronize(there)
        return time.perf_counter() - begun

    part = torch.rand((1, *PATCH), device=there)
    seconds([part] * BATCH)
    return seconds([part] * count)
