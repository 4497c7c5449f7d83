"""Distances, gaps and tilt of slices, from numbers that are known."""

from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.inspection.placement import Placement, placement_of
from pipeline.inspection.results import Gap

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass
class At:
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None = AXIAL


def along_z(*places):
    return [At((0.0, 0.0, float(place))) for place in places]


def test_even_slices_in_any_order_have_no_gap():
    assert placement_of(along_z(4, 0, 2, 6)) == Placement("axial", 0.0, 0.0, 2.0, (), 0)


def test_rounded_positions_are_no_gap():
    assert placement_of(along_z(0, 2.03, 3.96, 6.02)).gaps == ()


def test_every_odd_distance_is_a_gap():
    place = placement_of(along_z(0, 2, 4, 8, 10, 11, 13))
    assert place.spacing_mm == 2.0
    assert place.gaps == (
        Gap(start_mm=4.0, end_mm=8.0, width_mm=4.0),
        Gap(start_mm=10.0, end_mm=11.0, width_mm=1.0),
    )


def test_slices_at_one_place_are_duplicates_and_no_gap():
    place = placement_of(along_z(0, 2, 2, 4, 4, 4))
    assert (place.duplicates, place.gaps, place.spacing_mm) == (3, (), 2.0)


def test_all_slices_at_one_place():
    assert placement_of(along_z(1, 1, 1)) == Placement("axial", 0.0, 0.0, None, (), 2)


def test_tilt_along_a_row_and_along_a_column_alike():
    for shift in ((0.5, 0.0), (0.0, -0.5), (0.3, 0.4)):
        slices = [At((shift[0] * k, shift[1] * k, 2.0 * k)) for k in range(5)]
        assert placement_of(slices).tilt_degrees == pytest.approx(np.degrees(np.arctan(0.25)), abs=0.005)


def test_what_headers_do_not_say_is_none():
    assert placement_of([At((0.0, 0.0, 0.0), None)]) == Placement()
    assert placement_of([At(None), At(None)]) == Placement("axial", 0.0)
    assert placement_of([At((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 2.0, 0.0, 0.0))]) == Placement()
    assert placement_of([At((0.0, 0.0, 0.0), (0.0,) * 6)]) == Placement()
