"""Reviews in real databases: SQLite files, and a PostgreSQL server that the tests start themselves."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from core.errors import DatabaseError, ParameterError, ReviewError
from core.evaluation import wilson
from core.library import phantom_id
from core.reviews import CAUSES, NONE_OF_THEM, Review, ReviewStore, database_url, first_reading, newest
from core.reviews.agreement import agreement_table, beside_model, cause_table, cohen_kappa, without_invalid
from core.reviews.exchange import from_csv, to_csv
from core.reviews.queues import queue_of, reviewable
from core.zoo.assessment import Assessment

ROOT = Path(__file__).resolve().parents[2]
WRITER = Path(__file__).with_name("reviews_writer.py")
INSTALL = "No PostgreSQL server was found; install Debian's: apt-get install -y postgresql."
PLANES = ["BPD", "CRL", "NT"]
MODELS = {"tiny": PLANES}
START = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


def review(number: int = 1, *, reader: str = "Ada", minutes: int = 0, **fields: object) -> Review:
    """A verdict on one image; ``minutes`` after the start."""
    values = {
        "label": "BPD",
        "predicted": "NT",
        "queue": "random",
        "reading": "BPD",
        "right_label": "BPD",
        "valid": True,
        "made_at": START + timedelta(minutes=minutes),
    } | fields
    return Review(reader, "tiny", "shapes", phantom_id("BPD", "unseen", number), **values)


def postgres_programs() -> Path:
    """The folder of ``initdb`` and ``pg_ctl``; Debian keeps them off the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = [folder for folder in folders if (folder / "initdb").is_file()]
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    if on_path is None:
        if os.environ.get("PLANELAB_REQUIRE_POSTGRESQL"):
            pytest.fail(f"PLANELAB_REQUIRE_POSTGRESQL is set. {INSTALL}")
        pytest.skip(f"not run: {INSTALL}")
    return Path(on_path).resolve().parent


class PostgresServer:
    """A server in a folder of its own, reached through a socket there; where we are root, ``nobody`` runs it."""

    def __init__(self) -> None:
        self.programs = postgres_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="planelab-pg-"))
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "--auth=trust", "--username=planelab", "--encoding=UTF8", "--no-locale", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql://planelab@/postgres?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        done = subprocess.run(command, user=self.user, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        self.run("pg_ctl", "-w", "-l", f"{self.folder}/log", "-o", f"-c listen_addresses='' -k {self.folder}", "start")

    def crash(self) -> None:
        """End every process of it without a checkpoint, as a power cut would."""
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")

    def remove(self) -> None:
        with contextlib.suppress(AssertionError):
            self.crash()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def empty_postgres(postgres) -> Iterator[PostgresServer]:
    """The server, its table dropped after the test."""
    yield postgres
    engine = sqlalchemy.create_engine(postgres.url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE IF EXISTS reviews"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/reviews.sqlite"
    return request.getfixturevalue("empty_postgres").url


def start_writer(url: str, reader: str, count: int) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(WRITER), url, reader, str(count)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


FULL = review(
    7,
    reader="Jörg O'Hara; DROP TABLE reviews",
    right_label=NONE_OF_THEM,
    valid=False,
    causes=("other", "too_far"),
    comment='first, "quoted"\nsecond = ½ 胎儿 %s :name',
    made_at=datetime(2026, 11, 21, 19, 30, 5, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30))),
)


def test_what_is_appended_comes_back_letter_by_letter_after_a_restart(url):
    reading = Review("Ada", "tiny", "shapes", "sample-bpd_000003", "BPD", "BPD", "misclassified", "CRL")
    store = ReviewStore(url)
    for one in (FULL, reading):
        store.append(one)
    store.close()
    reopened = ReviewStore(url)
    assert reopened.all() == [FULL, reading]
    assert reopened.all()[0].made_at.utcoffset() == timedelta(0)
    assert reopened.all()[0].causes == ("too_far", "other")
    reopened.close()


def test_nothing_is_overwritten_and_the_newest_counts(url):
    store = ReviewStore(url)
    changed_mind = [review(valid=True), review(valid=False, minutes=1), review(valid=True, minutes=2)]
    other = review(reader="Bo", valid=False)
    for one in (changed_mind[1], changed_mind[2], other, changed_mind[0]):
        store.append(one)
    assert len(store.all()) == 4
    assert newest(store.all()) == [other, changed_mind[2]]
    store.close()


