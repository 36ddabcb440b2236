"""Training the detector of severities: frames of many sorts, corrupted in every way and in mixtures.

The backbone keeps its ImageNet weights; what its layers say of every image is computed once
(:mod:`core.zoo.training.frozen`), and only the hidden layer behind it learns. The plan of all corruptions is drawn
before any image is made, so that features read back from disk fit their answers.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.corruption import CORRUPTIONS, corrupt
from core.corruption.severity import LEVELS, intensity_of
from core.datasets import Table, read_pixels
from core.datasets.items import item_name
from core.datasets.phantoms import phantoms
from core.evaluation import Share
from core.files import whole
from core.parallel import in_threads
from core.phantom import PLANES
from core.preprocessing import Cleaned, PreprocessingSettings, clean, finish
from core.zoo.architectures import DESCRIPTION_LAYER, HIDDEN_LAYER, build_detector, get_backbone
from core.zoo.cards import Card, Metric
from core.zoo.detection import ORIGINAL
from core.zoo.novelty import Typicality, threshold
from core.zoo.runtime import tensorflow
from core.zoo.training.card_texts import FAULTS_OF_SCANNERS, LITTLE_ENLARGED, data_licences, start_licence
from core.zoo.training.corrupted import perhaps_jpeg, varied_clean
from core.zoo.training.frozen import BATCH, FEATURES_NAME, FeatureCache, weights_fingerprint
from core.zoo.training.images import scaled, with_validation
from core.zoo.training.settings import TrainingSettings
from core.zoo.training.stages import HEAD_STAGE, HISTORY_NAME
from core.zoo.weights import WEIGHTS_NAME, round_to_half, save_weights, sha256_of

if TYPE_CHECKING:
    import keras

Report = Callable[[str], None]
SHARE_OF_SCALE_UP = 4
"""It is drawn so many times as often as any other kind: it shows in nothing but what is missing."""
STEPS_SHARES = (0.3, 0.45, 0.2, 0.05)
"""Shares of samples with no, one, two and three corruptions."""
SEVERITIES = (0.4, 5.0)
LEAST_SEVERITY = 1.0
"""From here on a corruption counts as there; below it the network is not asked whether it is, only how severe."""
FALSE_ALARMS = 0.01
"""Share of clean validation frames in which a corruption may be named."""
UNSURE = 0.05
"""Share of clean validation frames that may not pass as original."""
NAMED = 0.5
"""Probability from which a kind is named in a frame that counts as corrupted."""
SEVERITY_WEIGHT = 2.0
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.1


@dataclass(frozen=True)
class Plan:
    """What happens to every sample.

    Attributes
    ----------
    frame : (N,) int
        Which frame it is made of.
    steps : list of tuple of (kind, severity)
        In the order in which they are applied.
    """

    frame: np.ndarray
    steps: list[tuple[tuple[str, float], ...]]

    @classmethod
    def draw(cls, n_frames: int, copies: int, kinds: list[str], seed: int) -> Plan:
        generator = np.random.default_rng([seed, n_frames])
        steps = []
        for _ in range(n_frames * copies):
            count = generator.choice(len(STEPS_SHARES), p=STEPS_SHARES)
            chosen = generator.choice(kinds, size=count, replace=False, p=_shares(kinds))
            steps.append(tuple((str(kind), float(generator.uniform(*SEVERITIES))) for kind in chosen))
        return cls(np.repeat(np.arange(n_frames), copies), steps)

    def answers(self, kinds: list[str]) -> np.ndarray:
        """(N, 2 (1 + K) + K): whether *original* and each kind are there, whether that is asked, and severities."""
        answers = np.zeros((len(self.steps), 2 * (1 + len(kinds)) + len(kinds)), np.float32)
        there, asked, severity = np.split(answers, [1 + len(kinds), 2 * (1 + len(kinds))], axis=1)
        asked[:] = 1
        for row, steps in enumerate(self.steps):
            there[row, 0] = not steps
            for kind, level in steps:
                index = kinds.index(kind)
                severity[row, index] = level / LEVELS
                there[row, 1 + index] = level >= LEAST_SEVERITY
                asked[row, 1 + index] = level >= LEAST_SEVERITY
            if steps and max(level for _, level in steps) < LEAST_SEVERITY:
                asked[row, 0] = 0
        return answers

    def fingerprint(self) -> str:
        return hashlib.sha256(repr((self.frame.tolist(), self.steps)).encode()).hexdigest()


def _shares(kinds: list[str]) -> np.ndarray:
    weights = np.array([SHARE_OF_SCALE_UP if kind == "scale_up" else 1 for kind in kinds], float)
    return weights / weights.sum()


def train_detector(
    table: Table,
    settings: TrainingSettings,
    out: Path,
    *,
    weights: str | Path | None = "imagenet",
    preprocessing: PreprocessingSettings | None = None,
    cache: Path | None = None,
    command: str = "",
    default: bool = False,
    report: Report = print,
    progress: Callable[[float], None] = lambda share: None,
) -> Card:
    """Train a detector of severities on ``table`` and phantoms, and write ``out``. Parameters as :func:`.run.train`."""
    preprocessing = preprocessing or PreprocessingSettings()
    table = _with_phantoms(with_validation(table, settings), settings)
    kinds = list(CORRUPTIONS)
    tensorflow()
    import keras

    keras.utils.set_random_seed(settings.seed)
    out.mkdir(parents=True, exist_ok=True)
    backbone = get_backbone(settings.backbone)
    size = settings.size or backbone.default_size
    options = {**settings.architecture, "dropout": settings.dropout}
    model = build_detector(settings.backbone, len(kinds), size=size, weights=weights, **options)
    described = model.get_layer(DESCRIPTION_LAYER).output
    trunk, head = keras.Model(model.input, described), keras.Model(described, model.output)
    store = FeatureCache(cache or out / FEATURES_NAME)
    features, answers = {}, {}
    for number, side in enumerate(("train", "validation")):
        rows = table.where(split=side)
        plan = Plan.draw(len(rows), settings.copies, kinds, settings.seed + number)
        report(f"features of {len(plan.steps)} {side} samples made of {len(rows)} frames")
        identity = {
            "paths": [item_name(path) for path in rows.frame["path"]],
            "plan": plan.fingerprint(),
            "trunk": [settings.backbone, size, weights_fingerprint(trunk)],
        }
        features[side] = store.get(
            trunk,
            lambda rows=rows, plan=plan: _batches(rows, plan, preprocessing, settings, size, backbone.input_range),
            len(plan.steps),
            identity,
            progress,
        )
        answers[side] = plan.answers(kinds)
    history = _fit(head, features, answers, settings, len(kinds), report)
    with whole(out / HISTORY_NAME) as path:
        history.to_csv(path, index=False)
    shutil.rmtree(out / FEATURES_NAME, ignore_errors=True)
    return _finish(
        model, features, answers, kinds, table, settings, preprocessing, out, weights, command, default, report
    )


def _with_phantoms(table: Table, settings: TrainingSettings) -> Table:
    """The table and phantoms of every plane: the detector should not learn what one scanner's heads look like."""
    if not settings.phantoms:
        return table
    simulated = phantoms(list(PLANES), settings.phantoms, seed=settings.seed).frame
    held_back = np.arange(len(simulated)) % round(1 / settings.validation_share) == 0
    simulated = simulated.assign(split=np.where(held_back, "validation", "train"))
    return Table(pd.concat([table.frame, simulated], ignore_index=True), table.layout, table.simulated, table.problems)


