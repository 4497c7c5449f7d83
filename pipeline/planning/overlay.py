"""A plan as an overlay of a bundle's configs, each value with its reason."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from pipeline.planning.cases import CaseFacts, Fault
from pipeline.planning.decisions import Plan

_WIDTH = 110


def overlay_text(plan: Plan, cases: Sequence[CaseFacts], faults: Sequence[Fault]) -> str:
    """The overlay as YAML.

    Args:
        plan: What was decided.
        cases: What it was decided from.
        faults: Cases that were left out.
    """
    lines = [
        "# Overlay for train, evaluate and inference, planned from a data set:",
        "#   --config_file \"['.../train.yaml','THIS.yaml']\"",
        *_comment(f"{len(cases)} training cases were looked at; {len(faults)} more have faults and were left out."),
    ]
    for fault in faults:
        lines += _comment(f"- {fault.case}: {fault.reason}")
    lines += _comment("Volumes of the classes, in ml: " + "; ".join(_volumes(plan.values["classes"], cases)))
    for key, value in plan.values.items():
        lines += ["", *_comment(plan.reasons[key])] if plan.reasons.get(key) else []
        lines.append(f"{key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _volumes(classes: Mapping[str, int], cases: Sequence[CaseFacts]) -> list[str]:
    said = []
    for name, value in classes.items():
        there = [case.class_ml[value] for case in cases if value in case.class_ml]
        if value == 0:
            continue
        spread = f", median {np.median(there):.1f} ({min(there):.1f} to {max(there):.1f})" if there else ""
        said.append(f"{name} in {len(there)} of {len(cases)} cases{spread}")
    return said


def _comment(text: str) -> list[str]:
    # A name with a line break must not end the comment.
    return [f"# {line}" for line in textwrap.wrap(" ".join(text.split()), _WIDTH, break_long_words=False)]


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).replace("\n...", "").strip()