def test_several_processes_write_at_once_and_none_loses_a_review(url):
    """They also come to an empty database at once, and each makes the table."""
    writers = [start_writer(url, f"reader {number}", 25) for number in range(3)]
    acknowledged = []
    for writer in writers:
        output, complaints = writer.communicate(timeout=120)
        assert writer.returncode == 0, complaints
        acknowledged += output.split()
    store = ReviewStore(url)
    kept = store.all()
    assert sorted(one.review_id for one in kept) == sorted(acknowledged)
    assert {name: sum(one.reader == name for one in kept) for name in {one.reader for one in kept}} == {
        f"reader {number}": 25 for number in range(3)
    }
    store.close()


def test_a_writer_killed_in_the_middle_has_lost_nothing_acknowledged(url):
    writer = start_writer(url, "Ada", 100_000)
    acknowledged = [writer.stdout.readline().strip() for _ in range(40)]
    writer.kill()
    # What it printed between our last line and its death counts, too; the very last line may be cut.
    acknowledged += [line for line in writer.communicate()[0].split("\n") if len(line) == 32]
    assert writer.returncode == -9
    store = ReviewStore(url)
    kept = [one.review_id for one in store.all()]
    assert kept[: len(acknowledged)] == acknowledged
    # At most the one review that was committed and not yet printed.
    assert len(kept) - len(acknowledged) <= 1
    store.append(review())
    assert len(store.all()) == len(kept) + 1
    store.close()
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_postgresql_server_that_crashes_has_lost_nothing_acknowledged(empty_postgres):
    store = ReviewStore(empty_postgres.url)
    written = [review(number) for number in range(20)]
    for one in written:
        store.append(one)
    empty_postgres.crash()
    with pytest.raises(DatabaseError, match="cannot be written"):
        store.append(review(99))
    empty_postgres.start()
    # The same store, with connections that died: it takes new ones.
    assert store.all() == written
    store.close()


def test_a_file_that_is_deleted_under_the_server_takes_no_review_with_it(tmp_path):
    path, away = tmp_path / "reviews.sqlite", tmp_path / "away.sqlite"
    store = ReviewStore(f"sqlite:///{path}")
    store.append(review(1))
    path.rename(away)
    with pytest.raises(DatabaseError, match="cannot be written; check that it runs, is where it was"):
        store.append(review(2))
    with pytest.raises(DatabaseError, match="cannot be read"):
        store.all()
    assert not path.exists()
    away.rename(path)
    store.append(review(3))
    assert [one.image_id for one in store.all()] == [review(1).image_id, review(3).image_id]
    store.close()


def test_a_full_disk_takes_no_review_and_loses_none(tmp_path, little_room):
    path = tmp_path / "reviews.sqlite"
    store = ReviewStore(f"sqlite:///{path}")
    written = [review(number) for number in range(5)]
    for one in written:
        store.append(one)
    with (
        little_room(path.stat().st_size),
        pytest.raises(DatabaseError, match=r"cannot be written; .*has space, and save again"),
    ):
        for number in range(100):
            written.append(review(number, comment="x" * 2000))
            store.append(written[-1])
    assert store.all() == written[:-1]
    store.append(written[-1])
    assert store.all() == written
    store.close()


def test_a_file_that_another_program_holds_is_a_sentence_and_free_again_later(tmp_path, monkeypatch):
    monkeypatch.setattr("core.reviews.store.WAIT_SECONDS", 0.2)
    path = tmp_path / "reviews.sqlite"
    store = ReviewStore(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseError, match="cannot be written"):
        store.append(review(1))
    other.execute("ROLLBACK")
    other.close()
    store.append(review(1))
    assert len(store.all()) == 1
    store.close()


def test_a_mistyped_address_makes_nothing(tmp_path):
    with pytest.raises(DatabaseError, match=r"folder of the database of reviews .* is not there"):
        ReviewStore(f"sqlite:///{tmp_path}/srv/reviews.sqlite")
    with pytest.raises(DatabaseError, match="There is no database of reviews"):
        ReviewStore(f"sqlite:///{tmp_path}/revews.sqlite", create=False)
    assert list(tmp_path.iterdir()) == []


