"""Reading blind, judging, and what is made of it; the reviews are looked up in the database itself."""

from __future__ import annotations

import pytest

from core.reviews import NONE_OF_THEM, Review, ReviewStore
from core.reviews.exchange import from_csv, to_csv
from core.reviews.queues import queue_of
from core.zoo.assessment import assessments_of, read_evaluation

from ..core.test_reviews import PostgresServer

MODEL = "mobilenet_v2_plane"
PLANES = ["BPD", "CRL", "NT"]


@pytest.fixture(scope="module")
def assessment():
    return assessments_of(read_evaluation(MODEL), PLANES)[0]


@pytest.fixture
def store(reviews_database):
    store = ReviewStore(reviews_database)
    yield store
    store.close()


@pytest.fixture
def begin(open_page):
    """``begin("Ada", queue="random")``: a reader who has entered a name."""

    def sign(reader: str, **query: str):
        app = open_page("reviews", model=MODEL, **query)
        app.text_input(key="reader").input(reader).run()
        assert not app.exception
        return app

    return sign


def button(app, label: str):
    return next(one for one in app.button if one.label == label)


def judge(app, valid: str, **fields) -> None:
    """Fill in the form and send it."""
    widgets = {one.key.split("_")[0]: one for one in [*app.segmented_control, *app.pills] if one.key}
    widgets["valid"].set_value(valid)
    for name, value in fields.items():
        (app.text_area[0] if name == "comment" else widgets[name]).set_value(value)
    button(app, "Save and go on").click()
    app.run()
    assert not app.exception


def written(assessment, place: int, reader: str, queue: str = "random", **fields) -> Review:
    row = queue_of(assessment, queue, seed=0).iloc[place]
    values = {"reading": row["label"]} | fields
    if "valid" in values:
        values.setdefault("right_label", row["label"])
    return Review(reader, MODEL, assessment.layout, row["image_id"], row["label"], row["predicted"], queue, **values)


def test_without_a_name_nothing_is_shown_of_the_images(open_page, texts, store):
    app = open_page("reviews")
    assert not app.exception
    assert not app.error
    assert "Enter your name above to begin" in texts(app)
    assert len(app.get("image")) == 0
    assert "There is no review of this model's answers" in texts(app)
    assert store.all() == []


def test_the_reading_comes_before_label_and_prediction(begin, texts, store, assessment):
    first = queue_of(assessment, "misclassified").iloc[0]
    app = begin("Ada")
    assert len(app.get("image")) == 1
    assert "What do you see?" in texts(app)
    assert "network said" not in texts(app)
    # Neither the page nor its address says what the image shows.
    assert first["image_id"] not in str(app.query_params) + texts(app)
    assert [button(app, name).label for name in (*PLANES, NONE_OF_THEM.capitalize())]
    button(app, "CRL").click().run()
    assert not app.exception
    assert "You read **CRL**" in texts(app)
    assert f"said **{first['predicted']}**" in texts(app)
    # It was kept before the prediction showed.
    assert [(one.reader, one.reading, one.valid) for one in store.all()] == [("Ada", "CRL", None)]
    assert store.all()[0].image_id == first["image_id"]


def test_a_verdict_is_kept_and_found_again_and_a_second_one_is_added(begin, texts, store):
    app = begin("Ada")
    button(app, "NT").click().run()
    judge(app, "no", causes=["too_far", "weak_skull"], comment="skull *hardly* seen")
    assert "Image 2 of" in texts(app)
    assert "What do you see?" in texts(app)
    kept = store.all()
    assert len(kept) == 2
    assert (kept[1].reading, kept[1].valid, kept[1].causes) == ("NT", False, ("too_far", "weak_skull"))
    assert kept[1].comment == "skull *hardly* seen"

    again = begin("Ada")
    assert "You read **NT**" in texts(again)
    shown = {one.key.split("_")[0]: one.value for one in [*again.segmented_control, *again.pills] if one.key}
    assert shown["valid"] == "no"
    assert shown["causes"] == ["too_far", "weak_skull"]
    assert again.text_area[0].value == "skull *hardly* seen"
    judge(again, "yes")
    assert [one.valid for one in store.all()] == [None, False, True]


