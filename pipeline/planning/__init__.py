"""From a data set to the overlay to train on it with: spacing, HU windows, patch, batch, region and their reasons."""

from pipeline.planning.cases import CaseFacts, Fault, look_at
from pipeline.planning.decisions import Plan, make_plan
from pipeline.planning.memory import Budget, budget_of
from pipeline.planning.overlay import overlay_text

__all__ = ["Budget", "CaseFacts", "Fault", "Plan", "budget_of", "look_at", "make_plan", "overlay_text"]
