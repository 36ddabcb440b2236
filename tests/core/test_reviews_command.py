"""``python -m core reviews``: out of one database and into another, and what the summary says of made-up readers."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from core import cli
from core.errors import ModelError
from core.library import phantom_id
from core.reviews import DATABASE_VARIABLE, Review, ReviewStore
from core.reviews.exchange import from_csv
from core.zoo import assessment, registry

PLANES = ["BPD", "CRL", "NT"]
N = 30


def run(*arguments):
    return cli.main(["reviews", *(str(argument) for argument in arguments)])


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def evaluated(classifier, tmp_path, monkeypatch):
    """The model ``tiny``, right on every image whose number is even; its evaluation of thirty phantoms."""
    folder = tmp_path / "models"
    (folder / "tiny").mkdir(parents=True)
    classifier.card.write(folder / "tiny")
    labels = [PLANES[number % 3] for number in range(N)]
    predicted = [PLANES[(number + number % 2) % 3] for number in range(N)]
    rows = pd.DataFrame(
        {
            "image": [f"{number:02d}.png" for number in range(N)],
            "patient": [f"patient {number}" for number in range(N)],
            "label": labels,
            "predicted": predicted,
            "image_id": [phantom_id(label, "unseen", number) for number, label in enumerate(labels)],
            "typicality": 0.0,
            "unlike_training": False,
            "data": "shapes",
            "simulated": True,
        }
    )
    for name in PLANES:
        rows[f"p_{name}"] = np.where(rows["predicted"] == name, 0.8, 0.1)
    rows.to_csv(folder / "tiny" / "evaluation.csv.gz", index=False)
    for function in (registry.list_cards, assessment.read_evaluation):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    return rows


@pytest.fixture
def database(tmp_path):
    return f"sqlite:///{tmp_path}/reviews.sqlite"


def said(rows, number, reader, **fields):
    row = rows.iloc[number]
    values = {"reading": row["label"], "right_label": row["label"], "valid": True, "queue": "random"} | fields
    return Review(reader, "tiny", "shapes", row["image_id"], row["label"], row["predicted"], **values)


def fill(database, reviews):
    store = ReviewStore(database)
    store.extend(reviews)
    store.close()


@pytest.fixture
def filled(evaluated, database):
    """Ada reads the first twelve as BPD and the errors among the rest rightly; Bo reads ten of the twelve rightly."""
    reviews = [said(evaluated, number, "Ada", reading="BPD", valid=number % 4 > 0) for number in range(12)]
    reviews += [said(evaluated, number, "Ada", queue="misclassified") for number in range(13, N, 2)]
    reviews += [said(evaluated, number, "Bo", valid=number % 3 > 0, comment="two\nlines") for number in range(10)]
    reviews += [said(evaluated, number, "Bo", queue="misclassified") for number in range(13, N, 2)]
    fill(database, reviews)
    return reviews


def test_export_and_import_carry_every_review_to_another_database(filled, database, tmp_path, capsys):
    out, elsewhere = tmp_path / "new" / "reviews.csv", f"sqlite:///{tmp_path}/elsewhere.sqlite"
    assert run("export", "--out", out, "--database", database) == 0
    assert from_csv(out.read_bytes(), {"tiny": PLANES}) == filled
    assert run("import", out, "--database", elsewhere) == 0
    assert f"added {len(filled)} of {len(filled)}" in capsys.readouterr().out
    assert run("import", out, "--database", elsewhere) == 0
    assert f"added 0 of {len(filled)}" in capsys.readouterr().out
    store = ReviewStore(elsewhere)
    assert store.all() == filled
    store.close()


def test_the_summary_counts_and_takes_figures_from_the_random_sample_alone(filled, evaluated, database, capsys):
    assert run("summary", "--database", database, "--json") == 0
    rows = rows_of(capsys.readouterr().out)
    assert {(row["model"], row["data"], row["simulated"]) for row in rows} == {("tiny", "shapes", True)}
    tables = {name: [row for row in rows if row["table"] == name] for name in {row["table"] for row in rows}}

    ada, bo = tables["counts"]
    assert (ada["reader"], ada["met_in_the_random_sample"], ada["met_among_errors"]) == ("Ada", 12, 9)
    assert (ada["judged"], ada["not_valid"], ada["label_wrong"]) == (21, 3, 0)
    assert (bo["met_in_the_random_sample"], bo["judged"], bo["not_valid"]) == (10, 19, 4)

    ada, bo = tables["beside_model"]
    labels, predicted = evaluated["label"], evaluated["predicted"]
    assert (ada["n"], ada["reader_right"]) == (12, pytest.approx((labels[:12] == "BPD").mean()))
    assert ada["model_right"] == (labels[:12] == predicted[:12]).mean()
    assert (bo["n"], bo["reader_right"], bo["model_right"]) == (10, 1.0, (labels[:10] == predicted[:10]).mean())
    assert ada["reader_right_low"] < ada["reader_right"] < ada["reader_right_high"]

    kappas = {row["question"]: row for row in tables["agreement"]}
    both = range(10)
    expected = cohen_kappa_score([number % 4 > 0 for number in both], [number % 3 > 0 for number in both])
    assert kappas["Valid for measurement"]["kappa"] == pytest.approx(expected)
    # The nine errors that both read alike would raise it.
    assert {row["answered_by_both"] for row in kappas.values()} == {10}
    assert kappas["Right label"]["readers"] == "Ada, Bo"

    valid = {row["reader"]: row for row in tables["without_invalid"]}
    kept = [number for number in range(12) if number % 4 > 0]
    assert valid["Ada"]["judged"] == 12
    assert valid["Ada"]["accuracy_without_those_not_valid"] == pytest.approx((labels[kept] == predicted[kept]).mean())


def test_the_summary_reads_as_tables_too(filled, database, capsys, monkeypatch):
    monkeypatch.setenv(DATABASE_VARIABLE, database)
    assert run("summary") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"tiny on shapes (simulated images), {len(filled)} reviews\n")
    assert "Ada, Bo" in text
    assert "random sample" in text
    assert "misclassified only" not in text


def test_one_reader_and_answers_nobody_recorded_give_counts_alone(evaluated, database, capsys):
    elsewhere = Review("Ada", "gone", "heads", "sample-x", "BPD", "BPD", "random", "BPD")
    fill(database, [elsewhere, said(evaluated, 3, "Ada")])
    assert run("summary", "--database", database, "--json") == 0
    rows = rows_of(capsys.readouterr().out)
    assert [(row["model"], row["simulated"], row["table"]) for row in rows if row["model"] == "gone"] == [
        ("gone", None, "counts")
    ]
    assert "agreement" not in {row["table"] for row in rows}


def test_kappa_that_cannot_be_is_null(evaluated, database, capsys):
    fill(database, [said(evaluated, 0, name) for name in ("Ada", "Bo")])
    assert run("summary", "--database", database, "--json") == 0
    rows = [row for row in rows_of(capsys.readouterr().out) if row["table"] == "agreement"]
    assert [(row["kappa"], row["same_answer"]) for row in rows] == [(None, 1.0)] * 3


@pytest.mark.parametrize("command", [("export", "--out", "OUT"), ("summary",), ("summary", "--json")])
def test_an_empty_database_is_a_sentence(evaluated, database, tmp_path, capsys, command):
    out = tmp_path / "out.csv"
    arguments = [out if word == "OUT" else word for word in command]
    assert run(*arguments, "--database", database) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    # A mistyped address does not become an empty database.
    assert "There is no database of reviews" in captured.err
    assert not list(tmp_path.glob("*.sqlite"))
    fill(database, [])
    assert run(*arguments, "--database", database) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "holds no review yet" in captured.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("summary", "--database", "reviews"), "is no URL"),
        (("summary", "--database", "mysql://user:secret@host/x"), "SQLite or PostgreSQL"),
        (("import", "nowhere.csv"), "nowhere.csv"),
        (("import", "BAD"), "Line 3"),
        (("frobnicate",), "frobnicate"),
        ((), "COMMAND"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_nothing_is_imported(
    filled, database, tmp_path, capsys, monkeypatch, command, words
):
    monkeypatch.setenv(DATABASE_VARIABLE, f"sqlite:///{tmp_path}/other.sqlite")
    assert run("export", "--out", tmp_path / "good.csv", "--database", database) == 0
    lines = (tmp_path / "good.csv").read_text().splitlines(keepends=True)
    (tmp_path / "bad.csv").write_text("".join([*lines[:2], lines[2].replace(",random,", ",cinema,"), *lines[3:]]))
    capsys.readouterr()
    assert run(*(tmp_path / "bad.csv" if word == "BAD" else word for word in command)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert "secret" not in captured.err
    store = ReviewStore(f"sqlite:///{tmp_path}/other.sqlite")
    assert store.all() == []
    store.close()


def test_a_damaged_evaluation_is_a_sentence(filled, database, tmp_path, capsys):
    (tmp_path / "models" / "tiny" / "evaluation.csv.gz").write_bytes(gzip.compress(b"image,label\n1,2\n"))
    with pytest.raises(ModelError):
        assessment.read_evaluation("tiny", classes=PLANES)
    assert run("summary", "--database", database) == 2
    assert "python -m core evaluate --model tiny" in capsys.readouterr().err
