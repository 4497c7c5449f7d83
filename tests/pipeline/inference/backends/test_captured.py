"""A replayed network says what the network says, whatever batches come, captured or not."""

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from pipeline.inference import PatchInferer, SlabInferer
from pipeline.inference.backends.captured import Replayed
from pipeline.networks import UNetELU

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Recorder:
    """Captures as CUDA does: the network is computed on the memory of the first batch, into the same memory."""

    def __init__(self, error=None):
        self.sizes = []
        self.error = error
        self.replays = 0

    def __call__(self, network, parts):
        self.sizes.append(len(parts))
        if self.error is not None:
            raise self.error
        logits = network(parts)

        def replay():
            self.replays += 1
            return logits.copy_(network(parts))

        return replay


def batches(*sizes):
    return [torch.rand((size, 1, 3, 3)) for size in sizes]


def test_smaller_batches_are_replayed_and_larger_ones_captured_anew():
    capture = Recorder()
    run = Replayed(lambda parts: parts * 2, capture)
    given = batches(2, 1, 2, 5, 4, 2)
    found = [run(parts) for parts in given]
    for parts, logits in zip(given, found, strict=True):  # what came first is not overwritten by what came later
        torch.testing.assert_close(logits, parts * 2)
    assert capture.sizes == [2, 5]
    assert capture.replays == 5  # the last batch has less than half of what was captured


def test_what_cannot_be_captured_runs_layer_by_layer(caplog):
    capture = Recorder(RuntimeError("operation not permitted when stream is capturing"))
    run = Replayed(lambda parts: parts * 2, capture)
    for parts in batches(2, 3):
        torch.testing.assert_close(run(parts), parts * 2)
    assert capture.sizes == [2]
    assert len(caplog.records) == 1


def test_memory_that_runs_out_is_for_who_makes_the_batches():
    capture = Recorder(torch.OutOfMemoryError("out of memory"))
    run = Replayed(lambda parts: parts, capture)
    with pytest.raises(torch.OutOfMemoryError):
        run(*batches(4))
    capture.error = None
    (parts,) = batches(2)
    torch.testing.assert_close(run(parts), parts)
    assert capture.sizes == [4, 2]


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("backend", ["auto", "module"])
@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-3), ("float16", 2e-2)])
def test_a_gpu_says_what_a_processor_does(backend, precision, most, caplog):
    torch.manual_seed(0)
    network = UNet(3, 1, 4, (16, 32, 64, 128, 256), (2,) * 4, num_res_units=2, norm="instance").eval()
    image = torch.rand((1, 1, 70, 64, 90))
    expected = PatchInferer((32, 32, 32), precision="float32", backend="module")(image, network)
    inferer = PatchInferer((32, 32, 32), precision=precision, backend=backend, device="cuda", batch_size=4)
    network = network.cuda()
    inferer.warm_up(network)
    for _ in range(2):
        found = inferer(image, network)
        assert found.device.type == "cuda"
        assert (found.cpu() - expected).abs().mean() / expected.std() < most
    assert not caplog.records


@pytest.mark.gpu
@needs_cuda
def test_slabs_on_a_gpu_say_what_they_do_on_a_processor(caplog):
    torch.manual_seed(0)
    network = UNetELU(3, 4).eval()
    image = torch.rand((1, 1, 60, 52, 21))
    expected = SlabInferer(3, precision="float32", backend="module")(image, network)
    found = SlabInferer(3, device="cuda")(image, network.cuda())
    assert (found.cpu() - expected).abs().mean() / expected.std() < 2e-2
    assert not caplog.records


@pytest.mark.gpu
@needs_cuda
def test_a_gpu_that_is_too_small_for_the_sums_computes_for_the_host(caplog):
    """The first sums do not fit; the patches do."""
    image = torch.rand((1, 1, 40, 33, 64))
    inferer = PatchInferer((16, 16, 16), precision="float32", device="cuda", batch_size=3)
    blend = inferer._blend

    def too_large(volume, shape, places, run, gather):
        if gather.type == "cuda":
            raise torch.OutOfMemoryError("out of memory")
        return blend(volume, shape, places, run, gather)

    inferer._blend = too_large
    found = inferer(image, nn.Identity())
    assert found.device.type == "cpu"
    torch.testing.assert_close(found, image, atol=1e-5, rtol=0)
    assert len(caplog.records) == 1
