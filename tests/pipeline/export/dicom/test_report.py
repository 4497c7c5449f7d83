import numpy as np
import pytest
from highdicom.sr import srread
from pydicom.sr.coding import Code
from pydicom.uid import EnhancedCTImageStorage

from pipeline.export.dicom import SegOptions, plan_seg, write_sr
from pipeline.export.dicom.equipment import device_uid
from pipeline.export.measurements import measure
from tests.pipeline.export.dicom.conftest import BUNDLE, CLASSES

VOLUME, ATTENUATION, PERCENT, COMPONENTS = "118565006", "112031", "percent_of_lung", "components"
SEVERITY = Code("246112005", "SCT", "Severity")
UNITS = {VOLUME: "mL", ATTENUATION: "[hnsf'U]", PERCENT: "%", COMPONENTS: "1"}


@pytest.fixture
def written(ct, tmp_path):
    """A function that writes the SR of a series; returns the series, its numbers, the plan and the report."""

    def write(*args, options=None, with_lungs=True, refer_to_seg=True, label_map=None):
        series = ct(*args)
        labels = series.label_map if label_map is None else label_map
        lungs = series.lungs if with_lungs else None
        numbers = measure(labels, series.volume.array, lungs, series.volume.affine, CLASSES)
        plan = plan_seg(CLASSES, with_lungs=with_lungs, options=options)
        path = tmp_path / "measurements.sr.dcm"
        write_sr(path, numbers, series.source, plan, bundle=BUNDLE, refer_to_seg=refer_to_seg)
        return series, numbers, plan, srread(path)

    return write


def groups_of(report):
    groups = [
        *report.content.get_volumetric_roi_measurement_groups(),
        *report.content.get_image_measurement_groups(),
    ]
    return {group.tracking_identifier: group for group in groups}


def values_of(group):
    items = [item for item in group.get_measurements() if item.derivation is None or item.derivation.meaning == "Mean"]
    found = {item.name.value: (item.value, item.unit.value) for item in items}
    assert all(UNITS[name] == unit for name, (_, unit) in found.items())
    return {name: value for name, (value, _) in found.items()}


def test_numbers_are_those_of_the_measurements(written):
    _, numbers, _, report = written()
    groups = groups_of(report)
    assert set(groups) == {*CLASSES, "left lung", "right lung", "both lungs"} - {"background"}
    for name, lesion in numbers.lesions.items():
        assert lesion.volume_ml > 0
        assert values_of(groups[name]) == {
            VOLUME: pytest.approx(lesion.volume_ml, abs=1e-6),
            ATTENUATION: pytest.approx(lesion.mean_hu, abs=1e-6),
            PERCENT: pytest.approx(lesion.percent_of_lung, abs=1e-6),
            COMPONENTS: lesion.components,
        }
    for side in ("left", "right"):
        expected = getattr(numbers.lung_volume_ml, side)
        assert values_of(groups[f"{side} lung"]) == {
            VOLUME: pytest.approx(expected, abs=1e-6),
            ATTENUATION: pytest.approx(getattr(numbers.lung_density, side).mean_hu, abs=1e-6),
        }
    assert values_of(groups["both lungs"]) == {
        VOLUME: pytest.approx(numbers.lung_volume_ml.total, abs=1e-6),
        ATTENUATION: pytest.approx(numbers.lung_density.total.mean_hu, abs=1e-6),
        PERCENT: pytest.approx(numbers.percent_of_lung_involved, abs=1e-6),
    }


def test_each_group_refers_to_its_segment(written):
    series, _, plan, report = written()
    groups = groups_of(report)
    for segment in plan.segments:
        referenced = groups[segment.name].referenced_segment
        (image,) = referenced[0].ReferencedSOPSequence
        assert image.ReferencedSOPInstanceUID == plan.sop_uid
        assert image.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
        assert image.ReferencedSegmentNumber == segment.number
        assert referenced[1].value == series.datasets[0].SeriesInstanceUID
        assert groups[segment.name].tracking_uid == segment.tracking_uid


