"""Copies: exact and near, by order alone, and as many as an archive holds."""

import time

import cv2
import numpy as np
import pytest

from core.images import encode_png, read_image
from core.library import open_phantom, phantom_id
from core.preprocessing import PreprocessingSettings, clean
from core.screening.duplicates import near, same
from core.screening.measuring import perceptual_hash


def flipped(text: str, *bits: int) -> str:
    values = np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))
    values[list(bits)] ^= 1
    return np.packbits(values).tobytes().hex()


@pytest.fixture
def random_hashes():
    def make(n):
        return [np.random.default_rng(seed).bytes(32).hex() for seed in range(n)]

    return make


def test_the_first_of_equal_digests_is_the_original():
    assert same(["a", "b", "a", "c", "a", "b"]).tolist() == [-1, -1, 0, -1, 0, 1]
    assert same([]).tolist() == []


def test_the_nearest_kept_frame_is_found_with_its_distance(random_hashes):
    one, other = random_hashes(2)
    hashes = [one, other, flipped(one, 3, 200), flipped(other, *range(30))]
    found = near(hashes, told=41, dropped=21)
    assert found.of.tolist() == [-1, -1, 0, 1]
    assert found.distance.tolist() == [0, 0, 2, 30]
    assert near(hashes, told=30, dropped=21).of.tolist() == [-1, -1, 0, -1]
    assert near(hashes, told=0, dropped=-1).of.tolist() == [-1] * 4
    assert near([], told=41, dropped=21).of.tolist() == []


def test_a_dropped_frame_is_no_original_and_a_told_one_is(random_hashes):
    (one,) = random_hashes(1)
    chain = [one, flipped(one, *range(15)), flipped(one, *range(30))]
    assert near(chain, told=21, dropped=21).of.tolist() == [-1, 0, -1]
    assert near(chain, told=21, dropped=10).of.tolist() == [-1, 0, 1]


def test_blocks_change_nothing(random_hashes, monkeypatch):
    hashes = random_hashes(40)
    hashes += [flipped(text, *range(number)) for number, text in enumerate(hashes)]
    whole = near(hashes, told=35, dropped=20)
    monkeypatch.setattr("core.screening.duplicates.BLOCK", 7)
    parts = near(hashes, told=35, dropped=20)
    assert (whole.of == parts.of).all()
    assert (whole.distance == parts.distance).all()
    assert (whole.of[40:75] == range(35)).all()
    assert (whole.of[75:] == -1).all()


def test_copies_of_a_frame_are_near_and_other_frames_are_not():
    settings = PreprocessingSettings()

    def hash_of(pixels):
        return perceptual_hash(clean(pixels, settings).gray)

    frame = open_phantom(phantom_id("BPD", "unseen", 1)).frame.pixels
    others = [open_phantom(phantom_id(plane, "unseen", 2)).frame.pixels for plane in ("BPD", "CRL")]
    jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    half = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    brighter = np.clip(frame * 1.2, 0, 255).astype(np.uint8)
    copies = [read_image(jpeg).pixels, half, brighter, read_image(encode_png(frame)).pixels]
    found = near([hash_of(one) for one in (frame, *others, *copies)], told=41, dropped=21)
    assert found.of.tolist() == [-1, -1, -1, 0, 0, 0, 0]
    assert (found.distance[3:] < 21).all()


def test_ten_thousand_frames_take_seconds(random_hashes):
    hashes = random_hashes(2000)
    began = time.process_time()
    found = near(hashes, told=41, dropped=21)
    # Grows with the square: twenty-five times this for ten thousand.
    assert time.process_time() - began < 3
    assert (found.of == -1).all()