def _batches(
    rows: Table, plan: Plan, preprocessing: PreprocessingSettings, settings: TrainingSettings, size: int,
    input_range: tuple[float, float],
) -> Iterator[np.ndarray]:  # fmt: skip
    """The network's inputs of a plan (B, S, S, 3), in its order."""
    paths = rows.paths
    copies = len(plan.steps) // len(paths)

    def group(frame: int) -> list[np.ndarray]:
        cleaned = clean(read_pixels(paths[frame]), preprocessing)
        images = []
        for copy in range(copies):
            generator = np.random.default_rng([settings.seed, len(paths), frame, copy])
            sample = corrupted_sample(cleaned, plan.steps[frame * copies + copy], generator)
            images.append(finish(sample, preprocessing, chain="detector", size=size))
        return images

    waiting: list[np.ndarray] = []
    for images in in_threads(group, range(len(paths))):
        waiting += images
        while len(waiting) >= BATCH:
            yield scaled(np.stack(waiting[:BATCH]), input_range)
            del waiting[:BATCH]
    if waiting:
        yield scaled(np.stack(waiting), input_range)


def corrupted_sample(cleaned: Cleaned, steps: tuple[tuple[str, float], ...], generator: np.random.Generator) -> Cleaned:
    """A clean frame varied and then corrupted by (kind, severity) after (kind, severity)."""
    frame = varied_clean(cleaned, generator)
    gray = frame.gray
    for kind, severity in steps:
        gray = corrupt(gray, kind, intensity_of(kind, severity), generator, frame.sector)
    # JPEG that is a corruption must not be taken for the harmless one.
    if not any(kind == "jpeg" for kind, _ in steps):
        gray = perhaps_jpeg(gray, generator)
    return replace(frame, gray=gray)


