"""Cases that are preprocessed once into files: whole, shared, bounded, and made anew when the chain changes."""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms import Compose, Lambdad, RandGaussianNoised

from pipeline.training import CachedCases, MappedItems, SampleDataset
from transforms.errors import SettingError

AFFINE = torch.diag(torch.tensor([-2.0, -2.0, 3.0, 1.0], dtype=torch.float64))


class Read:
    """Stands for a file of a case; counts how often it is read."""

    __slots__ = ("times",)  # no setting of the chain

    def __init__(self):
        self.times = 0

    def __call__(self, value):
        self.times += 1
        return MetaTensor(
            torch.full((1, 4, 5, 6), float(value)), affine=AFFINE, meta={"findings": ["a"], "shape": np.arange(3)}
        )


def chain(read, factor=1.0):
    scale = Lambdad("image", lambda image: image * factor)
    scale.factor = factor
    return Compose([Lambdad("image", read), scale, RandGaussianNoised("image", prob=1.0)])


def data(count=3):
    return [{"case": str(number), "image": number} for number in range(count)]


def test_a_case_is_read_once_and_keeps_its_affine(tmp_path):
    read = Read()
    first = CachedCases(data(), Compose([Lambdad("image", read)]), cache_dir=tmp_path)
    again = CachedCases(data(), Compose([Lambdad("image", read)]), cache_dir=tmp_path)
    assert read.times == 3
    image = again[2]["image"]
    assert isinstance(image, MetaTensor)
    assert torch.equal(image.affine, AFFINE)
    assert image.meta["findings"] == ["a"]
    assert image.meta["shape"].tolist() == [0, 1, 2]
    assert torch.equal(image, first[2]["image"])


def test_samples_are_the_same_from_memory_and_from_files(tmp_path):
    kept = SampleDataset(data(), chain(Read()), seed=3)
    mapped = SampleDataset(data(), chain(Read()), seed=3, cache_dir=tmp_path)
    for index in (0, 4, 8):
        assert torch.equal(kept[index]["image"], mapped[index]["image"])


def test_another_chain_or_file_is_another_case(tmp_path):
    read = Read()
    for factor in (1.0, 2.0, 1.0):
        cases = SampleDataset(data(1), chain(read, factor), cache_dir=tmp_path / "cache")
    assert read.times == 2
    file = tmp_path / "ct"
    file.write_text("1")
    listed = [{"image": str(file)}]
    load = Compose([Lambdad("image", lambda path: torch.full((1,), float(Path(path).read_text())))])
    assert float(CachedCases(listed, load, cache_dir=tmp_path / "cache")[0]["image"]) == 1
    file.write_text("22")
    assert float(CachedCases(listed, load, cache_dir=tmp_path / "cache")[0]["image"]) == 22
    assert cases.items is not None


def test_what_is_opened_is_not_in_memory_and_not_written_back(tmp_path):
    cases = CachedCases(data(1), Compose([Lambdad("image", Read())]), cache_dir=tmp_path)
    (file,) = tmp_path.glob("*.pt")
    content = file.read_bytes()
    cases[0]["image"].as_tensor().add_(1)
    assert file.read_bytes() == content
    assert float(cases[0]["image"].max()) == 0
    with open("/proc/self/maps") as maps:
        image = cases[0]["image"]
        assert image is not None
        assert any(str(file) in line for line in maps)


def own_memory():
    """Bytes of this process alone: what of files is mapped, the system may forget."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def grown_by(cache_dir, case_bytes, count):
    """Bytes by which a process of its own grows with so many cases that are all open."""

    def make(value):
        return torch.full((1, case_bytes // 4), float(value))

    load = Compose([Lambdad("image", make)])
    CachedCases(data(1), load, cache_dir=cache_dir)  # the first one: what threads and allocators keep
    before = own_memory()
    cases = CachedCases(data(count), load, cache_dir=cache_dir)
    opened = [cases[number]["image"] for number in range(count)]  # all at once, and every page is looked at
    assert [float(image.sum()) for image in opened] == [number * case_bytes / 4 for number in range(count)]
    return own_memory() - before


def test_memory_does_not_grow_with_the_number_of_cases(tmp_path):
    case_bytes, count = 4_000_000, 16
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as fresh:
        mapped, kept = (fresh.submit(grown_by, folder, case_bytes, count) for folder in (tmp_path, None))
        assert mapped.result() < count * case_bytes / 2
        assert kept.result() > count * case_bytes / 2


def test_files_stay_within_their_room_and_are_made_again(tmp_path):
    size = 100_000
    read = Read()

    def make(value):
        read.times += 1
        return torch.full((1, size // 4), float(value))

    cases = CachedCases(data(5), Compose([Lambdad("image", make)]), cache_dir=tmp_path, cache_gb=2.5 * size / 1e9)
    assert 1 <= len(list(tmp_path.glob("*.pt"))) <= 2
    assert float(cases[0]["image"][0, 0]) == 0
    assert read.times == 6
    assert not list(tmp_path.glob("*.lock"))


def make_slowly(folder, made):
    def make():
        time.sleep(0.3)
        with made.get_lock():
            made.value += 1
        return {"image": torch.ones(1000)}

    item = MappedItems(folder).get("key", make)
    os._exit(0 if bool(item["image"].all()) else 1)


def test_of_two_processes_one_makes_a_case(tmp_path):
    context = multiprocessing.get_context("fork")
    made = context.Value("i", 0)
    both = [context.Process(target=make_slowly, args=(tmp_path, made)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    assert made.value == 1


def flipped(path, share):
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0xFF
    path.write_bytes(content)


DAMAGE = {
    "not a file of torch's": lambda path: path.write_bytes(b"half"),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "another bit in the voxels": lambda path: flipped(path, 0.5),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_made_anew(tmp_path, caplog, kind):
    read = Read()
    for _ in range(2):
        cases = CachedCases(data(1), Compose([Lambdad("image", read)]), cache_dir=tmp_path)
        (file,) = tmp_path.glob("*.pt")
        DAMAGE[kind](file)
    cases = CachedCases(data(1), Compose([Lambdad("image", read)]), cache_dir=tmp_path)
    assert read.times == 3
    assert "made anew" in caplog.text
    assert torch.equal(cases[0]["image"].as_tensor(), torch.zeros(1, 4, 5, 6))
    file.write_bytes(b"damaged while it is used")
    assert float(cases[0]["image"].max()) == 0


def make_for_ever(folder, begun):
    def make():
        folder.joinpath(".key-0123abcd.pt").write_bytes(bytes(1000))  # as the file is when the process is killed
        begun.set()
        time.sleep(600)
        return {}

    MappedItems(folder).get("key", make)


def test_a_process_that_is_killed_leaves_neither_a_lock_nor_a_file(tmp_path):
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    killed = context.Process(target=make_for_ever, args=(tmp_path, begun))
    killed.start()
    assert begun.wait(60)
    killed.kill()
    killed.join()
    long_ago = tmp_path / ".other-0123abcd.pt"
    long_ago.write_bytes(bytes(1000))
    os.utime(long_ago, (1, 1))
    item = MappedItems(tmp_path).get("key", lambda: {"image": torch.ones(3)})
    assert float(item["image"].sum()) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["key.pt"]


def test_odd_settings_are_said(tmp_path):
    with pytest.raises(SettingError, match="object"):
        MappedItems(tmp_path).get("other", lambda: {"image": object()})
    with pytest.raises(SettingError, match="room"):
        MappedItems(tmp_path, 0)
