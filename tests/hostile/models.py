"""Hostile and broken model folders: the card and weights of the small network that ships, one of them changed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .archives import raw_archive, zip_of
from .case import EITHER, READ, Case, cuts, flips

CARD, WEIGHTS = "card", "weights"
SOUND = Path(__file__).resolve().parents[2] / "models" / "cnn_anatomy"
CARD_NAME, WEIGHTS_NAME = "card.json", "weights.npz"
NAME = "model"
REFUSED = r"\.$"
FLIPS = 8


@cache
def _sound(file: str) -> bytes:
    return (SOUND / file).read_bytes()


def write_model(folder: Path, case: Case) -> Path:
    """The model's folder under ``folder``: the case's file, and beside it the sound other one.

    A card describes the weights of its case by their hash, for a hash that differs keeps everything else from being
    looked at; but of a card's own cases nothing is touched.
    """
    made = folder / NAME
    made.mkdir(parents=True)
    card, weights = _sound(CARD_NAME), _sound(WEIGHTS_NAME)
    if case.kind == CARD:
        card = case.data
    else:
        weights = case.data
        values = json.loads(card)
        values["weights"]["sha256"] = hashlib.sha256(weights).hexdigest()
        card = json.dumps(values).encode()
    (made / CARD_NAME).write_bytes(card)
    (made / WEIGHTS_NAME).write_bytes(weights)
    return made


def write_special(folder: Path) -> dict[str, Path]:
    """Model folders whose files are none: what each is, and where."""
    made = {}
    for what, link in {
        "a card that is a folder": None,
        "a card that is a pipe": None,
        "a card that links to nothing": "nowhere.json",
        "a card that links to itself": CARD_NAME,
        "a card that links to endless zeros": "/dev/zero",
    }.items():
        path = folder / str(len(made)) / NAME
        path.mkdir(parents=True)
        (path / WEIGHTS_NAME).write_bytes(_sound(WEIGHTS_NAME))
        if link:
            (path / CARD_NAME).symlink_to(link)
        elif "pipe" in what:
            os.mkfifo(path / CARD_NAME)
        else:
            (path / CARD_NAME).mkdir()
        made[what] = path
    return made


def card(**changes: Any) -> bytes:
    """The sound card with other values; ``None`` leaves a field out, a dict changes fields of a dict."""
    values = json.loads(_sound(CARD_NAME))
    for name, value in changes.items():
        if value is None:
            del values[name]
        elif isinstance(value, dict) and isinstance(values.get(name), dict):
            values[name] = {key: one for key, one in {**values[name], **value}.items() if one is not None}
        else:
            values[name] = value
    return json.dumps(values).encode()


def arrays() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(_sound(WEIGHTS_NAME))) as file:
        return {name: file[name] for name in file.files}


def npz(values: dict[str, np.ndarray], **changes: np.ndarray | None) -> bytes:
    """A weight file of these arrays, some changed or (None) left out."""
    return zip_of(*((f"{name}.npy", npy(one)) for name, one in {**values, **changes}.items() if one is not None))


def npy(values: np.ndarray) -> bytes:
    """One array as NumPy stores it, objects pickled."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def with_member(content: bytes, name: str = "weight_0000.npy") -> bytes:
    """The sound weight file with one member's bytes replaced."""
    with zipfile.ZipFile(io.BytesIO(_sound(WEIGHTS_NAME))) as old:
        return zip_of(*((member, content if member == name else old.read(member)) for member in old.namelist()))


