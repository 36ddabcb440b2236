"""Tables read back: as pandas does, but for what pandas would take minutes over."""

import gzip
import re
import zlib
from pathlib import Path

import pandas as pd
import pytest

from core.errors import ModelError
from core.tables import MOST_COLUMNS, read_table
from core.zoo.assessment import EVALUATION_NAME, read_evaluation
from core.zoo.history import read_history
from core.zoo.training.stages import HISTORY_NAME

ROOT = Path(__file__).resolve().parents[2]
WIDE = MOST_COLUMNS + 1


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_table_of_ours_comes_back(name, tmp_path):
    written = pd.DataFrame(
        {"image": ['a "b", c', "two\nlines", ""], "n": [1, 2, 3]} | {f"p_{n}": 0.5 for n in range(900)}
    )
    written.to_csv(tmp_path / name, index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / name, keep_default_na=False), written)


HEADERS = {
    "a header": ",".join(f"c{n}" for n in range(WIDE)) + "\n",
    "a header after empty lines": "\n\n" + ",".join(f"c{n}" for n in range(WIDE)) + "\n",
    "a header of many lines": ",".join(f'"c\n{n}"' for n in range(WIDE)) + "\n",
    "a first row wider than the header": "loss\n" + "," * WIDE + "\n",
    "a million columns": "loss," + "," * 1_000_000 + "\n",
    "a cell of a megabyte": "loss\n" + '"' + "x" * 2**20,
}


@pytest.mark.parametrize("what", HEADERS)
def test_what_is_no_table_of_ours_is_refused_before_pandas_reads_it(what, tmp_path):
    (tmp_path / "tiny").mkdir()
    path = tmp_path / "tiny" / HISTORY_NAME
    path.write_text(HEADERS[what])
    with pytest.raises(ValueError, match=f"has more than {MOST_COLUMNS} columns|does not begin like a table"):
        read_table(path)
    with pytest.raises(ModelError, match=r"history\.csv of model 'tiny' cannot be read; restore"):
        read_history("tiny", tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b broken", b"image,label\n", gzip.compress(HEADERS["a header"].encode(), mtime=0)]
)
def test_a_damaged_packed_table_is_an_error_that_loaders_make_a_sentence_of(content, tmp_path):
    (tmp_path / "tiny").mkdir()
    path = tmp_path / "tiny" / EVALUATION_NAME
    path.write_bytes(content)
    with pytest.raises((OSError, EOFError, ValueError, zlib.error)):
        read_table(path)
    with pytest.raises(ModelError, match="cannot be read; write it again"):
        read_evaluation("tiny", tmp_path)


def test_no_other_file_of_core_reads_tables_by_pandas():
    readers = {path.name for path in (ROOT / "core").rglob("*.py") if re.search(r"\bread_csv\(", path.read_text())}
    assert readers == {"tables.py"}