def _fit(
    head: keras.Model, features: dict[str, np.ndarray], answers: dict[str, np.ndarray], settings: TrainingSettings,
    n_kinds: int, report: Report,
) -> pd.DataFrame:  # fmt: skip
    import keras

    steps = settings.epochs * -(-len(features["train"]) // settings.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    head.compile(keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY), _loss(n_kinds))
    history = head.fit(
        np.asarray(features["train"], np.float32),
        answers["train"],
        validation_data=(np.asarray(features["validation"], np.float32), answers["validation"]),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        verbose=0,
    ).history
    report(f"loss {history['loss'][-1]:.4f}, validation loss {history['val_loss'][-1]:.4f}")
    return pd.DataFrame({"stage": HEAD_STAGE, "epoch": np.arange(settings.epochs), **history})


def _loss(n_kinds: int) -> Callable[[Any, Any], Any]:
    """Cross-entropy of what is asked, and the squared error of the severities of what is there."""
    split = 1 + n_kinds

    def loss(answers: Any, logits: Any) -> Any:
        from keras import ops

        there, asked, severity = answers[:, :split], answers[:, split : 2 * split], answers[:, 2 * split :]
        presence = ops.softplus(logits[:, :split]) - there * logits[:, :split]
        error = ops.square(ops.sigmoid(logits[:, split:]) - severity) * ops.cast(severity > 0, "float32")
        return ops.sum(presence * asked, axis=-1) + SEVERITY_WEIGHT * ops.sum(error, axis=-1)

    return loss


def _finish(
    model: keras.Model, features: dict[str, np.ndarray], answers: dict[str, np.ndarray],
    kinds: list[str], table: Table, settings: TrainingSettings, preprocessing: PreprocessingSettings, out: Path,
    weights: str | Path | None, command: str, default: bool, report: Report,
) -> Card:  # fmt: skip
    """Round, set the thresholds on validation frames, write weights and card."""
    import keras

    backbone = get_backbone(settings.backbone)
    round_to_half(model)
    outputs = keras.Model(
        model.get_layer(DESCRIPTION_LAYER).output, [model.output, model.get_layer(HIDDEN_LAYER).output]
    )
    logits, hidden = outputs.predict(np.asarray(features["validation"], np.float32), batch_size=256, verbose=0)
    _, train_hidden = outputs.predict(np.asarray(features["train"], np.float32), batch_size=256, verbose=0)
    # Clean, corrupted once, mixtures: of each single kind there may be too few to know what is typical of it.
    groups = np.minimum((answers["train"][:, -len(kinds) :] > 0).sum(axis=1), 2)
    arrays = {
        name: values.astype(np.float16).astype(np.float32)
        for name, values in Typicality.fit(train_hidden, groups).to_arrays().items()
    }
    typicality = Typicality.from_arrays(arrays)
    save_weights(model, out / WEIGHTS_NAME, **arrays)
    detection, measured = _thresholds(logits, answers["validation"], kinds)
    report(", ".join(f"{name} {share}" for name, share in measured.items()))
    sides = table.frame.groupby("split").size()
    phantom_rows = table.frame["path"].astype(str).str.startswith("phantom-").sum()
    card = Card(
        name=out.name,
        title=f"{settings.backbone}, {len(kinds)} kinds of corruption with severity",
        task="corruption",
        backbone=settings.backbone,
        classes=[ORIGINAL, *kinds],
        input={
            "size": settings.size or backbone.default_size, "range": list(backbone.input_range), "chain": "detector",
        },
        preprocessing=preprocessing.to_dict(),
        feature_layer=backbone.feature_layer,
        pooled_layer=HIDDEN_LAYER,
        temperature=1.0,
        novelty_threshold=threshold(typicality.score(hidden)),
        training={
            **asdict(settings),
            "frames": {side: int(count) for side, count in sides.items()},
            "of_them_phantoms": int(phantom_rows),
            "samples": {side: len(values) for side, values in answers.items()},
            "simulated": False,
            "start": backbone.start(weights),
            "validation": {name: str(share) for name, share in measured.items()},
        },
        split="by examination (a phantom is its own patient), before anything was generated from the images",
        weights={
            "file": WEIGHTS_NAME,
            "sha256": sha256_of(out / WEIGHTS_NAME),
            "bytes": (out / WEIGHTS_NAME).stat().st_size,
            "dtype": "float16, rebuilt in float32",
        },
        licences=["Apache-2.0, as PlaneLab", *start_licence(weights), *data_licences(table)],
        limitations=[
            "No medical device. Research and teaching only.",
            FAULTS_OF_SCANNERS,
            LITTLE_ENLARGED,
        ],
        command=command,
        default=default,
        architecture={**settings.architecture, "dropout": settings.dropout},
        parameters=model.count_params(),
        detection=detection,
        metrics=[_metric(name, share, command) for name, share in measured.items()],
    )  # fmt: skip
    card.write(out)
    return card


def _thresholds(logits: np.ndarray, answers: np.ndarray, kinds: list[str]) -> tuple[dict[str, Any], dict[str, Share]]:
    """From which probability each kind counts as present, and *original* as certain, on validation frames."""
    from core.evaluation import wilson

    split = 1 + len(kinds)
    presence = 1 / (1 + np.exp(-logits[:, :split].astype(np.float64)))
    clean = answers[:, 0] == 1
    corrupted = answers[:, 1:split].any(axis=1)
    nameable = (presence[:, 1:] >= NAMED).any(axis=1)
    # Of clean frames in which a kind could be named, so many may count as corrupted.
    lowest = np.sort(presence[clean & nameable, 0])
    allowed = int(FALSE_ALARMS * clean.sum())
    bound = float(lowest[allowed]) if allowed < len(lowest) else 1.0
    passes = float(np.quantile(presence[clean, 0], UNSURE))
    bound = min(bound, passes)
    found = nameable & (presence[:, 0] < bound)
    missed = corrupted & (presence[:, 0] >= passes)
    detection = {"kinds": kinds, "corrupted": round(bound, 4), "original": round(passes, 4), "named": NAMED}
    unsure = clean & ~found & (presence[:, 0] < passes)
    measured = {
        "false alarms on clean frames": wilson(int(found[clean].sum()), int(clean.sum())),
        "unknown of clean frames": wilson(int(unsure.sum()), int(clean.sum())),
        "corrupted frames found": wilson(int(found[corrupted].sum()), int(corrupted.sum())),
        "corrupted frames passed as original": wilson(int(missed.sum()), int(corrupted.sum())),
    }
    return detection, measured


def _metric(name: str, share: Share, command: str) -> Metric:
    return Metric(
        name, "validation images of the training data", False, share.value, share.low, share.high, share.n, command,
        "real and simulated frames, corrupted by core; used for the thresholds, so optimistic",
    )  # fmt: skip