def test_while_the_database_is_away_what_was_typed_stays_and_the_next_save_works(begin, texts, store, tmp_path):
    app = begin("Ada")
    button(app, "NT").click().run()
    app.text_area[0].set_value("skull hardly seen")
    path, away = tmp_path / "reviews.sqlite", tmp_path / "away.sqlite"
    path.rename(away)
    judge(app, "no", causes=["too_far"])
    sentences = [one.value for one in app.error]
    assert any("cannot be read" in sentence and "What you have typed stays here" in sentence for sentence in sentences)
    assert any("cannot be written" in sentence and "save again" in sentence for sentence in sentences)
    assert app.text_area[0].value == "skull hardly seen"
    assert not path.exists()
    app.run()
    assert app.text_area[0].value == "skull hardly seen"
    away.rename(path)
    button(app, "Save and go on").click().run()
    assert not app.exception
    assert not app.error
    assert "Image 2 of" in texts(app)
    kept = store.all()[-1]
    assert (kept.valid, kept.causes, kept.comment) == (False, ("too_far",), "skull hardly seen")


@pytest.fixture
def postgres(monkeypatch):
    """A server of PostgreSQL, to which the page's reviews go."""
    server = PostgresServer()
    server.start()
    monkeypatch.setenv("PLANELAB_DATABASE", server.url)
    yield server
    server.remove()


def test_while_a_postgresql_server_is_away_nothing_is_lost_and_the_next_save_works(postgres, open_page, begin, texts):
    app = begin("Ada")
    button(app, "NT").click().run()
    app.text_area[0].set_value("skull hardly seen")
    postgres.crash()
    judge(app, "no", causes=["too_far"])
    sentences = [one.value for one in app.error]
    assert any("cannot be read" in sentence and "What you have typed stays here" in sentence for sentence in sentences)
    assert any("cannot be written" in sentence and "save again" in sentence for sentence in sentences)
    assert app.text_area[0].value == "skull hardly seen"
    # Who comes meanwhile gets the sentence in place of the page.
    (sentence,) = [one.value for one in open_page("reviews", model=MODEL).error]
    assert "The database of reviews (postgresql://planelab@/postgres) cannot be" in sentence
    postgres.start()
    button(app, "Save and go on").click().run()
    assert not app.exception
    assert not app.error
    assert "Image 2 of" in texts(app)
    store = ReviewStore(postgres.url)
    kept = [(one.reader, one.reading, one.valid, one.causes, one.comment) for one in store.all()]
    store.close()
    assert kept == [("Ada", "NT", None, (), ""), ("Ada", "NT", False, ("too_far",), "skull hardly seen")]


def test_without_saying_if_the_plane_is_valid_nothing_is_kept(begin, texts, store):
    app = begin("Ada")
    button(app, "NT").click().run()
    button(app, "Save and go on").click().run()
    assert "Say whether the plane is valid" in texts(app)
    assert len(store.all()) == 1


def test_a_wrong_label_is_named(begin, store, assessment):
    app = begin("Ada")
    button(app, "NT").click().run()
    judge(app, "yes", right=NONE_OF_THEM)
    assert store.all()[-1].right_label == NONE_OF_THEM
    assert store.all()[-1].label_is_right is False
    assert store.all()[-1].label == queue_of(assessment, "misclassified").iloc[0]["label"]


def test_steps_through_the_queue_and_the_link_carries_the_place_but_no_name(begin, texts):
    app = begin("Ada Lovelace", queue="random", queue_seed="3")
    assert "Image 1 of 50" in texts(app)
    assert button(app, "Previous").disabled
    button(app, "Next").click().run()
    assert "Image 2 of 50" in texts(app)
    assert {key: app.query_params[key] for key in ("queue", "queue_seed", "position")} == {
        "queue": "random",
        "queue_seed": "3",
        "position": "2",
    }
    assert "Ada" not in str(app.query_params)
    linked = begin("Bo", queue="random", queue_seed="3", position="2")
    assert "Image 2 of 50" in texts(linked)
    assert "Image 50 of 50" in texts(begin("Bo", queue="random", position="1000"))


