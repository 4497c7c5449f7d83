"""How fast a CT is read, and in how much memory: SimpleITK, MONAI, nibabel and ctvol in one run.

    python benchmarks/reading.py [--study FOLDER] [--slices 300] [--size 512] [--rounds 5] [--formats dicom nii.gz]

A series of 300 slices is made, written as uncompressed DICOM and as `.nii.gz`, and read by each reader in a process of
its own, which has read a small series before: imports do not count. All readers must give the same voxels. Printed are
median seconds, by the clock and of the processor, how many times ctvol's they are, and the peak of memory in volumes of
int16.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from contest import Measurement, answer, machine, measured, medians, rounds_of, say
from made_series import texture, write_dicom, write_nifti

_Read = Callable[[], Callable[[Path], npt.NDArray[Any]]]  # imports first, then reads: `(X, Y, Z)`


def ctvol() -> Callable[[Path], npt.NDArray[Any]]:
    """Ours."""
    from transforms.reading import read_ct

    return lambda path: read_ct(path).array


def simpleitk() -> Callable[[Path], npt.NDArray[Any]]:
    """SimpleITK's series reader, or its reader of files."""
    import SimpleITK as sitk  # noqa: N813

    images = []  # a view does not keep its image

    def read(path: Path) -> npt.NDArray[Any]:
        source = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)) if path.is_dir() else str(path)
        images.append(sitk.ReadImage(source))
        return sitk.GetArrayViewFromImage(images[-1]).T

    return read


def monai_itk() -> Callable[[Path], npt.NDArray[Any]]:
    """MONAI's LoadImage by ITK."""
    return _monai("ITKReader")


def monai_pydicom() -> Callable[[Path], npt.NDArray[Any]]:
    """MONAI's LoadImage by pydicom."""
    return _monai("PydicomReader")


def monai_nibabel() -> Callable[[Path], npt.NDArray[Any]]:
    """MONAI's LoadImage by nibabel."""
    return _monai("NibabelReader")


def nibabel() -> Callable[[Path], npt.NDArray[Any]]:
    """The array of nibabel in the type of the file."""
    import nibabel as nib

    return lambda path: np.asanyarray(nib.load(path).dataobj)


def _monai(reader: str) -> Callable[[Path], npt.NDArray[Any]]:
    from monai.transforms import LoadImage

    load = LoadImage(reader=reader, image_only=True)
    return lambda path: load(path).numpy()


READERS: dict[str, dict[str, _Read]] = {
    "dicom": {"SimpleITK": simpleitk, "MONAI ITKReader": monai_itk, "MONAI PydicomReader": monai_pydicom},
    "nii.gz": {"nibabel": nibabel, "SimpleITK": simpleitk, "MONAI NibabelReader": monai_nibabel},
}
OURS = "ctvol"


def main() -> None:
    """Makes the files and starts the readers, or is one of them."""
    given = _arguments()
    if given.contestant:
        answer(_one_reading(given.format, given.contestant, Path(given.path), Path(given.small)))
        return
    say(benchmark="reading", **machine("SimpleITK", "monai", "nibabel", "pydicom", "numpy"))
    with tempfile.TemporaryDirectory(prefix="ctvol-benchmark-") as folder:
        for kind, (path, small) in _written(given, Path(folder)).items():
            names = [*READERS[kind], OURS]
            arguments = ["--format", kind, "--path", str(path), "--small", str(small)]
            _report(kind, rounds_of(names, arguments, rounds=given.rounds, program=__file__))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", help="a DICOM folder of one series to read instead of the made one")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512, help="rows and columns")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=list(READERS), default=list(READERS))
    for hidden in ("--contestant", "--format", "--path", "--small"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser.parse_args()


def _written(given: argparse.Namespace, folder: Path) -> dict[str, tuple[Path, Path]]:
    """What is to be read, and something small of its kind, by format."""
    few = texture(3, 16)
    small = {"dicom": write_dicom(few, folder / "few"), "nii.gz": write_nifti(few, folder / "few.nii.gz")}
    if given.study:
        return {"dicom": (Path(given.study), small["dicom"])}
    hu = texture(given.slices, given.size)
    writers = {"dicom": (write_dicom, folder / "ct"), "nii.gz": (write_nifti, folder / "ct.nii.gz")}
    return {kind: (writers[kind][0](hu, writers[kind][1]), small[kind]) for kind in given.formats}


def _one_reading(kind: str, name: str, path: Path, small: Path) -> Measurement:
    warnings.simplefilter("ignore")
    read = {**READERS[kind], OURS: ctvol}[name]()
    read(small)
    return measured(lambda: read(path), _described)


def _described(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Shape and a checksum of the values as integers, slice by slice."""
    checksum = 0
    for index in range(array.shape[2]):
        checksum = zlib.crc32(np.ascontiguousarray(array[..., index].T.astype(np.int32)).tobytes(), checksum)
    return {"shape": list(array.shape), "checksum": checksum}


def _report(kind: str, found: dict[str, list[Measurement]]) -> None:
    ours = found[OURS][0].result
    own = medians(found[OURS])
    volume_bytes = 2 * int(np.prod(ours["shape"]))
    for name, measurements in found.items():
        say(
            format=kind,
            reader=name,
            **{measure: round(value, 4) for measure, value in medians(measurements).items()},
            **{
                f"{measure}_in_ctvols": round(value / own[measure], 2)
                for measure, value in medians(measurements).items()
            },
            peak_volumes=round(max(one.peak_bytes for one in measurements) / volume_bytes, 2),
            shape=ours["shape"],
            same_voxels=all(one.result == ours for one in measurements),
            rounds=len(measurements),
        )


if __name__ == "__main__":
    main()