def header(shape: str, descr: str = "'<f2'") -> bytes:
    """An array's header that claims any shape, and four values."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(8)


def _cards() -> dict[str, tuple[bytes, str]]:
    made = {f"no field {name!r}": (card(**{name: None}), _needed(name)) for name in json.loads(_sound(CARD_NAME))}
    wrong: dict[str, Any] = {
        name: {str: 7, list: "abc", dict: [1], float: "0.5", int: "many", bool: "yes"}[type(value)]
        for name, value in json.loads(_sound(CARD_NAME)).items()
    }
    made |= {f"{name!r} of another type": (card(**{name: value}), REFUSED) for name, value in wrong.items()}
    text = _sound(CARD_NAME).decode()
    return made | {
        "nothing": (b"", REFUSED),
        "no JSON": (b"model: tiny", REFUSED),
        "JSON of a list": (b"[]", REFUSED),
        "JSON of nothing": (b"null", REFUSED),
        "JSON of a number": (b"1e400", REFUSED),
        "a hundred thousand brackets": (b"[" * 100_000 + b"]" * 100_000, REFUSED),
        "a hundred thousand objects, each within the next": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, REFUSED),
        "a number of ten thousand digits": (text.replace('"bytes": ', '"bytes": ' + "9" * 10_000, 1).encode(), REFUSED),
        "UTF-16": (text.encode("utf-16"), REFUSED),
        "a byte order mark": (b"\xef\xbb\xbf" + text.encode(), REFUSED),
        "null bytes": (bytes(5000), REFUSED),
        "21 MB": (text.encode() + b" " * (21 * 2**20), r"larger than 20 MB"),
        "a field that no card has": (card(surprise=1), REFUSED),
        "a task that is none": (card(task="fortune telling"), r"unknown task"),
        "a task of a hundred thousand letters": (card(task="x" * 100_000), r"unknown task"),
        "a backbone that is none": (card(backbone="spine"), REFUSED),
        "no class": (card(classes=[]), r"names no class"),
        "a class twice": (card(classes=["brain", "brain", "femur", "thorax"]), r"one twice"),
        "classes that are numbers": (card(classes=[1, 2, 3, 4]), REFUSED),
        "more classes than outputs": (card(classes=["abdomen", "brain", "femur", "thorax", "knee"]), r"another model"),
        "an input of 100,000 pixels": (card(input={"size": 100_000}), r"asks for an input"),
        "an input of minus 1 pixels": (card(input={"size": -1}), r"asks for an input"),
        "an input of no size": (card(input={"size": None}), r"asks for an input"),
        "an input of half a pixel": (card(input={"size": 0.5}), r"asks for an input"),
        "an unknown chain": (card(input={"chain": "bicycle"}), r"unknown chain"),
        "a temperature of 0": (card(temperature=0.0), r"temperature"),
        "a temperature that is no number": (
            text.replace('"temperature": ', '"temperature": NaN, "x": ').encode(),
            REFUSED,
        ),
        "an infinite threshold": (card(novelty_threshold=float("inf")), REFUSED),
        "a figure that is no number": (_with_metric(value=float("nan")), REFUSED),
        "a figure without a name": (_with_metric(name=None), REFUSED),
        "a figure of another type": (_with_metric(value="high"), REFUSED),
        "weights outside the folder": (card(weights={"file": "../../../etc/passwd"}), r"which file holds"),
        "weights at an absolute place": (card(weights={"file": "/etc/passwd"}), r"which file holds"),
        "weights in the folder itself": (card(weights={"file": "."}), r"which file holds"),
        "weights with a null in their name": (card(weights={"file": "a\0b"}), r"which file holds"),
        "weights without a file": (card(weights={"file": None}), r"which file holds"),
        "weights that are not there": (card(weights={"file": "other.npz"}), r"not installed"),
        "a wrong hash": (card(weights={"sha256": "0" * 64}), r"SHA-256 differs"),
        "a hash that is no text": (card(weights={"sha256": 5}), r"no hash"),
        "no hash": (card(weights={"sha256": None}), r"no hash"),
        "a name that leads out": (card(name="../../evil"), r"no folder's name"),
        "a name of two lines": (card(name="two\nlines"), REFUSED),
        "a setting of preprocessing that is none": (card(preprocessing={"magic": 1}), REFUSED),
        "a setting of preprocessing out of range": (card(preprocessing={"median_kernel": 10**6}), REFUSED),
        "an option of the network that is none": (card(architecture={"magic": 1}), REFUSED),
        "a layer of a milliard units": (card(architecture={"dense": 10**9}), r"units"),
        "blocks of a milliard filters": (card(architecture={"filters": [10**9] * 4}), r"units"),
        "ten thousand blocks": (card(architecture={"filters": [1] * 10_000}), r"units"),
        "blocks of minus one filter": (card(architecture={"filters": [-1]}), REFUSED),
        "blocks that are words": (card(architecture={"filters": ["many"]}), REFUSED),
        "no block": (card(architecture={"filters": []}), REFUSED),
        "a layer that is not there, for features": (card(feature_layer="nowhere"), REFUSED),
        "severities without bounds": (card(detection={"kinds": ["blur"]}), r"severities"),
        "a measurement that is none": (
            card(task="head_circumference", measurement={"output": "shoe size"}),
            r"what is measured",
        ),
    }


def _needed(name: str) -> str:
    optional = ("default", "architecture", "parameters", "detection", "measurement", "metrics")
    return EITHER if name in optional else REFUSED


def _with_metric(**changes: Any) -> bytes:
    values = json.loads(_sound(CARD_NAME))
    first = {name: one for name, one in {**values["metrics"][0], **changes}.items() if one is not None}
    return card(metrics=[first])


def _weights() -> dict[str, tuple[bytes, str]]:
    sound = arrays()
    first = sound["weight_0000"]
    pickled = npy(np.array([{"a": 1}, print], dtype=object))
    typicality = {name: one for name, one in sound.items() if name.startswith("extra/")}
    spreads = next(name for name in typicality if name.endswith("spreads"))
    mean = next(name for name in typicality if name.endswith("features_mean"))
    return {
        "arrays in float32": (npz({name: one.astype(np.float32) for name, one in sound.items()}), READ),
        "nothing": (b"", r"damaged"),
        "words": (b"weights of the network", r"damaged"),
        "noise": (np.random.default_rng(5).bytes(5000), r"damaged"),
        "an array alone": (npy(first), r"damaged"),
        "a pickle": (b"cos\nsystem\n(S'exit 1'\ntR.", r"damaged"),
        "an array of pickled objects": (with_member(pickled), r"damaged"),
        "a ZIP of no array": (with_member(b"Dear doctor"), r"damaged"),
        "an empty member": (with_member(b""), r"damaged"),
        "a shape of a trillion": (with_member(header("(1000000, 1000000)")), r"damaged"),
        "a shape of ten milliards": (with_member(header("(100000, 100000)")), r"damaged"),
        "a shape below 0": (with_member(header("(-5, 3)")), r"damaged"),
        "a shape of words": (with_member(header("('a', 'b')")), r"damaged"),
        "a shape that is code": (with_member(header("__import__('os').system('exit 1')")), r"damaged"),
        "a shape that overflows": (with_member(header(f"({2**62}, {2**62})")), r"damaged"),
        "values of no kind": (with_member(header("(4,)", "'<q9'")), r"damaged"),
        "values of objects": (with_member(header("(1,)", "'|O'")), r"damaged"),
        "values of texts": (npz(sound, weight_0000=np.array(["a", "b"])), r"damaged"),
        "values of whole numbers": (npz(sound, weight_0000=first.astype(np.int8)), r"damaged"),
        "values of complex numbers": (npz(sound, weight_0000=first.astype(np.complex64)), r"damaged"),
        "a value that is no number": (npz(sound, weight_0000=np.full_like(first, np.nan)), r"no numbers"),
        "an infinite value": (npz(sound, weight_0000=np.full_like(first, np.inf)), r"no numbers"),
        "values of 160 MB, packed": (
            raw_archive((b"weight_0000.npy", header("(80000000,)"), 160 * 2**20, 0), method=zipfile.ZIP_STORED),
            r"claims to hold",
        ),
        "one array too few": (npz(sound, weight_0000=None), r"another model"),
        "one array too many": (npz(sound, weight_9999=first), r"another model"),
        "an array of another shape": (npz(sound, weight_0000=first[..., :-1]), r"another model"),
        "an array of one number": (npz(sound, weight_0000=np.float16(1)), r"another model"),
        "an array of no number": (npz(sound, weight_0000=first[:0]), r"another model"),
        "arrays in another order": (npz(sound, weight_0000=sound["weight_0001"], weight_0001=first), r"another model"),
        "arrays of other names": (npz({f"w{name}": one for name, one in sound.items()}), r"another model"),
        "no array": (npz({}), r"another model"),
        "a part of the typicality": (npz(sound, **{spreads: None}), r"do not fit"),
        "typicality of other classes": (npz(sound, **{mean: sound[mean][:1]}), r"do not fit"),
        "typicality of other features": (npz(sound, **{mean: sound[mean][:, :5]}), r"do not fit"),
        "a name that leads out of it": (npz(sound, **{"../../evil": first}), r"another model"),
    }


@cache
def model_cases() -> tuple[Case, ...]:
    """All hostile and broken model folders, but for those whose files are none (:func:`write_special`)."""
    found = [Case(CARD, what, CARD_NAME, data, says) for what, (data, says) in _cards().items()]
    found += cuts(CARD, CARD_NAME, _sound(CARD_NAME), REFUSED)
    found += [Case(WEIGHTS, what, WEIGHTS_NAME, data, says) for what, (data, says) in _weights().items()]
    found += cuts(WEIGHTS, WEIGHTS_NAME, _sound(WEIGHTS_NAME), r"damaged")
    found += flips(WEIGHTS, WEIGHTS_NAME, _sound(WEIGHTS_NAME), FLIPS)
    return tuple(found)