def test_an_image_judged_among_the_errors_is_met_again_in_the_random_sample(begin, texts, store, assessment):
    """Its reading stays the blind one; the verdict in the sample is what counts it there."""
    sample = queue_of(assessment, "random", seed=0)
    place = next(number for number, row in enumerate(sample.itertuples()) if row.label != row.predicted)
    errors = queue_of(assessment, "misclassified")["image_id"].tolist()
    other = errors.index(sample["image_id"][place])
    store.append(written(assessment, other, "Ada", "misclassified", reading="CRL", valid=False))
    query = {"queue": "random", "position": str(place + 1), "queue_n": str(len(sample))}
    app = begin("Ada", **query)
    assert "You read **CRL**" in texts(app)
    assert "Nobody has judged an image of the random sample yet" in texts(app)
    judge(app, "no")
    assert store.all()[-1].queue == "random"
    assert store.all()[-1].reading == "CRL"
    assert "Nobody has judged an image of the random sample yet" not in texts(app)


def test_figures_of_two_readers(open_page, texts, store, assessment):
    for place in range(12):
        store.append(written(assessment, place, "Ada", valid=place % 4 > 0))
        store.append(written(assessment, place, "Bo", reading="BPD", valid=place % 3 > 0, causes=("too_far",)))
    app = open_page("reviews", model=MODEL)
    assert not app.exception
    values = [frame.value for frame in app.dataframe]
    readers = next(frame for frame in values if "reader right" in frame)
    assert readers["reader"].tolist() == ["Ada", "Bo"]
    assert readers["reader right"].iloc[0].startswith("100.0 %")
    valid = next(frame for frame in values if "not valid" in frame)
    assert valid["not valid"].iloc[0].startswith("25.0 %")
    agreement = next(frame for frame in values if "kappa" in frame)
    assert agreement["answered by both"].tolist() == ["12", "12", "12"]
    assert any("cause" in frame for frame in values)
    assert "could only raise the accuracy" in texts(app)
    assert "Simulated images" in texts(app)


def test_import_takes_a_good_file_and_names_the_lines_of_a_bad_one(open_page, texts, store, assessment):
    good = to_csv([written(assessment, place, "Cy", valid=True) for place in range(3)])
    app = open_page("reviews", model=MODEL)
    bad = good.replace(",yes,", ",*maybe*,", 1)
    app.file_uploader(key="reviews_file").upload("bad.csv", bad.encode(), "text/csv").run()
    button(app, "Import").click().run()
    assert not app.exception
    assert "Line 2" in app.error[0].value
    assert r"\*maybe\*" in app.error[0].value
    assert store.all() == []
    app = open_page("reviews", model=MODEL)
    app.file_uploader(key="reviews_file").upload("good.csv", good.encode(), "text/csv").run()
    button(app, "Import").click().run()
    assert not app.exception
    assert "3 reviews were imported" in "".join(success.value for success in app.success)
    assert store.all() == from_csv(good.encode(), {MODEL: PLANES})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://reader:geheim@127.0.0.1:1/reviews", "cannot be reached"),
        ("nonsense", "is no URL"),
        ("sqlite:////proc/nowhere/reviews.sqlite", "is not there"),
    ],
)
def test_a_database_out_of_reach_gets_a_sentence(open_page, texts, monkeypatch, url, words):
    monkeypatch.setenv("PLANELAB_DATABASE", url)
    app = open_page("reviews")
    assert not app.exception
    assert len(app.error) == 1
    assert words in app.error[0].value
    assert "geheim" not in app.error[0].value
    assert "no medical device" in texts(app)


def test_a_model_whose_images_are_not_here_says_so(open_page, texts, monkeypatch):
    from core import cache

    original = cache.assessments
    monkeypatch.setattr(cache, "assessments", lambda card: original(card)[1:])
    app = open_page("reviews", model=MODEL)
    assert not app.exception
    assert not app.error
    assert "is part of PlaneLab" in texts(app)
    assert "core evaluate" in texts(app)
