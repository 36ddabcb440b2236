"""Pictures on disk that are all different."""

import cv2
import numpy as np
import pytest


@pytest.fixture
def write_image():
    """``write_image(path)`` writes a small picture; a new one every time unless ``value`` says which."""
    written = 0

    def write(path, value=None):
        nonlocal written
        written += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(
            str(path),
            np.random.default_rng(written if value is None else -value % 2**32).integers(0, 256, (20, 30), np.uint8),
        )
        return path

    return write
