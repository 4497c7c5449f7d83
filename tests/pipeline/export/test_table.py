import csv
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.export.table import CaseTable, failed_row
from transforms.errors import OutputError, UnreadableError


@pytest.fixture
def table(tmp_path):
    return CaseTable(tmp_path / "out" / "cases.csv")


def test_a_row_a_case_in_order_and_never_twice(table):
    table.put({"case": "b", "status": "done", "seconds": 1.0, "lesion_ml": 2.5})
    table.put({"case": "a", "status": "failed", "error": "x"})
    table.put({"case": "b", "status": "done", "seconds": 3.0, "lesion_ml": 0.1 + 0.2})
    assert table.path.read_text().splitlines() == [
        "case,status,error,seconds,lesion_ml",
        "b,done,,3.0,0.3",
        "a,failed,x,,",
    ]


def test_a_failed_case_loses_its_old_numbers(table):
    table.put({"case": "a", "status": "done", "lesion_ml": 2.5})
    table.put({"case": "a", "status": "failed", "error": "x"})
    assert table.rows()[0]["lesion_ml"] == ""


def test_new_columns_come_last_and_old_ones_stay(table):
    table.put({"case": "a", "one": 1})
    table.put({"case": "b", "two": 2})
    table.put({"case": "c", "one": 3, "zero": None})
    with table.path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["case", "status", "error", "seconds", "one", "two", "zero"]
    assert rows == [["a", "", "", "", "1", "", ""], ["b", "", "", "", "", "2", ""], ["c", "", "", "", "3", "", ""]]


def test_an_error_is_one_line(table):
    error = UnreadableError("is truncated", where="a,b.nii.gz", found='"3"\nbytes', remedy="Copy it again")
    table.put(failed_row("a", error, seconds=0.12345))
    assert len(table.path.read_text().splitlines()) == 2
    assert table.rows() == [
        {
            "case": "a",
            "status": "failed",
            "error": 'a,b.nii.gz: is truncated (found "3" bytes). Copy it again.',
            "seconds": "0.123",
        }
    ]
    assert failed_row("a", KeyError(), seconds=0)["error"] == "KeyError"


def test_many_writers_lose_nothing(table):
    names = [f"case{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: CaseTable(table.path).put({"case": name, "status": "done"}), names))
    assert sorted(row["case"] for row in table.rows()) == sorted(names)


def test_another_file_of_that_name_is_left_alone(table):
    table.path.parent.mkdir()
    table.path.write_text("name,age\nx,3\n")
    with pytest.raises(OutputError, match="is not a table of cases"):
        table.put({"case": "a"})
    assert table.path.read_text() == "name,age\nx,3\n"


def test_no_table_has_no_rows(table):
    assert table.rows() == []
