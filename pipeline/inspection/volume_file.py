"""A volume file: its header as it is, and what the reader makes of it."""

from __future__ import annotations

from pipeline.datasets.studies import Case
from pipeline.inspection.results import CaseInspection
from pipeline.inspection.verdicts import judge
from pipeline.inspection.volume import volume_of
from transforms.file_kinds import VolumeFormat


def inspect_volume_file(case: Case, kind: VolumeFormat) -> CaseInspection:
    """Looks at the header of a NIfTI, NRRD or MetaImage file."""
    if kind == "nifti":
        from pipeline.inspection.nifti import nifti_facts as facts_of
        from transforms.reading.nifti import plan_nifti as plan_of
    else:
        from pipeline.inspection.itk import itk_facts as facts_of
        from transforms.reading.itk_files import plan_itk as plan_of
    plan, verdict = judge(lambda _: plan_of(case.path), frozenset())
    return CaseInspection(
        case=case.name,
        path=str(case.path),
        format=kind,
        verdict=verdict,
        volume=None if plan is None else volume_of(plan.shape, plan.affine),
        repairs=() if plan is None else plan.repairs,
        file=facts_of(case.path),
    )
