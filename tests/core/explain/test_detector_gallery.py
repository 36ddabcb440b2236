"""The gallery of detectors: places by hand, densities of known maps, rows of a detector whose answers are known."""

import numpy as np
import pytest

from core.corruption import CORRUPTIONS
from core.errors import Cancelled
from core.explain.base import Method
from core.explain.detector_gallery import PLACES, density, detector_gallery, places
from core.library import curve_sample
from core.published import DETECTOR_FINDINGS
from core.zoo.detection import ORIGINAL


class Brightness(Method):
    """The image is its map."""

    title = "Brightness"
    family = "oracle"
    explanation = trust = paper = ""

    def explain(self, model, images, targets, progress=lambda share: None):
        progress(1.0)
        return images.copy()


class Nothing(Brightness):
    def explain(self, model, images, targets, progress=lambda share: None):
        return -np.ones_like(images)


class NoiseMeter:
    """Calls an image noisy where neighbours differ much, else original; never anything else."""

    def __init__(self, classifier):
        self.settings = classifier.settings
        self.card = classifier.card
        self.classes = [ORIGINAL, "noise", "blur"]

    def probabilities(self, images):
        rough = np.abs(np.diff(images.astype(np.float32), axis=2)).mean(axis=(1, 2))
        noisy = (rough > 12).astype(float)
        return np.stack([1 - noisy, noisy, np.zeros(len(images))], axis=1)


@pytest.fixture(scope="module")
def sources():
    return curve_sample(["BPD", "NT"], per_plane=2)


def test_places_by_hand():
    """A bright square left of the middle, one dark pixel in gray at the right: what belongs where is known."""
    image = np.full((100, 100), 100, np.uint8)
    image[30:60, 10:40] = 200
    image[50, 80] = 0
    found = places(image)
    assert set(found) == set(PLACES)
    assert found["border"].sum() == 100 * 100 - 80 * 80
    assert found["border"][0].all()
    assert not found["border"][10:90, 10:90].any()
    # The square is 9 % of the pixels: the limit of the tenth is the gray around it, which is all in.
    assert np.array_equal(found["bright"], image >= 100)
    image[30:60, 10:50] = 200
    assert np.array_equal(places(image)["bright"], image == 200)
    assert found["contrast"][50, 80]
    assert found["edges"][45, 10]
    assert not places(image)["edges"][45, 25]


def test_density_is_what_it_says():
    place = np.zeros((10, 10), bool)
    place[:2] = True
    values = np.ones((10, 10))
    assert density(values, place) == pytest.approx(1)
    assert density(place.astype(float), place) == pytest.approx(5)
    assert density((~place).astype(float), place) == 0
    # Evidence against the class does not count.
    assert density(np.where(place, 1.0, -7.0), place) == pytest.approx(5)
    assert density(-values, place) is None
    assert density(values, np.zeros_like(place)) is None


def test_rows_hold_what_was_recognised_with_its_map(classifier, sources):
    shares = []
    model = NoiseMeter(classifier)
    rows = detector_gallery(model, sources, Brightness(), progress=shares.append)
    assert [row.name for row in rows] == model.classes
    original, noise, blur = rows
    assert noise.recognised.n == original.recognised.n == len(sources)
    assert len(noise.images) == noise.recognised.value * len(sources) > 0
    low, high = CORRUPTIONS["noise"].training_range
    for one in noise.images:
        assert low <= one.intensity <= high
        assert one.probability == 1
        assert np.allclose(one.values, one.image / 255)
        expected = density(one.values, places(one.image)["bright"])
        assert expected > 1.5
    assert noise.density["bright"].n == len(noise.images)
    assert noise.density["bright"].value == pytest.approx(
        np.mean([density(one.values, places(one.image)["bright"]) for one in noise.images])
    )
    assert all(one.intensity == 0 for one in original.images)
    assert blur.images == []
    assert blur.recognised.value == 0
    assert all(share.n == 0 for share in blur.density.values())
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_the_same_seed_gives_the_same_images_and_another_does_not(classifier, sources):
    model = NoiseMeter(classifier)
    first, again = (detector_gallery(model, sources, Brightness())[1].images for _ in range(2))
    other = detector_gallery(model, sources, Brightness(), seed=1)[1].images
    assert all(np.array_equal(one.image, two.image) for one, two in zip(first, again, strict=True))
    assert [one.intensity for one in first] != [one.intensity for one in other]


def test_maps_that_say_nothing_for_a_class_are_not_measured(classifier, sources):
    rows = detector_gallery(NoiseMeter(classifier), sources, Nothing())
    assert rows[1].images
    assert rows[1].density["contrast"].n == 0


def test_cancelling_stops(classifier, sources):
    def stop(share):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        detector_gallery(NoiseMeter(classifier), sources, Brightness(), progress=stop)


def test_the_annex_is_quoted_for_each_of_its_classes():
    assert list(DETECTOR_FINDINGS) == [ORIGINAL, "scale_up", "blur", "noise"]
    for finding in DETECTOR_FINDINGS.values():
        assert finding.place in PLACES
        assert finding.source.startswith("002 A.1.")
