import pytest

from pipeline.export.dicom import SegOptions, plan_seg, segment_codes
from pipeline.export.dicom.codes import ABNORMAL, FALLBACK, KNOWN_CLASSES, parse_codes
from pipeline.export.dicom.equipment import plain_text
from transforms.errors import SettingError

NODULE = {"type": ["27925004", "SCT", "Nodule"], "region": ["39607008", "SCT", "Lung"]}


def test_classes_of_other_bundles_get_their_own_codes():
    own = parse_codes({"nodule": NODULE, "ground_glass": {"type": ["112120", "DCM", "Ground glass opacity"]}})
    nodule = segment_codes("nodule", own)
    assert (nodule.type.value, nodule.category, nodule.region.meaning) == ("27925004", ABNORMAL, "Lung")
    assert segment_codes("ground_glass", own).type.scheme_designator == "DCM"
    assert segment_codes("something else", own) is FALLBACK


@pytest.mark.parametrize("name", ["pleural_effusion", "pleural effusion", "Pleural-Effusion"])
def test_known_classes_are_found_by_any_spelling(name):
    assert segment_codes(name, {}) is KNOWN_CLASSES["pleural_effusion"]


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"region": NODULE["region"]}, "segment_codes.nodule: "),
        ({**NODULE, "colour": ["1", "2", "3"]}, "segment_codes.nodule: "),
        ("27925004", "segment_codes.nodule: "),
        ({"type": [27925004, "SCT", "Nodule"]}, "segment_codes.nodule.type: "),
        ({"type": ["27925004", "SCT"]}, "segment_codes.nodule.type: "),
        ({"type": "27925004"}, "segment_codes.nodule.type: "),
    ],
)
def test_codes_that_are_not_whole_are_refused_at_once(entry, where):
    with pytest.raises(SettingError, match=f"^{where}"):
        SegOptions(codes={"nodule": entry})


def test_a_plan_takes_the_codes_of_the_options():
    plan = plan_seg({"background": 0, "nodule": 1}, with_lungs=False, options=SegOptions(codes={"nodule": NODULE}))
    assert plan.segments[0].codes.type.meaning == "Nodule"


def test_a_label_map_keeps_its_values_and_leaves_the_lungs_out():
    classes = {"background": 0, "late": 7, "early": 2}
    plan = plan_seg(classes, with_lungs=True, options=SegOptions(type="labelmap"))
    assert [(segment.number, segment.name) for segment in plan.segments] == [(2, "early"), (7, "late")]


def test_texts_fit_any_character_set_and_length():
    assert plain_text("Épanchement\\pleural\n") == "Epanchement pleural"
    assert plain_text("x" * 100) == "x" * 64
    assert plain_text("結節") == "unnamed"