def test_the_address_comes_from_the_environment_or_the_users_data_folder(tmp_path, monkeypatch):
    assert database_url({"PLANELAB_DATABASE": "postgresql://x@y/z"}) == "postgresql://x@y/z"
    monkeypatch.delenv("PLANELAB_DATABASE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "with space"))
    store = ReviewStore(database_url())
    store.append(review())
    store.close()
    assert (tmp_path / "with space" / "planelab" / "reviews.sqlite").is_file()
    assert database_url({}).startswith("sqlite:///")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("reviews", "is no URL"),
        ("mysql://user:geheim@host/x", "not in mysql"),
        ("postgresql://user:geheim@127.0.0.1:1/x?password=geheim", "cannot be reached"),
        ("postgresql+nothing://user:geheim@host/x", "no driver"),
        ("sqlite:////proc/nowhere/reviews.sqlite", "folder"),
    ],
)
def test_an_unusable_address_gets_a_sentence_without_the_password(address, words):
    with pytest.raises(DatabaseError, match=words) as caught:
        ReviewStore(address)
    assert "geheim" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_file_of_something_else_is_refused_and_not_touched(tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear doctor, this is no database. " * 100)
    with pytest.raises(DatabaseError, match="cannot be reached"):
        ReviewStore(f"sqlite:///{letter}")
    assert letter.read_text() == "Dear doctor, this is no database. " * 100
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE reviews (stars INTEGER)")
    with pytest.raises(DatabaseError, match="lacks the column 'causes'"):
        ReviewStore(f"sqlite:///{other}")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reader": "  "}, "reader is missing"),
        ({"reader": "x" * 81}, "81 letters"),
        ({"reader": "two\nlines"}, "control character"),
        ({"comment": "zero\x00"}, "control character"),
        ({"comment": "half \ud83d"}, "half a character"),
        ({"queue": "cinema"}, "queue 'cinema'"),
        ({"causes": ("moon",)}, "cause 'moon'"),
        ({"right_label": ""}, "both or neither"),
        ({"valid": None}, "both or neither"),
        ({"right_label": "", "valid": None, "comment": "why"}, "belong to a verdict"),
        ({"made_at": datetime(2026, 1, 1)}, "time zone"),
        ({"review_id": "../x"}, "hexadecimal"),
        ({"reading": ""}, "reading is missing"),
    ],
)
def test_a_review_that_cannot_be_is_refused(fields, words):
    with pytest.raises(ReviewError, match=words):
        review(**fields)


def test_only_the_first_reading_was_blind():
    seen = [
        review(reading="CRL", minutes=5),
        review(reading="NT", minutes=1),
        review(reading="brain", minutes=0),
        review(reader="Bo", reading="BPD"),
    ]
    image_id = seen[0].image_id
    assert first_reading(seen, "Ada", image_id, PLANES) == "NT"
    assert first_reading(seen, "Ada", image_id, ["brain"]) == "brain"
    assert first_reading(seen, "Cy", image_id, PLANES) is None
    assert first_reading(seen, "Ada", "sample-x", PLANES) is None


# -- queues


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    """Sixty images of thirty patients, twenty of them wrong; three whose image is not part of PlaneLab."""
    generator = np.random.default_rng(5)
    labels = [PLANES[number % 3] for number in range(60)]
    predicted = [PLANES[(number + (number % 3 == 0)) % 3] for number in range(60)]
    probabilities = generator.dirichlet([1, 1, 1], 60)
    top = probabilities.max(axis=1)
    rows = pd.DataFrame(
        {
            "image": [f"{number:02d}.png" for number in range(60)],
            "patient": [f"patient {number // 2}" for number in range(60)],
            "label": labels,
            "predicted": predicted,
            "image_id": [phantom_id(label, "unseen", number) for number, label in enumerate(labels)],
        }
    )
    for name in PLANES:
        rows[f"p_{name}"] = np.where(rows["predicted"] == name, top, (1 - top) / 2)
    rows.loc[[10, 20, 30], "image_id"] = ""
    return Assessment(rows, PLANES, "shapes", True, ())


