"""Planes are brought as far as they are asked for, each once; logits arrive where they are gathered."""

import pytest
import torch

from pipeline.inference import PatchInferer, ferrying
from pipeline.inference.ferrying import Upload
from pipeline.inference.running import in_batches


@pytest.mark.parametrize("piece_bytes", [1, 100, 2**22])
@pytest.mark.parametrize("channels", [1, 3])
def test_planes_arrive_as_far_as_they_are_asked_for(piece_bytes, channels, monkeypatch):
    monkeypatch.setattr(ferrying, "PIECE_BYTES", piece_bytes)
    volume = torch.rand((channels, 9, 4, 3))
    upload = Upload(volume, torch.device("cpu", 0))  # another device by name
    for plane in (1, 4, 3, 9):
        there = upload.until(plane)
        torch.testing.assert_close(there[:, :plane], volume[:, :plane])
    assert there.data_ptr() != volume.data_ptr()


def test_a_volume_that_is_there_is_not_copied():
    volume = torch.rand((1, 9, 4, 3))
    assert Upload(volume, volume.device).until(5) is volume


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_logits_are_gathered_elsewhere_in_their_order(count):
    parts = [torch.full((1, 2), float(index)) for index in range(count)]
    given = in_batches(lambda batch: batch + 1, parts, 4, torch.device("cpu"), torch.device("cpu", 0))
    assert [int(one[0, 0]) for one in given] == list(range(1, count + 1))


def test_a_processor_needs_no_warming_up():
    calls = []
    module = torch.nn.Conv3d(1, 2, 3)
    module.forward = calls.append
    PatchInferer((8, 8, 8)).warm_up(module)
    assert not calls


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.int16])
def test_a_volume_arrives_on_a_gpu_that_is_at_work(dtype):
    volume = torch.randint(-1000, 1000, (1, 300, 200, 150)).to(dtype)
    busy = torch.rand((4000, 4000), device="cuda")
    upload = Upload(volume, torch.device("cuda", 0))
    for plane in range(0, 301, 20):
        busy = (busy @ busy).clamp(0, 1)
        upload.until(plane)
    assert torch.equal(upload.until(300).cpu(), volume)
