"""The schedule of moving averages on curves drawn by hand."""

import math

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from pipeline.training import LearningRateSchedule, MovingAverageSchedule, TrainingBudget


def follow(losses, accuracies, patience=3, state=None, **settings):
    """The learning rate after each epoch of a training with these validations, and the schedule."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    rates = LearningRateSchedule(optimizer, TrainingBudget(len(losses)), "constant", warmup=0.0)
    schedule = MovingAverageSchedule(rates, patience=patience, **settings)
    if state is not None:
        schedule.load_state_dict(state)
    curve = iter(zip(losses, accuracies, strict=True))

    def validation(engine, batch):
        loss, accuracy = next(curve)
        engine.state.metrics.update(val_loss=loss, val_accuracy=accuracy)

    validator = Engine(validation)
    schedule.attach(validator)
    shown = []
    validator.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: shown.append(dict(engine.state.metrics)))
    trainer = Engine(lambda engine, batch: None)
    rates.attach(trainer)
    schedule.set_trainer(trainer)
    seen = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: validator.run([0]))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda _: seen.append(max(rates.highest)))
    trainer.run([0], max_epochs=len(losses))
    return seen, shown, schedule, optimizer


def test_averages_take_a_fifth_of_the_new():
    _, shown, _, _ = follow([1.0, 0.5, 0.5], [0.5, 1.0, 1.0])
    assert [metrics["val_loss_average"] for metrics in shown] == pytest.approx([1.0, 0.9, 0.82])
    assert [metrics["val_accuracy_average"] for metrics in shown] == pytest.approx([0.5, 0.6, 0.68])


def test_while_both_get_better_nothing_happens():
    seen, *_ = follow([1 / n for n in range(1, 11)], [1 - 1 / n for n in range(1, 11)])
    assert seen == [1.0] * 10


def test_loss_alone_without_gain_divides_by_ten_and_counts_anew():
    # From the second validation on the loss rises; the accuracy always does.
    seen, _, _, optimizer = follow([1.0 + n for n in range(10)], [n / 10 for n in range(10)])
    # Counts of the loss: 0, 1, 2, 3 -> divided; 1, 2, 3 -> divided; 1, 2, 3 -> divided.
    assert seen == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001])
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)  # as the last epoch was trained with


def test_both_without_gain_stop():
    seen, _, schedule, _ = follow([1.0] * 10, [0.5] * 10)
    assert len(seen) == 4
    assert seen[-1] == 1.0
    assert schedule.divisions == 0


def test_accuracy_alone_without_gain_does_nothing():
    seen, *_ = follow([1 / n for n in range(1, 11)], [0.5] * 10)
    assert seen == [1.0] * 10


def test_a_gain_in_accuracy_just_before_keeps_the_run_going():
    # The loss has used up its patience at the 4th; the accuracy last rose at the 3rd and has counted to 1.
    seen, *_ = follow([1.0] * 7, [0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6])
    # The average of the accuracy goes on rising towards 0.6.
    assert seen == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01])


def test_one_bad_validation_does_not_reset_what_an_average_has_gained():
    seen, _, schedule, _ = follow([1.0, 0.9, 5.0, 0.8, 0.7, 0.6], [0.5, 0.6, 0.6, 0.7, 0.7, 0.7])
    # Averages: 1, 0.98, 1.784, 1.587, 1.41, 1.248: four without gain after 0.98.
    assert seen == pytest.approx([1, 1, 1, 1, 0.1, 0.1])
    assert schedule.best["val_loss"] == pytest.approx(0.98)


def test_a_loss_that_is_no_number_counts_as_no_gain():
    seen, _, schedule, _ = follow([1.0, math.nan, math.nan, math.nan], [0.5, 0.6, 0.7, 0.8])
    assert seen[-1] == pytest.approx(0.1)
    assert schedule.averages["val_loss"] == 1.0


def test_a_resumed_run_goes_on_as_one_that_was_not_stopped():
    losses, accuracies = [1.0 + n for n in range(10)], [n / 10 for n in range(10)]
    whole, _, end, _ = follow(losses, accuracies)
    first, _, middle, _ = follow(losses[:5], accuracies[:5])
    second, _, resumed, _ = follow(losses[5:], accuracies[5:], state=middle.state_dict())
    assert first + second == pytest.approx(whole)
    assert resumed.state_dict() == end.state_dict()


def test_without_averages_and_stop_it_is_the_plain_rule_of_a_plateau():
    losses = [1.0, 0.9, 0.9, 0.95, 0.92, 0.8, 0.8, 0.8, 0.8]
    seen, *_ = follow(losses, [0.5] * 9, new=1.0, factor=0.7, stop=False)
    # The least is reached at the second and at the sixth validation; three without gain follow each.
    assert seen == pytest.approx([1, 1, 1, 1, 0.7, 0.7, 0.7, 0.7, 0.49])
