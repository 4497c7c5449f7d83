"""A small training: budget, schedule, checkpoints, and a resumed run that ends as one that was not stopped."""

import pytest
import torch
from ignite.engine import Engine, Events
from ignite.handlers import EMAHandler
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import MeanDice, ValidationHandler, from_engine
from monai.transforms import AsDiscreted, Compose, Lambdad, RandGaussianNoised
from torch import nn

from pipeline.training import (
    AutocastInferer,
    Checkpoints,
    FinalValidation,
    LearningRateSchedule,
    PerClassDice,
    SampleDataset,
    SampleSampler,
    TrainingBudget,
)
from transforms.errors import SettingError

CLASSES = {"background": 0, "left": 1, "right": 2}


def make(value):
    label = torch.zeros((1, 8, 8), dtype=torch.long)
    label[0, :, : 2 + value % 3] = 1
    label[0, :, 6:] = 2
    return label


def training(folder, *, epochs=4, max_minutes=None, stop_after=None, resume=True):
    """A trainer like the bundle's, on a toy; `stop_after` raises after an epoch, as a kill would end it."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 3, 1))
    chain = Compose(
        [
            Lambdad("label", make),
            Lambdad("image", make),
            Lambdad("image", lambda label: label.float()),
            RandGaussianNoised("image", prob=1.0, std=0.3),
        ]
    )
    data = SampleDataset([{"image": value, "label": value} for value in range(4)], chain, seed=1)
    sampler = SampleSampler(data, 4, seed=1)
    loader = torch.utils.data.DataLoader(data, sampler=sampler, batch_size=2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.02)
    ema = EMAHandler(network, momentum=0.1)
    budget = TrainingBudget(epochs, max_minutes)
    mean_dice = MeanDice(include_background=False, output_transform=from_engine(["pred", "label"]))
    validator = SupervisedEvaluator(
        torch.device("cpu"),
        torch.utils.data.DataLoader(SampleDataset([{"image": 1, "label": 1}], chain), batch_size=1),
        ema.ema_model,
        postprocessing=Compose([AsDiscreted(["pred", "label"], argmax=[True, False], to_onehot=3)]),
        key_val_metric={"val_mean_dice": mean_dice},
        val_handlers=[PerClassDice(CLASSES)],
    )
    checkpoints = Checkpoints(
        folder,
        weights=ema.ema_model,
        validator=validator,
        states={"network": network, "averaged": ema.ema_model, "optimizer": optimizer, "budget": budget},
        sampler=sampler,
        seed=1,
        resume=resume,
    )
    trainer = SupervisedTrainer(
        torch.device("cpu"),
        epochs,
        loader,
        network,
        optimizer,
        lambda logits, label: nn.functional.cross_entropy(logits, label[:, 0]),
        inferer=AutocastInferer("float32"),
        train_handlers=[
            LearningRateSchedule(optimizer, budget),
            ema,
            ValidationHandler(interval=2, validator=validator, epoch_level=True),
            FinalValidation(validator),
            checkpoints,
            budget,
        ],
        decollate=False,
    )
    if stop_after is not None:

        @trainer.on(Events.EPOCH_STARTED(once=stop_after + 1))
        def _stop(engine: Engine) -> None:
            raise KeyboardInterrupt

    return trainer, validator, ema.ema_model, checkpoints


def same(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_a_resumed_run_ends_like_one_that_was_not_stopped(tmp_path):
    whole, _, whole_weights, _ = training(tmp_path / "whole")
    whole.run()
    first, _, first_weights, _ = training(tmp_path / "parts", stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    assert not same(first_weights, whole_weights)
    second, validator, second_weights, checkpoints = training(tmp_path / "parts")
    epochs = []
    second.add_event_handler(Events.EPOCH_STARTED, lambda engine: epochs.append(engine.state.epoch))
    second.run()
    assert epochs == [3, 4]
    assert same(second.network, whole.network)
    assert same(second_weights, whole_weights)
    assert checkpoints.best is not None
    assert {"val_dice_left", "val_dice_right"} <= set(validator.state.metrics)


def test_without_resume_it_starts_afresh(tmp_path):
    trainer, _, _, _ = training(tmp_path, epochs=2)
    trainer.run()
    again, _, _, _ = training(tmp_path, epochs=2, resume=False)
    epochs = []
    again.add_event_handler(Events.EPOCH_STARTED, lambda engine: epochs.append(engine.state.epoch))
    again.run()
    assert epochs == [1, 2]


def test_best_is_a_state_dict_and_a_broken_last_falls_back(tmp_path, caplog):
    trainer, _, weights, _ = training(tmp_path)
    trainer.run()
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert set(best) == set(weights.state_dict())
    (tmp_path / "last.pt").write_bytes(b"half a file")
    again, _, _, checkpoints = training(tmp_path, epochs=5)
    again.run()
    assert "The checkpoint before it is used" in caplog.text
    assert again.state.epoch == 5
    assert checkpoints.best is not None


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    content = bytearray(path.read_bytes())
    weight = torch.load(path, weights_only=True)["network"]["0.weight"]
    content[content.index(weight.numpy().tobytes())] ^= 0x01
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [half, flipped])
def test_a_damaged_checkpoint_never_takes_the_place_of_the_one_that_serves(tmp_path, caplog, damage):
    whole, _, whole_weights, _ = training(tmp_path / "whole")
    whole.run()
    folder = tmp_path / "parts"
    first, *_ = training(folder, stop_after=3)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    damage(folder / "last.pt")
    (folder / ".last-0123abcd.pt").write_bytes(b"of a run that was killed")
    serves = (folder / "last.previous.pt").read_bytes()
    second, _, second_weights, _ = training(folder)
    epochs, kept = [], []

    @second.on(Events.EPOCH_STARTED)
    def _look(engine: Engine) -> None:
        epochs.append(engine.state.epoch)
        kept.append((folder / "last.previous.pt").read_bytes() == serves)

    second.run()
    assert epochs == [3, 4]  # the second epoch's checkpoint served
    assert kept == [True, True]
    assert same(second_weights, whole_weights)
    assert "damaged" in caplog.text
    assert not list(folder.glob(".*"))


def test_what_an_earlier_run_left_never_serves_one_that_began_afresh(tmp_path):
    for _ in range(2):
        trainer, *_ = training(tmp_path, epochs=2, resume=False)
        trainer.run()
    again, *_ = training(tmp_path, epochs=1, resume=False)
    again.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: seen.append(sorted(tmp_path.glob("last*"))))
    seen = []
    again.run()
    assert seen == [[tmp_path / "last.pt"]]


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    trainer, _, _, checkpoints = training(tmp_path, epochs=1)
    trainer.run()
    other, _, _, checkpoints = training(tmp_path, epochs=1)
    checkpoints.states["network"] = nn.Linear(2, 2)
    with pytest.raises(SettingError, match="another configuration"):
        other.run()


def test_minutes_end_a_training_with_a_last_validation(tmp_path):
    trainer, validator, _, _ = training(tmp_path, epochs=1000, max_minutes=0.02)
    trainer.run()
    assert 0 < trainer.state.epoch < 1000
    assert validator.state.epoch == trainer.state.epoch


def test_the_schedule_follows_the_budget():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    budget = TrainingBudget(10)
    engine = Engine(lambda engine, batch: optimizer.param_groups[0]["lr"])
    rates = []
    LearningRateSchedule(optimizer, budget, "cosine", warmup=0.1, floor=0.0).attach(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: rates.append(engine.state.output))
    engine.run(range(10), max_epochs=10)
    assert rates[0] == pytest.approx(2 * 0.01 / 0.1)
    assert max(rates) == pytest.approx(2.0)
    assert rates[54] == pytest.approx(1.0, abs=0.01)
    assert rates[-1] == 0


@pytest.mark.parametrize("shape", ["cosine", "poly", "constant"])
def test_every_schedule_rises_and_stays_in_its_range(shape):
    schedule = LearningRateSchedule(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), TrainingBudget(1), shape)
    values = [schedule.factor(step / 100) for step in range(101)]
    assert min(values) >= 0.0099
    assert max(values) == pytest.approx(1.0, abs=0.02)
    assert values[0] == pytest.approx(0.01)
    assert values[-1] == pytest.approx(1.0 if shape == "constant" else 0.01)


def test_an_unknown_schedule_is_refused():
    with pytest.raises(SettingError, match="linear"):
        LearningRateSchedule(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), TrainingBudget(1), "linear")


def test_one_cycle_is_pytorchs():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = LearningRateSchedule(optimizer, TrainingBudget(1), "one_cycle")
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1.0), max_lr=1.0, total_steps=1001
    )
    for step in range(0, 1001):
        if step in (0, 100, 300, 700, 1000):
            assert schedule.factor(step / 1000) == pytest.approx(theirs.get_last_lr()[0], abs=5e-3)
        if step < 1000:
            theirs.optimizer.step()
            theirs.step()


def test_steps_divide_the_rate_by_ten():
    schedule = LearningRateSchedule(
        torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), TrainingBudget(1), "step", step_epochs=100
    )
    assert [schedule.factor(0.5, epochs) for epochs in (0, 99, 100, 250)] == pytest.approx([1, 1, 0.1, 0.01])
