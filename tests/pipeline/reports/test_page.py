"""The shell of every page: escaped, whole, and closed to the network."""

import re

import pytest
from jinja2 import ChoiceLoader, DictLoader, UndefinedError
from PIL import Image

from pipeline.reports import data_uri, picture_uri, render_page, write_page
from pipeline.reports import page as module

SHELL = """{% extends "base.html" %}{% import "parts.html" as parts %}
{% block title %}{{ name }}{% endblock %}
{% block main %}<h1>{{ name }}</h1>{{ parts.table("Rows", ["a", "b"], [["x", 1]], numeric=1) }}
{{ parts.figure(uri, name) }}{{ parts.facts([["k", name]]) }}{% endblock %}"""


@pytest.fixture
def template(monkeypatch):
    """A page of the tests' own."""
    environment = module._environment()
    monkeypatch.setattr(environment, "loader", ChoiceLoader([DictLoader({"any": SHELL}), environment.loader]))


def test_a_page_escapes_what_it_is_given_and_asks_for_nothing_elsewhere(template, read_page):
    hostile = "<script>alert(1)</script>\" onload='x' & é"
    page = render_page("any", name=hostile, uri=data_uri(b"x", "image/png"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    read = read_page(page)
    assert not [attrs for _, attrs in read.elements if "onload" in attrs]
    assert all(address.startswith(("data:", "#")) for address in read.addresses())
    assert not re.search(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page
    assert "Not a medical device" in page


def test_what_a_template_asks_for_must_be_there(template):
    with pytest.raises(UndefinedError):
        render_page("any", name="a")


def test_a_page_is_written_whole_also_with_a_name_that_is_no_text(template, tmp_path):
    write_page(tmp_path / "page.html", "any", name="case\udcff", uri="data:,")
    assert "</html>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_picture_is_held_by_its_address():
    assert picture_uri(Image.new("L", (2, 2))).startswith("data:image/png;base64,iVBOR")
    assert picture_uri(Image.new("L", (2, 2)), "JPEG", quality=50).startswith("data:image/jpeg;base64,/9j/")
