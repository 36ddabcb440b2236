"""Relevance near an annotated ellipse, where the answer can be worked out."""

import numpy as np
import pytest

from core.biometry.ellipse import Ellipse
from core.explain.contour import CONTOUR_MEASURES, contour_shares, edges, ring_around

SIDE = 200
CIRCLE = Ellipse(99.5, 99.5, 60.0, 60.0, 0.0)


@pytest.fixture
def bright():
    return np.full((SIDE, SIDE), 0.5, np.float32)


def test_a_ring_around_a_circle_has_its_area(bright):
    """3 mm at 0.5 mm a pixel are 6 pixels on either side: pi (66^2 - 54^2)."""
    ring = ring_around(CIRCLE, bright, 0.5)
    assert ring.near.sum() == pytest.approx(np.pi * (66**2 - 54**2), rel=0.01)
    assert ring.in_view.all()
    assert ring.near[99, 99 + 60]
    assert not ring.near[99, 99 + 50]
    assert not ring.near[99, 99]


def test_an_even_map_has_an_enrichment_of_one_and_its_areas_share(bright):
    ring = ring_around(CIRCLE, bright, 0.5)
    shares = contour_shares(np.full((SIDE, SIDE), 3.0), ring)
    assert set(shares) == set(CONTOUR_MEASURES)
    assert shares["relevance"] == shares["area"] == pytest.approx(np.pi * (66**2 - 54**2) / SIDE**2, rel=0.01)
    assert shares["enrichment"] == shares["enrichment_in_view"] == pytest.approx(1)


def test_a_map_of_the_ring_alone_has_all_its_relevance_there_and_sign_does_not_matter(bright):
    ring = ring_around(CIRCLE, bright, 0.5)
    values = np.where(np.arange(SIDE)[:, None] % 2, 1.0, -1.0) * ring.near
    shares = contour_shares(values, ring)
    assert shares["relevance"] == pytest.approx(1)
    assert shares["enrichment"] == pytest.approx(1 / shares["area"])


def test_black_padding_lifts_enrichment_but_not_that_in_view():
    """A map that only avoids the padding knows nothing of the head: in view it has 1."""
    image = np.zeros((SIDE, SIDE), np.float32)
    image[30:170] = 0.5
    ring = ring_around(CIRCLE, image, 0.5)
    assert np.array_equal(ring.in_view, image > 0)
    shares = contour_shares((image > 0).astype(float), ring)
    assert shares["enrichment"] == pytest.approx(SIDE / 140)
    assert shares["enrichment_in_view"] == pytest.approx(1)


def test_dark_places_inside_the_sector_are_in_view():
    image = np.zeros((SIDE, SIDE), np.float32)
    image[30:170, 40:160] = 0.5
    image[80:120, 80:120] = 0
    assert ring_around(CIRCLE, image, 0.5).in_view[100, 100]


def test_an_empty_map_and_a_black_image_have_no_answer(bright):
    assert np.isnan(contour_shares(np.zeros((SIDE, SIDE)), ring_around(CIRCLE, bright, 0.5))["enrichment"])
    dark = contour_shares(np.ones((SIDE, SIDE)), ring_around(CIRCLE, np.zeros((SIDE, SIDE)), 0.5))
    assert np.isnan(dark["enrichment_in_view"])
    assert dark["enrichment"] == pytest.approx(1)


def test_edges_lie_on_the_outline_of_what_is_bright():
    image = CIRCLE.coverage((SIDE, SIDE))
    strength = edges(image)
    assert strength.shape == (SIDE, SIDE)
    assert strength[99, 99] == 0
    assert contour_shares(strength, ring_around(CIRCLE, image, 1.5))["relevance"] == pytest.approx(1)
