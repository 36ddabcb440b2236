"""Studies of faithfulness: what is run, kept and gone on with, and what their figures say."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import explanations
from core.datasets import Table, load, phantoms, read_pixels
from core.errors import Cancelled, DatasetError, ParameterError
from core.evaluation import bootstrap_by_patient, wilson
from core.explain import METHODS
from core.explain.agreement import rank_correlation, top_overlap
from core.explain.base import check_methods, methods_for
from core.explain.faithfulness import (
    BASELINES,
    CURVES,
    FaithfulnessSettings,
    FaithfulnessStudy,
    Scoring,
    randomised,
    read_study,
    refer,
    run_study,
    score_map,
    untrained,
)
from core.explain.faithfulness.study import FILES, GAINS, NUMBERS, TABLES, MethodResult, summarise
from core.explain.faithfulness.tables import (
    agreement_table,
    finding_table,
    measure_table,
    scoreboard_table,
    structure_table,
)
from core.explain.localisation import HEAD_LABELS, Structures
from core.explain.sample import Sample, spread
from core.zoo.prediction import to_unit
from core.zoo.registry import model_of, network_of

QUICK = Scoring(steps=4, grid=4, regions=4, subsets=8)


pytestmark = pytest.mark.usefixtures("oracles")


@pytest.fixture(scope="module")
def table(shape_folder):
    return spread(load(shape_folder), 5)


def small(*methods, **options):
    return FaithfulnessSettings(methods, scoring=QUICK, costly_limit=3, **options)


def test_a_study_holds_what_its_definition_says(classifier, table, tmp_path):
    """The score, the agreement and the curve of one method, computed anew image by image."""
    study = run_study(classifier, table, small("bright", "dim", "empty"), tmp_path, name="shapes")
    assert {name: study.score(name, "stability").n for name in ("bright", "dim")} == {"bright": 5, "dim": 3}
    assert {name: study.score(name, "deletion").n for name in ("bright", "dim")} == {"bright": 5, "dim": 5}
    assert set(study.scores["method"]) == {*BASELINES, "bright", "dim", "empty"}
    images = to_unit(np.stack([classifier.prepare(read_pixels(path)) for path in table.frame["path"]]))
    targets = classifier.probabilities(images).argmax(axis=1)
    found = []
    for number, (image, target) in enumerate(zip(images, targets, strict=True)):
        found.append(score_map(classifier, refer(classifier, image, number, int(target), QUICK), image, QUICK))
    for measure in ("deletion", "aopc_gap", "mu_fidelity", "sparseness"):
        values = np.array([one.measures[measure] for one in found])
        expected = bootstrap_by_patient(values, table.frame["patient"])
        assert study.score("bright", measure).value == pytest.approx(expected.value, abs=1e-6)
        assert study.score("bright", measure).low == pytest.approx(expected.low, abs=1e-6)
    curve = study.curves[(study.curves["method"] == "bright") & (study.curves["curve"] == "lerf")]
    assert curve["value"].to_numpy() == pytest.approx(np.mean([one.curves["lerf"] for one in found], axis=0))
    assert study.score("bright", "stability").value > 0.5
    assert study.score("bright", "randomisation").value == pytest.approx(1)
    pair = study.agreement[(study.agreement["first"] == "bright") & (study.agreement["second"] == "dim")]
    assert pair["value"].tolist() == pytest.approx([-1, 0])
    assert pair["n"].tolist() == [5, 5]
    assert study.score("empty", "mu_fidelity").n == 0
    assert np.isnan(study.matrix("rank_correlation").loc["empty", "bright"])
    assert study.about["signed"] == ["dim"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(classifier, table, tmp_path):
    written = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        scoring = Scoring(steps=4, grid=4, regions=4, subsets=8, seed=seed)
        settings = FaithfulnessSettings(("bright", "dim"), scoring=scoring, costly_limit=3)
        study = run_study(classifier, table, settings, tmp_path / name)
        written.append(study.scores[study.scores["measure"] != "seconds"].to_csv())
    assert written[0] == written[1] != written[2]


def test_a_stopped_run_goes_on_where_it_was_and_ends_the_same(classifier, table, tmp_path, oracles):
    whole = run_study(classifier, table, small("bright", "dim"), tmp_path / "whole")

    def stop(share):
        if (tmp_path / "out" / "work" / "bright.npz").is_file():
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run_study(classifier, table, small("bright", "dim"), tmp_path / "out", progress=stop)
    oracles["bright"].calls = 0
    again = run_study(classifier, table, small("bright", "dim"), tmp_path / "out")
    assert oracles["bright"].calls == 0
    for name in ("curves", "agreement"):
        pd.testing.assert_frame_equal(getattr(whole, name), getattr(again, name))
    with pytest.raises(ParameterError, match="other"):
        run_study(classifier, table, FaithfulnessSettings(("bright",), scoring=Scoring()), tmp_path / "out")


def test_progress_rises_to_one(classifier, table, tmp_path):
    shares = []
    run_study(classifier, table, small("bright", "dim"), tmp_path, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_a_random_copy_has_other_weights_and_leaves_the_original_alone(classifier):
    images = np.random.default_rng(0).random((3, 48, 48)).astype(np.float32)
    before = [np.array(weight) for weight in classifier.network.model.weights]
    first, again, other = (randomised(classifier, seed) for seed in (0, 0, 1))
    answers = [one.network.forward(images)[0] for one in (classifier, first, again, other)]
    assert np.array_equal(answers[1], answers[2])
    assert not np.allclose(answers[0], answers[1])
    assert not np.allclose(answers[1], answers[3])
    assert np.isfinite(answers[1]).all()
    for weight, was, new in zip(classifier.network.model.weights, before, first.network.model.weights, strict=True):
        assert np.array_equal(np.array(weight), was)
        if len(was.shape) > 1:
            assert abs(np.corrcoef(np.array(new).ravel(), was.ravel())[0, 1]) < 0.3


@pytest.fixture
def taught(classifier):
    """A network taught by hand: gray pixels speak for the first class, bright ones for the second, pixel by pixel."""
    card = replace(
        classifier.card, classes=["gray", "bright"], architecture={"filters": [4], "kernel": 1}, temperature=1.0
    )
    network = network_of(card)
    starts = np.array([0.2, 0.4, 0.6, 0.8])
    rising = np.zeros((1, 1, 3, 4))
    rising[0, 0] = 1 / 3
    # A tent from 0.2 over 0.4 to 0.6, and a ramp from 0.6 to 0.8.
    weights = np.array([[80, 0], [-160, 0], [80, 20], [0, -20]])
    for weight, values in zip(network.weights, (rising, -starts, weights, np.zeros(2)), strict=True):
        weight.assign(values)
    return model_of(card, network, classifier.typicality)


def test_maps_of_a_network_that_learned_nothing_score_lower(taught, oracles):
    """Every method that fits: its maps of random weights name what the taught network needs less well."""
    generator = np.random.default_rng(0)
    levels = np.concatenate([np.full(9, 0.3), np.full(9, 0.75), np.full(18, 0.05)])
    cells = np.stack([generator.permutation(levels).reshape(6, 6) for _ in range(6)])
    images = np.kron(cells, np.ones((8, 8))) + generator.uniform(0, 0.05, (6, 48, 48))
    images, targets = images.astype(np.float32), np.zeros(6, int)
    scoring = Scoring(grid=6, regions=3, subsets=60)
    references = [refer(taught, image, number, 0, scoring) for number, image in enumerate(images)]
    random = randomised(taught)
    lowered = {}
    for name in methods_for(taught.card):
        if name in oracles:
            continue
        means = []
        for explained in (taught, random):
            maps = METHODS[name].explain(explained, images, targets)
            scores = [score_map(taught, one, values, scoring) for one, values in zip(references, maps, strict=True)]
            means.append(np.mean([one.measures["aopc_gap"] for one in scores]))
        lowered[name] = bool(means[0] > means[1] + 0.05)
    # These leave out what speaks against a class, without which a tent is a ramp: they cannot see what this network
    # was taught, whatever its weights.
    blind = {"guided_backpropagation", "grad_cam_plus_plus", "score_cam", "deconvnet", "lrp_z_plus"}
    assert lowered == {name: name not in blind for name in lowered}


def test_frames_that_models_are_trained_on_are_left_out_or_refused(classifier, tmp_path):
    card = replace(classifier.card, training={"simulated": True}, command="python -m core train --data out/train")
    names = ["000_HC.png", "001_HC.png", "005_2HC.png", "a.png"]
    frame = pd.DataFrame({"path": names, "label": "BPD", "patient": names, "split": ""})
    kept = untrained(card, Table(frame, "hc18", simulated=False))
    assert kept.frame["path"].tolist() == ["000_HC.png", "005_2HC.png", "a.png"]
    assert "1 frames of HC18" in str(kept.problems[-1])
    assert len(untrained(card, phantoms(["BPD"], 2, settings="unseen"))) == 2
    with pytest.raises(DatasetError, match="2 phantoms"):
        untrained(card, phantoms(["BPD"], 2, settings="train"))
    assert len(untrained(replace(card, training={"simulated": False}), phantoms(["BPD"], 2, settings="train"))) == 2
    with pytest.raises(DatasetError, match="was trained on"):
        untrained(card, phantoms(["BPD"], 2, settings="unseen"), "out/train/")


@pytest.mark.parametrize(
    "bad", [{"methods": ()}, {"methods": ("tea",)}, {"limit": 1}, {"costly_limit": 1}, {"methods": ("cam", "tarot")}]
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ParameterError):
        FaithfulnessSettings(**({"methods": ("cam",)} | bad))


def test_methods_that_do_not_fit_the_model_are_refused(classifier):
    with pytest.raises(ParameterError, match="Grad-CAM"):
        check_methods(replace(classifier.card, architecture={"dense": 16}), ("cam",))


N = 12


def by_hand(n=N):
    """A study of heads by hand: *bright* beats chance by 0.3 and looks at the skull, *dim* does neither."""
    labels = np.full((20, 20), HEAD_LABELS["outside the head"], np.uint8)
    labels[:, :10], labels[:, :2] = HEAD_LABELS["inside the head"], HEAD_LABELS["skull"]
    rows = pd.DataFrame({"path": [f"{one}.png" for one in range(n)], "patient": [str(one // 2) for one in range(n)]})
    sample = Sample(rows, ["BPD"] * (n - 1) + ["NT"], [None] * n, np.zeros((n, 20, 20), np.uint8), np.zeros(n, int))
    generator = np.random.default_rng(0)
    chance = generator.normal(0, 0.05, n)

    def result(gap, drop, maps=None):
        measures = {"aopc_gap": gap, "deletion": 0.5 - gap, "average_increase": np.ones(n), "average_drop": drop}
        if maps is not None:
            measures |= {"stability": gap, "sparseness": gap, "seconds": 1 - gap, "randomisation": 1 - gap}
        curves = {curve: np.tile(np.linspace(1, 0, len(QUICK.shares(curve))), (n, 1)) for curve in CURVES}
        return MethodResult(measures, curves, maps)

    on_skull, elsewhere = generator.random((2, n, 20, 20)).astype(np.float32)
    on_skull[:, :, :2] += 2
    elsewhere[:, :, 12:] += 2
    results = {
        "random_regions": result(chance, np.full(n, 0.6)),
        "random_pixels": result(chance[::-1], np.full(n, 0.6)),
        "bright": result(chance + 0.3 + generator.normal(0, 0.01, n), np.full(n, 0.2), on_skull),
        "dim": result(chance[::-1] - 0.0, np.full(n, 0.9), elsewhere),
    }
    about = {
        "model": "tiny", "data": "heads", "simulated": False, "n": n,
        "n_with_structures": n, "methods": ["bright", "dim"], "signed": ["dim"], "command": "python -m core",
        "scoring": QUICK.__dict__, "problems": [],
    }  # fmt: skip
    return summarise(["BPD", "NT"], sample, [Structures(labels, HEAD_LABELS)] * n, results, about), results


def test_gains_are_paired_and_positive_where_better():
    study, results = by_hand()
    gain = study.gain("bright", "aopc_gap")
    difference = results["bright"].measures["aopc_gap"] - results["random_regions"].measures["aopc_gap"]
    assert gain.value == pytest.approx(difference.mean())
    assert gain.low > 0.28
    assert study.gain("bright", "deletion").value == pytest.approx(difference.mean())
    assert study.gain("dim", "average_drop").value == pytest.approx(-0.3)
    assert study.gain("random_regions", "deletion").n == 0
    assert study.gain("bright", "stability").n == 0
    assert (study.verdict("bright"), study.verdict("dim")) == ("better", "unclear")
    assert study.score("bright", "average_increase").low == pytest.approx(wilson(6, 6).low)


def test_localisation_counts_recognised_images_alone():
    study, _ = by_hand()
    skull = study.place("bright", "BPD", "skull", "relevance")
    assert (skull.value, skull.n) == (1, N - 1)
    assert study.place("bright", "BPD", "skull", "enrichment").value == pytest.approx(10)
    assert study.place("bright", "BPD", "skull contour", "enrichment").value == pytest.approx(10)
    assert study.place("dim", "BPD", "skull", "relevance").value == 0
    assert study.place("bright", "NT", "skull", "relevance").n == 0
    assert study.place("bright", "BPD", "skull", "pointing").low == pytest.approx(wilson(6, 6).low)


def test_agreement_is_the_mean_over_images():
    study, results = by_hand()
    pairs = list(zip(results["bright"].maps, results["dim"].maps, strict=True))
    matrix = study.matrix("rank_correlation")
    assert matrix.loc["bright", "dim"] == pytest.approx(np.mean([rank_correlation(*pair) for pair in pairs]))
    assert matrix.loc["dim", "bright"] == matrix.loc["bright", "dim"]
    assert matrix.loc["bright", "bright"] == 1
    overlap = study.matrix("top_overlap").loc["bright", "dim"]
    assert overlap == pytest.approx(np.mean([top_overlap(*pair) for pair in pairs]))


def test_sentences_say_what_the_figures_say():
    study, _ = by_hand()
    text = " ".join(study.conclusions())
    gap = study.score("bright", "aopc_gap")
    figure = f"{gap.value:.3g} ({gap.low:.3g} to {gap.high:.3g}), n = 12"
    assert f"Better than an order by chance at naming what the network needs: Bright ({figure})" in text
    assert "Not told apart from an order by chance: Dim" in text
    assert "Most stable: Bright" in text
    assert "Fastest: Bright" in text
    assert "made random" in text
    assert "BPD and the skull contour (000, lines 3586 to 3594), enrichment: more than its area's share" in text
    assert "Bright 10 (10 to 10), n = 11; less with Dim 0 (0 to 0), n = 11" in text
    assert "NT and" not in text
    assert ".0)" not in text
    assert "n = 12.0" not in text


def test_few_images_settle_nothing():
    few, _ = by_hand(8)
    assert few.gain("bright", "aopc_gap").low > 0
    assert few.verdict("bright") == "unclear"
    text = " ".join(few.conclusions())
    assert "Better than" not in text
    assert "2 of 2 methods give no clear answer" in text


def test_tables_hold_the_figures():
    study, _ = by_hand()
    board = scoreboard_table(study)
    assert board["method"].tolist() == ["Bright", "Dim", "Random regions", "Random pixels"]
    assert board["values"].tolist() == ["unsigned", "signed", "", ""]
    assert board["order"].tolist() == ["better than chance", "not told from chance", "chance", "chance"]
    measures = measure_table(study).set_index("measure")
    assert measures.loc["Average drop", "Bright"] == "0.2 (0.2 to 0.2), n = 12"
    assert measures.loc["MuFidelity", "Bright"] == "no answer"
    findings = finding_table(study)
    assert findings["method"].tolist() == ["Bright", "Dim"]
    assert findings["its share of the area"].tolist() == ["0.1", "0.1"]
    structures = structure_table(study, "BPD").set_index("structure")
    assert structures.loc["skull", "Bright"] == "10.00"
    assert structure_table(study, "CRL").empty
    assert agreement_table(study, "rank_correlation").loc[0, "Bright"] == "1.00"


def test_a_study_is_read_as_it_was_written_and_printed(tmp_path, monkeypatch):
    study, _ = by_hand()
    folder = tmp_path / "tiny" / "faithfulness" / "heads"
    study.write(folder)
    assert FILES.folders("tiny", tmp_path) == [folder]
    again = read_study(folder)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(study, name), rtol=1e-4, check_dtype=False)
    assert json.loads((folder / "faithfulness.json").read_text())["conclusions"] == study.conclusions()
    assert set(NUMBERS + GAINS) <= set(pd.read_csv(folder / "faithfulness.csv"))
    monkeypatch.setattr(explanations, "read_card", lambda name: type("C", (), {"training": {"simulated": True}}))
    page = "\n\n".join(explanations.chapter(again))
    assert "## tiny on heads (real images)" in page
    assert "### What a phantom-trained network looks at (real images)" in page
    assert "| Bright | unsigned |" in page
    for sentence in again.conclusions():
        assert sentence in page


SPOILED = {
    "no table": lambda folder: (folder / "agreement.csv").unlink(),
    "an empty file": lambda folder: (folder / "curves.csv").write_text(""),
    "no JSON": lambda folder: (folder / "faithfulness.json").write_text("{"),
    "a list": lambda folder: (folder / "faithfulness.json").write_text("[]"),
    "no settings": lambda folder: (folder / "faithfulness.json").write_text('{"model": "x"}'),
    "a column missing": lambda folder: (folder / "faithfulness.csv").write_text("method,measure\ncam,deletion\n"),
    "a method missing": lambda folder: _change(folder, "methods", ["bright"]),
}


def _change(folder, key, value):
    about = json.loads((folder / "faithfulness.json").read_text())
    (folder / "faithfulness.json").write_text(json.dumps(about | {key: value}))


@pytest.mark.parametrize("how", SPOILED)
def test_a_damaged_study_gets_its_sentence(tmp_path, how):
    folder = tmp_path / "hands"
    by_hand()[0].write(folder)
    assert isinstance(read_study(folder), FaithfulnessStudy)
    SPOILED[how](folder)
    with pytest.raises(DatasetError, match=r"hands.*python -m core faithfulness"):
        read_study(folder)
