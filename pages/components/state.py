"""Keys of what the pages share, and how to reset it.

Every widget whose value makes a view keeps it under one of these keys in the session and in the URL (see ``link.py``),
so that a link shows a colleague the same view and a change of page keeps it.
"""

from __future__ import annotations

import streamlit as st

from pages.components import link

IMAGE = "image"
MODEL = "model"
KIND = "kind"
SEED = "seed"
REGION = "region"
EARLIER = "earlier"
METHODS = "methods"
TARGET = "target"
OPACITY = "opacity"
COLOUR_MAP = "colours"
TOP_SHARE = "top"
SEGMENTATION = "segmentation"
SUPERPIXELS = "superpixels"
MAXIMISED = "maximised"
BESIDE = "beside"
OTHER_MODEL = "other_model"
OTHER_IMAGE = "other_image"
LOOP_FRAME = "frame"
DATA = "data"
SHARES = "shares"
TRUE_CLASS = "true"
PREDICTED_CLASS = "predicted"
CHAIN = "chain"
PUBLISHED = "published"
AUGMENTATION = "augmentation"
VARIATION_SEED = "variation_seed"
UNCERTAINTY = "uncertainty"
EXPERT_BELOW = "expert_below"
DISTORTED = "distorted"
GALLERY_METHOD = "gallery_method"
STUDY = "study"
AGREEMENT = "agreement"
TRUTH_CURVE = "order"
TRUTH_FILL = "fill"
TRUTH_METHOD = "order_of"
HIDDEN_SHARE = "hidden"
HEAD_SETTING = "hidden_as"
HEAD_METHOD = "explained_by"
HEAD_RANKING = "ranked"
HEAD_QUALITY = "quality"
MEASURE = "measure"
AXIS = "axis"
FALL = "fall"
SWEEP = "sweep"
SWEEP_MODELS = "sweep_models"
SWEEP_KINDS = "sweep_kinds"
SWEEP_SSIM = "sweep_ssim"
ARCHIVE = "archive"
SCREENED = "verdict"
QUEUE = "queue"
QUEUE_SEED = "queue_seed"
QUEUE_LENGTH = "queue_n"
QUEUE_POSITION = "position"
MATRIX_OF_IMAGES = "images"
ERROR_METHOD = "error_method"
ERROR_ORDER = "error_order"
ERROR_CELL = "cell"
OTHER_CELL = "other_cell"
HEAD_VIEW = "heads"
PIXEL_SIZE = "pixel_size"
TICK_DISTANCE = "tick"
HEAD_MODEL = "head_model"
OUTLINE_MODEL = "outline_model"
HEAD_SOURCE = "measured_by"
HEAD_FRAME = "head"
READER = "reader"
"""Not in the URL: whoever opens a colleague's link must not sign with the colleague's name."""

KEPT_ON_RESET = ("uploads", "uploads_seen", "loops", "result_store", "picture_store", "subject_store", "move_store")


def intensity_key(kind: str) -> str:
    """Each kind remembers its own intensity: they have different units."""
    return f"intensity_{kind}"


def limits_key(rule: str) -> str:
    """The limits of each rule of screening."""
    return f"limits_{rule}"


def reset() -> None:
    """Back to the first screen's state; uploads stay. To be used as a callback, before widgets are made."""
    for key in list(st.session_state):
        if key not in KEPT_ON_RESET:
            del st.session_state[key]
    link.forget()


def open_image(image_id: str) -> None:
    """Choose an image for all pages. To be used as a callback."""
    if image_id.startswith("phantom-"):
        opened = st.session_state.setdefault("opened_phantoms", [])
        if image_id not in opened:
            opened.append(image_id)
    st.session_state[IMAGE] = image_id