def test_the_queue_of_errors_holds_every_error_once_most_confident_first(assessment):
    queue = queue_of(assessment, "misclassified")
    rows = assessment.rows
    expected = rows[(rows["label"] != rows["predicted"]) & (rows["image_id"] != "")]
    assert sorted(queue["image_id"]) == sorted(expected["image_id"])
    confidences = [row[f"p_{row['predicted']}"] for row in queue.to_dict("records")]
    assert confidences == sorted(confidences, reverse=True)


def test_the_random_sample_is_seeded_grows_at_its_end_and_ignores_the_files_order(assessment):
    ten, twenty = (queue_of(assessment, "random", seed=3, n=n)["image_id"].tolist() for n in (10, 20))
    assert twenty[:10] == ten
    assert len(set(twenty)) == 20
    assert queue_of(assessment, "random", seed=4, n=10)["image_id"].tolist() != ten
    shuffled = replace(assessment, rows=assessment.rows.sample(frac=1, random_state=1).reset_index(drop=True))
    assert queue_of(shuffled, "random", seed=3, n=10)["image_id"].tolist() == ten
    assert len(queue_of(assessment, "random", n=1000)) == len(reviewable(assessment)) == 57


def test_the_random_sample_takes_right_and_wrong_images_alike(assessment):
    """Over many seeds each image is drawn as often as any other: 10 of 57, within four standard errors."""
    counts = pd.concat([queue_of(assessment, "random", seed=seed, n=10) for seed in range(120)]).groupby("image_id")
    drawn = counts.size()
    expected, error = 120 * 10 / 57, np.sqrt(120 * 10 / 57 * (1 - 10 / 57))
    assert len(drawn) == 57
    assert np.abs(drawn - expected).max() < 4 * error
    wrong = assessment.labelled.set_index("image_id").query("label != predicted").index
    share = drawn[drawn.index.isin(wrong)].sum() / drawn.sum()
    assert share == pytest.approx(len(wrong.drop("")) / 57, abs=0.05)


def test_an_unknown_queue_is_refused(assessment):
    with pytest.raises(ReviewError, match="choose one of misclassified, random"):
        queue_of(assessment, "cinema")


# -- agreement


@pytest.mark.parametrize("n_answers", [2, 3, 5])
def test_kappa_is_scikit_learns(n_answers):
    generator = np.random.default_rng(n_answers)
    for share in (0.0, 0.4, 0.9):
        first = generator.integers(0, n_answers, 80)
        second = np.where(generator.random(80) < share, first, generator.integers(0, n_answers, 80))
        ours = cohen_kappa(first.tolist(), second.tolist())
        assert ours.value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
        assert ours.low < ours.value < ours.high
        assert ours.agreement.value == (first == second).mean()


