"""Pages for people: one file each, which opens offline and asks nothing of any network."""

from pipeline.reports.index import RunIndex, write_index
from pipeline.reports.page import data_uri, picture_uri, render_page, write_page

__all__ = ["RunIndex", "data_uri", "picture_uri", "render_page", "write_index", "write_page"]
