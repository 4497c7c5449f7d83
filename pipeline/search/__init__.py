"""Hyper-parameter search over a bundle's training: each trial is the training itself, in a process of its own."""

from pipeline.search.space import Space, read_space
from pipeline.search.study import SearchSettings, search

__all__ = ["SearchSettings", "Space", "read_space", "search"]