def test_mean_and_deviation_are_told_apart(written):
    _, numbers, _, report = written()
    items = groups_of(report)["ground_glass"].get_measurements()
    found = {item.derivation.meaning: item.value for item in items if item.name.value == ATTENUATION}
    lesion = numbers.lesions["ground_glass"]
    assert found == {
        "Mean": pytest.approx(lesion.mean_hu, abs=1e-6),
        "Standard Deviation": pytest.approx(lesion.std_hu, abs=1e-6),
    }


def test_findings_and_places_are_coded(written):
    _, _, _, report = written()
    found = {}
    for name, group in groups_of(report).items():
        (site,) = group.finding_sites
        side = site.laterality.meaning if site.laterality else None
        found[name] = (group.finding_type.value, site.value.value, side)
    assert found == {
        "ground_glass": ("1217294009", "39607008", None),
        "consolidation": ("95436008", "39607008", None),
        "pleural_effusion": ("60046008", "3120008", None),
        "left lung": ("39607008", "39607008", "Left"),
        "right lung": ("39607008", "39607008", "Right"),
        "both lungs": ("39607008", "39607008", None),
    }


def test_the_severity_is_an_evaluation_of_both_lungs(written):
    _, numbers, _, report = written()
    (severity,) = groups_of(report)["both lungs"].get_qualitative_evaluations(SEVERITY)
    assert severity.value.value == f"CT-{numbers.severity.grade}"


def test_a_device_observed_and_all_evidence_is_named(written):
    series, _, plan, report = written()
    device = report.content.get_observer_contexts()[0].observer_identifying_attributes
    assert device.uid == device_uid() == device_uid()
    assert (device.manufacturer_name, device.model_name) == ("ctvol", "CT lesion segmentation 1.2.3")
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == report.StudyInstanceUID == series.datasets[0].StudyInstanceUID
    named = {
        item.SeriesInstanceUID: {image.ReferencedSOPInstanceUID for image in item.ReferencedSOPSequence}
        for item in study.ReferencedSeriesSequence
    }
    assert named == {
        series.datasets[0].SeriesInstanceUID: {dataset.SOPInstanceUID for dataset in series.datasets},
        plan.series_uid: {plan.sop_uid},
    }
    assert report.SeriesNumber == 402
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")


def test_without_a_seg_it_refers_to_none(written):
    series, numbers, plan, report = written(refer_to_seg=False)
    assert report.content.get_volumetric_roi_measurement_groups() == []
    assert values_of(groups_of(report)["ground_glass"])[VOLUME] == pytest.approx(
        numbers.lesions["ground_glass"].volume_ml, abs=1e-6
    )
    assert plan.sop_uid not in str(report)
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (only,) = study.ReferencedSeriesSequence
    assert only.SeriesInstanceUID == series.datasets[0].SeriesInstanceUID


def test_beside_a_label_map_the_lungs_refer_to_no_segment(written):
    _, _, _, report = written(options=SegOptions(type="labelmap"))
    referring = {group.tracking_identifier for group in report.content.get_volumetric_roi_measurement_groups()}
    assert referring == {"ground_glass", "consolidation", "pleural_effusion"}
    assert {"left lung", "right lung", "both lungs"} <= set(groups_of(report))


def test_what_is_not_known_is_left_out(written):
    _, _, _, report = written(with_lungs=False)
    groups = groups_of(report)
    assert set(groups) == {"ground_glass", "consolidation", "pleural_effusion"}
    assert set(values_of(groups["ground_glass"])) == {VOLUME, ATTENUATION, COMPONENTS}


def test_no_lesion_is_a_volume_of_nothing(written):
    _, _, _, report = written(label_map=np.zeros((9, 7, 6), np.uint8))
    assert values_of(groups_of(report)["consolidation"]) == {VOLUME: 0, PERCENT: 0, COMPONENTS: 0}
    (severity,) = groups_of(report)["both lungs"].get_qualitative_evaluations(SEVERITY)
    assert severity.value.value == "CT-0"


def test_an_enhanced_source_is_named_once(written):
    series, _, plan, report = written("axial", "enhanced")
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    references = [image for item in study.ReferencedSeriesSequence for image in item.ReferencedSOPSequence]
    assert [(image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID) for image in references] == [
        (EnhancedCTImageStorage, series.datasets[0].SOPInstanceUID),
        (plan.sop_class_uid, plan.sop_uid),
    ]
