"""The engine against a plain loop; bounded memory, seeded fills, cancelling."""

import threading

import numpy as np
import pytest

from core.errors import Cancelled, ParameterError
from core.explain.perturbation import BATCH, BATCHES_AHEAD, FILLS, filling, masked_scores

SIZE = 24


class Reader:
    """A model of three classes that reads the means of three strips, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def scores(self, images):
        self.asked.append(len(images))
        strips = np.stack([images[:, 8 * index : 8 * index + 8].mean(axis=(1, 2)) for index in range(3)], axis=1)
        return strips.astype(np.float64)


@pytest.fixture
def image():
    return np.random.default_rng(3).random((SIZE, SIZE)).astype(np.float32)


def random_masks(number, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.random((SIZE, SIZE)).astype(np.float32) for _ in range(number)]


@pytest.mark.parametrize("fill", [*FILLS, "own"])
@pytest.mark.parametrize("number", [1, BATCH, 2 * BATCH + 3])
def test_probabilities_are_those_of_a_plain_loop(image, fill, number):
    masks = random_masks(number)
    fill = np.flip(image).copy() if fill == "own" else fill
    hidden = filling(image, fill, 5) if isinstance(fill, str) else fill
    expected = [Reader().scores((mask * image + (1 - mask) * hidden)[None])[0] for mask in masks]
    model = Reader()
    found = list(masked_scores(model, image, iter(masks), number, fill=fill, seed=5))
    assert np.array_equal(np.concatenate([batch for batch, _ in found]), masks)
    assert np.allclose(np.concatenate([probabilities for _, probabilities in found]), expected, atol=1e-6)
    # Whole batches, then the rest: no other shape reaches the network.
    assert model.asked == [BATCH] * (number // BATCH) + [number % BATCH] * (number % BATCH > 0)


def test_masks_that_hide_nothing_or_everything_show_the_image_or_the_fill(image):
    masks = [np.ones((SIZE, SIZE), bool), np.zeros((SIZE, SIZE), bool)]
    ((_, found),) = masked_scores(Reader(), image, masks, 2, fill="mean")
    assert np.allclose(found[0], Reader().scores(image[None])[0], atol=1e-6)
    assert found[1] == pytest.approx(image.mean(), abs=1e-6)


def test_masks_are_made_when_they_are_needed_and_not_before(image):
    """However many will come, only a few batches of them exist at a time."""
    made = []

    def endless():
        while True:
            made.append(threading.get_ident())
            yield np.ones((SIZE, SIZE), np.float32)

    answers = masked_scores(Reader(), image, endless(), 10**9)
    for taken in range(1, 6):
        next(answers)
        assert len(made) <= (taken + BATCHES_AHEAD) * BATCH
    answers.close()
    before = len(made)
    assert before <= (5 + BATCHES_AHEAD) * BATCH
    # Another thread than the one that asks the network makes them, one at a time.
    assert len(set(made)) == 1
    assert made[0] != threading.get_ident()


def test_progress_rises_to_one_and_may_stop_the_work(image):
    shares = []
    list(masked_scores(Reader(), image, random_masks(20), 20, progress=shares.append))
    assert shares == pytest.approx([8 / 20, 16 / 20, 1])

    def stop(share):
        raise Cancelled("stopped")

    model = Reader()
    with pytest.raises(Cancelled):
        list(masked_scores(model, image, random_masks(100), 100, progress=stop))
    assert model.asked == [BATCH]


def test_what_a_mask_raises_reaches_the_caller(image):
    def broken():
        yield np.ones((SIZE, SIZE), np.float32)
        raise ParameterError("no more masks")

    with pytest.raises(ParameterError, match="no more masks"):
        list(masked_scores(Reader(), image, broken(), 2))


def test_noise_is_seeded_and_as_bright_and_rough_as_the_image(image):
    image = 0.3 + 0.2 * image
    noise = filling(image, "noise", 1)
    assert np.array_equal(noise, filling(image, "noise", 1))
    assert not np.array_equal(noise, filling(image, "noise", 2))
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(image.mean(), abs=4 * float(image.std()) / SIZE)
    assert noise.std() == pytest.approx(image.std(), rel=0.15)
    bright = filling(np.where(image > 0.4, 1, 0).astype(np.float32), "noise", 1)
    assert bright.min() >= 0
    assert bright.max() <= 1


def test_blur_and_mean_keep_the_mean_and_lose_the_detail(image):
    assert np.ptp(filling(image, "mean")) == 0
    blurred = filling(image, "blur")
    assert blurred.mean() == pytest.approx(image.mean(), abs=0.02)
    assert 0 < blurred.std() < image.std() / 2


def test_an_unknown_fill_is_refused_by_name(image):
    with pytest.raises(ParameterError, match="black, mean, blur, noise"):
        list(masked_scores(Reader(), image, random_masks(1), 1, fill="pink"))
