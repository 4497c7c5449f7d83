"""Classifiers of slices by name, how large they are, and where their last feature maps are."""

from pipeline.networks.classifiers.by_name import CLASSIFIERS, classifier
from pipeline.networks.classifiers.cost import NetworkCost, network_cost, report_cost
from pipeline.networks.classifiers.fpn import FPNClassifier
from pipeline.networks.classifiers.last_features import last_features

__all__ = [
    "CLASSIFIERS",
    "FPNClassifier",
    "NetworkCost",
    "classifier",
    "last_features",
    "network_cost",
    "report_cost",
]