def test_kappa_of_a_textbook():
    """Cohen's own kind of example: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no give 0.4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second).value == pytest.approx(0.4)


def test_the_interval_of_kappa_covers_the_truth():
    """Readers that copy each other with a chance of 0.6 and guess among two otherwise have a kappa of 0.6."""
    covered = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        first = generator.integers(0, 2, 60)
        second = np.where(generator.random(60) < 0.6, first, generator.integers(0, 2, 60))
        kappa = cohen_kappa(first, second, resamples=400)
        covered += kappa.low <= 0.6 <= kappa.high
    assert 88 <= covered <= 100


def test_the_interval_of_kappa_respects_patients():
    """Five times the same images of a patient are no new evidence."""
    generator = np.random.default_rng(0)
    first = generator.integers(0, 3, 30)
    second = np.where(generator.random(30) < 0.7, first, generator.integers(0, 3, 30))
    once = cohen_kappa(first, second)
    patients = np.repeat(np.arange(30), 5)
    repeated = cohen_kappa(np.repeat(first, 5), np.repeat(second, 5), patients)
    assert repeated.value == pytest.approx(once.value)
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.15)
    blind = cohen_kappa(np.repeat(first, 5), np.repeat(second, 5))
    assert blind.high - blind.low < 0.6 * (once.high - once.low)


def test_full_agreement_has_an_interval_and_one_answer_alone_has_no_kappa():
    both = cohen_kappa(["a", "b"] * 10, ["a", "b"] * 10)
    assert both.value == both.high == 1.0
    assert both.low == pytest.approx((wilson(20, 20).low - 0.5) / 0.5)
    constant = cohen_kappa(["a"] * 9, ["a"] * 9)
    assert np.isnan(constant.value) and constant.agreement.value == 1.0
    nothing = cohen_kappa([], [])
    assert nothing.n == nothing.agreement.n == 0 and np.isnan(nothing.value)
    with pytest.raises(ParameterError, match="pair up"):
        cohen_kappa(["a"], [])


def judged(assessment: Assessment, position: int, reader: str, **fields: object) -> Review:
    row = assessment.rows.iloc[position]
    values = {"label": row["label"], "predicted": row["predicted"], "queue": "random", "reading": row["label"]} | fields
    if "valid" in values:
        values.setdefault("right_label", row["label"])
    return Review(reader, "tiny", "shapes", row["image_id"], **values)


def test_agreement_of_two_readers_counts_what_both_answered(assessment):
    reviews = [judged(assessment, place, "Ada", valid=place % 4 > 0) for place in range(10)]
    reviews += [judged(assessment, place, "Bo", valid=place % 3 > 0) for place in range(2, 9)]
    reviews += [judged(assessment, 0, "Bo")]  # a reading without a verdict
    reviews += [replace(reviews[0], model="tiny", image_id="sample-elsewhere", review_id="0" * 32)]
    table = agreement_table(reviews, "Ada", "Bo", assessment).set_index("question")
    both = range(2, 9)
    expected = cohen_kappa_score([place % 4 > 0 for place in both], [place % 3 > 0 for place in both])
    assert table.loc["Valid for measurement", "kappa"] == pytest.approx(expected)
    assert table["answered by both"].tolist() == [8, 7, 7]
    assert table.loc["Label, read blind", "kappa"] == 1.0
    assert agreement_table(reviews, "Ada", "Cy", assessment)["answered by both"].tolist() == [0, 0, 0]


def test_a_reader_beside_the_model_on_the_same_images(assessment):
    places = [0, 1, 2, 3, 4, 5]
    reviews = [judged(assessment, place, "Ada", reading="BPD") for place in places]
    reviews += [judged(assessment, 6, "Ada", queue="misclassified")]
    # Met again in the other queue: still one of the random sample.
    reviews += [judged(assessment, 0, "Ada", reading="BPD", queue="misclassified", valid=True)]
    table = beside_model(reviews, assessment).set_index("images")
    rows = assessment.rows.iloc[places]
    random = table.loc["random sample"]
    assert random["n"] == 6
    assert random["reader right"].value == (rows["label"] == "BPD").mean()
    assert random["model right"].value == (rows["label"] == rows["predicted"]).mean()
    assert table.loc["misclassified only", "n"] == 1
    assert table.loc["misclassified only", "model right"].value == 0


def test_figures_without_invalid_images_use_the_random_sample_alone(assessment):
    rows = assessment.rows
    places = [place for place in range(30) if rows["image_id"][place]]
    reviews = [judged(assessment, place, "Ada", valid=place % 5 > 0) for place in places]
    before = without_invalid(reviews, assessment).iloc[0]
    kept = [place for place in places if place % 5 > 0]
    right = rows["label"] == rows["predicted"]
    assert before["accuracy"].value == pytest.approx(right[places].mean())
    assert before["accuracy without those not valid"].value == pytest.approx(right[kept].mean())
    assert before["not valid"].value == pytest.approx(1 - len(kept) / len(places))
    # Errors called not valid in the other queue change nothing: that queue holds no right answer.
    errors = [place for place in range(31, 60) if not right[place]]
    more = [judged(assessment, place, "Ada", queue="misclassified", valid=False) for place in errors]
    pd.testing.assert_frame_equal(without_invalid(reviews + more, assessment), before.to_frame().T, check_dtype=False)
    assert without_invalid(more, assessment).empty


def test_causes_are_counted_by_kind_of_error_from_what_counts():
    reviews = [
        review(1, causes=("too_far",)),
        review(1, causes=("weak_skull", "too_far"), minutes=1),
        review(2, causes=("too_far",)),
        review(3, predicted="CRL", causes=("other",)),
    ]
    table = cause_table(reviews)
    assert table.to_numpy().tolist() == [
        ["BPD", "CRL", CAUSES["other"], 1],
        ["BPD", "NT", CAUSES["too_far"], 2],
        ["BPD", "NT", CAUSES["weak_skull"], 1],
    ]
    assert cause_table([]).empty


# -- export and import

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
REVIEWS = st.builds(
    review,
    st.integers(0, 10**6),
    reader=TEXTS.filter(str.strip),
    minutes=st.integers(-(10**6), 10**6),
    comment=st.lists(TEXTS, max_size=3).map("\n".join),
    causes=st.lists(st.sampled_from(list(CAUSES)), unique=True).map(tuple),
    valid=st.booleans(),
    reading=st.sampled_from([*PLANES, NONE_OF_THEM]),
)


@given(st.lists(REVIEWS, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_export_and_import_give_the_same_reviews(reviews):
    assert from_csv(to_csv(reviews).encode(), MODELS) == reviews
    assert from_csv(to_csv(reviews).replace("\r\n", "\n").encode("utf-8-sig"), MODELS) == reviews


def test_import_into_another_database_and_again_changes_nothing(url, tmp_path):
    here = ReviewStore(f"sqlite:///{tmp_path}/here.sqlite")
    reading = Review("Ada", "tiny", "shapes", "sample-bpd_000003", "BPD", "BPD", "misclassified", "CRL")
    for one in (FULL, review(2), reading):
        here.append(one)
    there = ReviewStore(url)
    there.append(review(3))
    copies = from_csv(to_csv(here.all()).encode(), MODELS)
    assert there.extend(copies) == 3
    assert there.extend(copies) == 0
    assert there.all()[1:] == here.all()
    with pytest.raises(ReviewError, match="never changed"):
        there.extend([review(5), replace(copies[0], comment="forged")])
    assert len(there.all()) == 4
    here.close()
    there.close()


GOOD = to_csv([review(1), review(2, comment="over\ntwo lines"), review(3)])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",yes,", ",maybe,", r"Line 2: .*'maybe'"),
        ("BPD-unseen-3", "KNEE", r"Line 5: .*no sample or phantom"),
        ("BPD-unseen-2", "../../etc", r"Line 3: .*no sample or phantom"),
        ("tiny,shapes,phantom-BPD-unseen-3", "huge,shapes,phantom-BPD-unseen-3", r"Line 5: .*'huge' is not installed"),
        (",NT,random,BPD,BPD,", ",NT,random,KNEE,BPD,", r"Line 2: .*reading 'KNEE'"),
        (",NT,random,BPD,BPD,", ",NT,cinema,BPD,BPD,", r"Line 2: .*queue 'cinema'"),
        ("2026-11-21T18", "yesterday", r"Line 2: The time 'yesterday"),
        ("+00:00", "", r"Line 2: .*time zone"),
        ("Ada,", ",", r"Line 2: .*reader is missing"),
        ("Ada,", "", r"Line 2: It has 13 cells"),
        ("reader,", "", r"lacks the column 'reader'"),
        ("reader,model", "model,reader", r"another order"),
        ('"over', '"over" x', r"no CSV"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_imported(old, new, words):
    assert old in GOOD
    with pytest.raises(ReviewError, match=words):
        from_csv(GOOD.replace(old, new, 1).encode(), MODELS)


def test_every_wrong_line_is_named():
    with pytest.raises(ReviewError) as caught:
        from_csv(GOOD.replace(",yes,", ",maybe,").encode(), MODELS)
    assert [f"Line {line}:" in str(caught.value) for line in (2, 3, 4, 5)] == [True, True, False, True]
    many = to_csv([review(number) for number in range(30)]).replace(",yes,", ",maybe,")
    with pytest.raises(ReviewError, match="and 20 more lines"):
        from_csv(many.encode(), MODELS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lacks the column"),
        (b"\xff\xfe\x00", "UTF-8"),
        (GOOD.splitlines()[0].encode(), "holds no review"),
        ((GOOD + GOOD.split("\r\n", 1)[1]).encode(), "repeats the review_id of line 2"),
        (b"a" * (20 * 2**20 + 1), "larger than 20 MB"),
        (b"\x89PNG\r\n\x1a\n", "UTF-8"),
    ],
    ids=["empty", "UTF-16", "header alone", "twice", "huge", "a picture"],
)
def test_a_file_that_is_no_table_of_reviews_is_refused(content, words):
    with pytest.raises(ReviewError, match=words):
        from_csv(content, MODELS)
