"""The measurement groups of a report: one a class, one a lung, one for both lungs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.coding import Code

from pipeline.export.dicom import codes as our
from pipeline.export.dicom.equipment import plain_text, weights_id
from pipeline.export.dicom.plan import LUNG_NAMES, SegPlan, new_uid
from pipeline.export.dicom.source import Source
from pipeline.export.measurements import LEFT, RIGHT, LesionMeasurement, Measurements
from pipeline.export.provenance import BundleIdentity
from pipeline.export.severity import Severity
from pipeline.export.zone_figures import Density

Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations

_DECIMALS = 6


@dataclass(frozen=True, kw_only=True)
class MeasurementGroups:
    """Makes the groups of a report.

    Attributes:
        source: The slices that were measured.
        plan: Segments and codes.
        bundle: What found the lesions.
        refer_to_seg: Whether there is a SEG whose segments the groups can refer to.
    """

    source: Source
    plan: SegPlan
    bundle: BundleIdentity
    refer_to_seg: bool

    def of(self, measurements: Measurements) -> list[Group]:
        """Make the groups of a case's numbers."""
        lesions = [self._lesion(name, lesion) for name, lesion in measurements.lesions.items()]
        return [*lesions, *self._lungs(measurements)]

    def _lesion(self, name: str, lesion: LesionMeasurement) -> Group:
        given = our.segment_codes(name, self.plan.options.class_codes)
        algorithm = AlgorithmIdentification(
            name=plain_text(self.bundle.name),
            version=plain_text(self.bundle.version),
            parameters=[f"weights {weights_id(self.bundle)}"],
        )
        return self._group(
            name,
            finding_category=given.category,
            finding_type=given.type,
            finding_sites=None if given.region is None else [FindingSite(given.region)],
            algorithm_id=algorithm,
            measurements=list(_lesion_numbers(lesion)),
        )

    def _lungs(self, measurements: Measurements) -> list[Group]:
        volumes = measurements.lung_volume_ml
        if volumes.left is None or volumes.right is None or volumes.total is None:
            return []
        density = measurements.lung_density
        left = self._lung(LUNG_NAMES[LEFT], _lung_numbers(volumes.left, density.left), our.LEFT)
        right = self._lung(LUNG_NAMES[RIGHT], _lung_numbers(volumes.right, density.right), our.RIGHT)
        numbers = _lung_numbers(volumes.total, density.total)
        if measurements.percent_of_lung_involved is not None:
            numbers.append(_number(our.PERCENT_OF_LUNG, measurements.percent_of_lung_involved, our.PERCENT))
        both = self._lung("both lungs", numbers, qualitative_evaluations=_severity(measurements.severity))
        return [left, right, both]

    def _lung(self, name: str, numbers: list[Measurement], laterality: Code | None = None, **more: Any) -> Group:
        return self._group(
            name,
            finding_category=our.ANATOMY,
            finding_type=our.LUNG,
            finding_sites=[FindingSite(our.LUNG, laterality=laterality)],
            measurements=numbers,
            **more,
        )

    def _group(self, name: str, **content: Any) -> Group:
        """Refer to the segment of that name where the SEG has one."""
        segment = self.plan.segment(name) if self.refer_to_seg else None
        tracking = TrackingIdentifier(
            uid=new_uid() if segment is None else segment.tracking_uid, identifier=plain_text(name)
        )
        if segment is None:
            return MeasurementsAndQualitativeEvaluations(tracking_identifier=tracking, **content)
        referenced = ReferencedSegment(
            sop_class_uid=self.plan.sop_class_uid,
            sop_instance_uid=self.plan.sop_uid,
            segment_number=segment.number,
            source_series=SourceSeriesForSegmentation(self.source.header.SeriesInstanceUID),
        )
        return VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking, referenced_segment=referenced, **content
        )


def _lesion_numbers(lesion: LesionMeasurement) -> Iterator[Measurement]:
    yield _number(our.VOLUME, lesion.volume_ml, our.MILLILITRE)
    if lesion.mean_hu is not None:
        yield _number(our.ATTENUATION, lesion.mean_hu, our.HU, derivation=our.MEAN)
    if lesion.std_hu is not None:
        yield _number(our.ATTENUATION, lesion.std_hu, our.HU, derivation=our.STANDARD_DEVIATION)
    if lesion.percent_of_lung is not None:
        yield _number(our.PERCENT_OF_LUNG, lesion.percent_of_lung, our.PERCENT)
    yield _number(our.COMPONENTS, lesion.components, our.COUNT)


def _lung_numbers(volume_ml: float, density: Density) -> list[Measurement]:
    numbers = [_number(our.VOLUME, volume_ml, our.MILLILITRE)]
    if density.mean_hu is not None:
        numbers.append(_number(our.ATTENUATION, density.mean_hu, our.HU, derivation=our.MEAN))
    return numbers


def _number(name: Code, value: float, unit: Code, **more: Any) -> Measurement:
    return Measurement(name=name, value=round(value, _DECIMALS), unit=unit, **more)


def _severity(severity: Severity | None) -> list[QualitativeEvaluation] | None:
    if severity is None:
        return None
    grade = CodedConcept(f"CT-{severity.grade}", our.OWN_SCHEME, f"CT-{severity.grade} of {severity.scale}")
    return [QualitativeEvaluation(our.SEVERITY, grade)]
