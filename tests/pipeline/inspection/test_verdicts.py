"""The fewest allowances that do, found by asking the reader."""

import pytest

from pipeline.inspection.verdicts import judge
from transforms.errors import GeometryError, IntensityError


def reader(needed):
    """A reader that takes a case where all of `needed` is allowed, and counts how often it was asked."""

    def plan(allowed):
        plan.asked += 1
        if not needed <= allowed:
            raise GeometryError("the slices are odd")
        return "planned"

    plan.asked = 0
    return plan


def test_what_is_taken_as_it_is_is_asked_once():
    plan = reader(set())
    planned, verdict = judge(plan, frozenset())
    assert (planned, verdict.sentence, plan.asked) == ("planned", "will be read", 1)


@pytest.mark.parametrize("needed", [{"tilt"}, {"uneven"}, {"tilt", "uneven"}, {"not-hu", "tilt", "uneven"}])
def test_the_fewest_allowances_are_named(needed):
    planned, verdict = judge(reader(needed), frozenset())
    assert planned == "planned"
    assert verdict.kind == "read-after"
    assert set(verdict.needs) == needed
    assert verdict.error == "the slices are odd."
    assert verdict.sentence == "will be read after: " + " ".join(f"--allow {kind}" for kind in sorted(needed))


def test_what_is_allowed_already_is_not_named():
    _, verdict = judge(reader({"tilt", "uneven"}), frozenset({"tilt"}))
    assert verdict.needs == ("uneven",)


def test_what_no_allowance_lets_through_is_refused_in_the_readers_words():
    planned, verdict = judge(reader({"anything"}), frozenset())
    assert planned is None
    assert (verdict.kind, verdict.error_kind, verdict.needs) == ("refused", "GeometryError", ())
    assert verdict.sentence == "refused: the slices are odd."
    assert verdict.still is None


def test_what_is_wrong_beside_is_said_too():
    def plan(allowed):
        raise IntensityError("the values are odd") if "tilt" in allowed else GeometryError("the gantry was tilted")

    _, verdict = judge(plan, frozenset())
    assert (verdict.error, verdict.still) == ("the gantry was tilted.", "the values are odd.")
