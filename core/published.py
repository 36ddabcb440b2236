"""What the seeds and the field published: every table of figures, as data, with its source.

Sources are cited as everywhere: ``000`` interpretability thesis, ``001`` corruption thesis, ``004`` anatomy report;
lines are those of the text at hand. ``003``, the abstract of the paper on regression, prints no figure, and ``002``,
the annex of the corruption thesis, only curves. Nothing here was measured by PlaneLab.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from string import digits

import numpy as np

from core.corruption import CORRUPTIONS

BPD_CRL_NT = ("BPD", "CRL", "NT")
CORRUPTION_CLASSES = ("original", "scale_up", "blur", "noise")


@dataclass(frozen=True)
class PublishedModel:
    """One classifier as published.

    Attributes
    ----------
    task, backbone : str
        Spelled as in the cards.
    title : str
        What people call it.
    source : str
        Seed, section, table and line.
    data : str
        What it was tested on.
    n : int or None
        Test images, where stated.
    n_source : str
        Where ``n`` is stated, and what contradicts it.
    figures : dict
        Name -> share.
    matrix : tuple of tuple of float, optional
        Shares of each true class (row) by predicted class (column), as printed.
    per_class : dict
        Class -> measure -> value; measures are sensitivity, specificity, precision, f1 and support.
    remarks : tuple of str
        What does not add up or has to be known to read the figures.
    augmented : bool
        Whether its training images were varied.
    """

    task: str
    backbone: str
    title: str
    source: str
    data: str
    n: int | None
    n_source: str
    figures: dict[str, float]
    classes: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...] | None = None
    per_class: dict[str, dict[str, float]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    augmented: bool = True

    def shares(self) -> np.ndarray | None:
        """The matrix as an array (K, K), or None where none is printed."""
        return None if self.matrix is None else np.array(self.matrix)


@dataclass(frozen=True)
class PublishedTable:
    """Any other table of figures of a task: columns, rows, source and remarks."""

    task: str
    title: str
    source: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]
    remarks: tuple[str, ...] = ()


def published_models(task: str, backbone: str | None = None, *, augmented: bool = True) -> list[PublishedModel]:
    """What was published for a task, of ``backbone`` first, then of its family (VGG), then trained alike."""

    def distance(one: PublishedModel) -> tuple[bool, bool, bool]:
        family = one.backbone.rstrip(digits) == (backbone or "").rstrip(digits)
        return (one.backbone != backbone, not family, one.augmented != augmented)

    return sorted((one for one in MODELS if one.task == task), key=distance)


def published_tables(task: str) -> list[PublishedTable]:
    """The other tables published for a task."""
    return [table for table in TABLES if table.task == task]


def _rates(
    classes: tuple[str, ...], sensitivity: tuple[float, ...], specificity: tuple[float, ...]
) -> dict[str, dict[str, float]]:
    return {
        name: {"sensitivity": one, "specificity": other}
        for name, one, other in zip(classes, sensitivity, specificity, strict=True)
    }


def _report(rows: tuple[tuple[float, float, float, int], ...]) -> dict[str, dict[str, float]]:
    return {
        name: {"precision": precision, "sensitivity": recall, "f1": f1, "support": support}
        for name, (precision, recall, f1, support) in zip(CORRUPTION_CLASSES, rows, strict=True)
    }


_PRIVATE_PLANES = "private frames of one hospital, 1,527 in all (506 BPD, 513 CRL, 508 NT)"
_PLANES_N = "102 a class in table 3.2; the text of §3.2 speaks of 459 test images and calls them 20 %, which 30 % are"
_CORRUPTED = "private frames and corrupted copies of them, 542 a class"
_SPLIT_AFTER = "Train and test were split after the copies were made, so copies of one frame lie on both sides."
_TESTED_AS_VALIDATION = "The test images also served as validation during training."
_BASIC_N = "sum of the supports: a quarter of 2,168; table 4 counts 434 test images, a fifth"
_BASIC = _report(((0.94, 0.93, 0.94, 140), (0.94, 0.96, 0.95, 155), (0.92, 0.91, 0.92, 115), (1.0, 1.0, 1.0, 132)))
_FULL_RANGE = "138 originals of the test set, each in 38 versions: 19 below the limits, 7 scaled up, 5 blurred, 7 noisy"
_FULL_RANGE_N = "sum of the supports, which are 138 times 19, 7, 5 and 7; the basic test has 140 originals"

MODELS: tuple[PublishedModel, ...] = (
    PublishedModel(
        task="plane",
        backbone="inception_v3",
        title="InceptionV3, with augmentation",
        source="000 §4.2, tables 4.3 and 4.4 (lines 3031 to 3062)",
        data=_PRIVATE_PLANES,
        n=306,
        n_source=_PLANES_N,
        figures={"accuracy": 0.917},
        classes=BPD_CRL_NT,
        matrix=((0.90, 0.05, 0.05), (0.03, 0.93, 0.04), (0.02, 0.06, 0.92)),
        per_class=_rates(BPD_CRL_NT, (0.90, 0.93, 0.92), (0.98, 0.95, 0.96)),
        remarks=("The text gives NT as 91 %, table 4.3 as 0.92.",),
    ),
    PublishedModel(
        task="plane",
        backbone="inception_v3",
        title="InceptionV3, without augmentation",
        source="000 §4.2, tables 4.1 and 4.2 (lines 2969 to 3011)",
        data=_PRIVATE_PLANES,
        n=306,
        n_source=_PLANES_N,
        figures={"accuracy": 0.899},
        classes=BPD_CRL_NT,
        matrix=((0.82, 0.09, 0.09), (0.04, 0.89, 0.07), (0.0, 0.02, 0.98)),
        per_class=_rates(BPD_CRL_NT, (0.82, 0.89, 0.98), (0.98, 0.95, 0.92)),
        remarks=("The diagonal's mean is 0.897, 0.2 points below the printed accuracy: rounding.",),
        augmented=False,
    ),
    PublishedModel(
        task="plane",
        backbone="vgg19",
        title="VGG19",
        source="000 A.3, tables A1 and A2 (lines 4336 to 4351)",
        data=_PRIVATE_PLANES,
        n=306,
        n_source=_PLANES_N,
        figures={},
        classes=BPD_CRL_NT,
        matrix=((0.90, 0.05, 0.05), (0.01, 0.90, 0.09), (0.03, 0.06, 0.91)),
        per_class=_rates(BPD_CRL_NT, (0.90, 0.90, 0.91), (0.98, 0.95, 0.93)),
        remarks=("No accuracy is printed; the diagonal's mean is 0.903.",),
    ),
    PublishedModel(
        task="plane",
        backbone="xception",
        title="Xception, as used for the sweep of corruptions",
        source="001 §6.1, figure 17 (lines 672 to 678)",
        data="private frames, a fifth of them for test",
        n=None,
        n_source="",
        figures={},
        classes=BPD_CRL_NT,
        remarks=('Only "over 90 %" on clean frames is printed.',),
    ),
    PublishedModel(
        task="anatomy",
        backbone="cnn",
        title="CNN of the anatomy report",
        source="004 §8",
        data="1,646 frames of brain, abdomen, femur and thorax",
        n=None,
        n_source="a tenth of 1,646, which would be about 165; no count is printed",
        figures={"accuracy": 0.9427, "validation accuracy": 0.925, "training accuracy": 0.9427},
        classes=("brain", "abdomen", "femur", "thorax"),
        remarks=(
            "Test and training accuracy are the same to the digit.",
            "The split is sequential, not by patient: frames of one patient may lie on both sides.",
            'No matrix is printed, only that "most errors were between" femur and thorax.',
            "The training loss fell from 1.35 to 0.24 in 50 epochs.",
        ),
    ),
    PublishedModel(
        task="corruption",
        backbone="vgg16",
        title="VGG16, basic test",
        source="001 §7.2.4, table 5 (lines 918 to 927)",
        data=_CORRUPTED,
        n=542,
        n_source=_BASIC_N,
        figures={"accuracy": 0.95},
        classes=CORRUPTION_CLASSES,
        per_class=_BASIC,
        remarks=(_SPLIT_AFTER, _TESTED_AS_VALIDATION, "Table 5 is identical to table 6, Xception's."),
    ),
    PublishedModel(
        task="corruption",
        backbone="xception",
        title="Xception, basic test",
        source="001 §7.3.4, table 6 (lines 1013 to 1022)",
        data=_CORRUPTED,
        n=542,
        n_source=_BASIC_N,
        figures={"accuracy": 0.95},
        classes=CORRUPTION_CLASSES,
        per_class=_BASIC,
        remarks=(
            _SPLIT_AFTER,
            _TESTED_AS_VALIDATION,
            "Table 6 is identical to table 5, VGG16's, to the digit: Xception's own table is not really known.",
        ),
    ),
    PublishedModel(
        task="corruption",
        backbone="vgg16",
        title="VGG16, full range of intensities",
        source="001 §7.4.1, table 7 (lines 1044 to 1053)",
        data=_FULL_RANGE,
        n=5244,
        n_source=_FULL_RANGE_N,
        figures={"accuracy": 0.96},
        classes=CORRUPTION_CLASSES,
        per_class=_report(
            ((0.98, 0.97, 0.98, 2622), (0.85, 0.95, 0.90, 966), (1.0, 0.87, 0.93, 690), (1.0, 1.0, 1.0, 966))
        ),
        remarks=(_SPLIT_AFTER, "A copy below the limit counts as original."),
    ),
    PublishedModel(
        task="corruption",
        backbone="xception",
        title="Xception, full range of intensities",
        source="001 §7.4.1, table 8 (lines 1055 to 1064)",
        data=_FULL_RANGE,
        n=5244,
        n_source=_FULL_RANGE_N,
        figures={"accuracy": 0.99},
        classes=CORRUPTION_CLASSES,
        per_class=_report(
            ((0.98, 1.0, 0.99, 2622), (1.0, 0.96, 0.98, 966), (1.0, 1.0, 1.0, 690), (1.0, 1.0, 1.0, 966))
        ),
        remarks=(_SPLIT_AFTER, "A copy below the limit counts as original."),
    ),
)

TABLES: tuple[PublishedTable, ...] = (
    PublishedTable(
        task="plane",
        title="Composition of the data set",
        source="000 §3.2, table 3.2 (lines 1941 to 1947)",
        columns=("plane", "training, original", "training, synthetic", "test, original"),
        rows=(("BPD", 404, 196, 102), ("CRL", 411, 189, 102), ("NT", 406, 194, 102)),
        remarks=(
            "1,221 originals for training and 306 for test; §3.2 (line 1872) splits the same 1,527 into 1,068 and 459.",
        ),
    ),
    PublishedTable(
        task="anatomy",
        title="Hypotheses tried",
        source="004 §7",
        columns=("change", "outcome as told"),
        rows=(
            ("dropout after the dense layers", "about +2 % validation accuracy"),
            ("batch normalisation", "slight overfitting"),
            ("smaller learning rate on a plateau", "not needed beside Adam"),
            ("more filters", "overfitting"),
            ("kernels of 2x2 instead of 3x3", "less computing, no better accuracy"),
            ("more convolution and pooling layers", "slower and unwieldy"),
            ("ImageNet backbones such as VGG16", "knowledge transferred, longer training"),
            ("shear, zoom and channel shifts", "no significant gain"),
        ),
        remarks=("Only the first has a number; none has an n.",),
    ),
    PublishedTable(
        task="corruption",
        title="Images a class after corrupting",
        source="001 §4.2, table 1 (lines 243 to 250)",
        columns=("class", "images"),
        rows=tuple((name, 542) for name in CORRUPTION_CLASSES),
    ),
    PublishedTable(
        task="corruption",
        title="Split into training and test",
        source="001 §7.1, table 4 (lines 800 to 807)",
        columns=("class", "training", "test"),
        rows=(("original", 434, 108), ("scale_up", 433, 109), ("blur", 434, 108), ("noise", 433, 109)),
        remarks=("434 test images here, 542 in tables 5 and 6: the code takes scikit-learn's default of a quarter.",),
    ),
    PublishedTable(
        task="corruption",
        title="Limits from which a frame counts as corrupted",
        source="001 §6.2.1 (lines 719 to 724)",
        columns=("distortion", "parameter", "limit", "unit"),
        rows=tuple(
            (name, CORRUPTIONS[name].parameter, CORRUPTIONS[name].published_limit, CORRUPTIONS[name].unit)
            for name in CORRUPTION_CLASSES[1:]
        ),
        remarks=(
            'Where accuracy falls below 90 %, "or an equivalent accuracy loss of around 5 %".',
            "Whether 1.5 % of the image means a side or the area is not said.",
        ),
    ),
)
"""Tables 3.1 of 000 (colour boxes) and 2 and 3 of 001 (logic, formulas) are no figures of classifiers."""


@dataclass(frozen=True)
class PublishedShape:
    """A figure of the corruption thesis in words: its curves are printed as pictures only.

    Attributes
    ----------
    figure : int
        Its number.
    title, shape : str
        What it plots, and what its curves do, in one sentence.
    source : str
    is_detection : bool
        Whether it shows detectors of corruptions, or else a classifier of planes.
    """

    figure: int
    title: str
    shape: str
    source: str
    is_detection: bool = False


SHAPES: tuple[PublishedShape, ...] = (
    PublishedShape(
        20,
        "Accuracy against intensity",
        "Accuracy, above 90 % on clean images, falls with intensity to a lowest level that further corruption does not "
        "lower, crossing the limit at 1.5 % of the image lost, sigma 0.18 and radius 4.",
        "001 §6.2.1 (lines 705 to 731)",
    ),
    PublishedShape(
        21,
        "Accuracy against SSIM",
        "A flat start, shortest for blur, then a fall near SSIM 0.4 for scale up (almost vertical) and noise and "
        "between 0.8 and 0.6 for blur, then flat again for noise and blur.",
        "001 §6.2.2 (lines 733 to 749)",
    ),
    PublishedShape(
        22,
        "SSIM against intensity",
        "All three fall and flatten: scale up steeply and soonest, noise down to 0, blur just under 0.5.",
        "001 §6.2.3 (lines 751 to 765)",
    ),
    PublishedShape(
        33,
        "Detection against SSIM, all labelled corrupted",
        "Accuracy is near 0 while SSIM is near 1, for those frames pass as originals, and rises as SSIM falls; "
        "Xception lies above VGG16.",
        "001 §7.4.1 (lines 1066 to 1075)",
        is_detection=True,
    ),
    PublishedShape(
        34,
        "Detection by kind, with limits",
        "High at first (100 % for noise and blur, scale up sinking to 85 %), a steep fall before the limit and its "
        "mirror image after it, then high to the end; VGG16 falls earlier than Xception under noise.",
        "001 §7.4.2 (lines 1077 to 1125)",
        is_detection=True,
    ),
    PublishedShape(
        39,
        "Detection against intensity, without limits",
        "0 % at first, since every frame is labelled corrupted, then rising: the reverse of the fall of a classifier's "
        "accuracy.",
        "002 A.2",
        is_detection=True,
    ),
    PublishedShape(
        40,
        "Mean detection against SSIM",
        "The mean over the corruptions changes in several steps, since each is found at an SSIM of its own; Xception "
        "lies above VGG16.",
        "002 A.2",
        is_detection=True,
    ),
)


def published_shapes(*, is_detection: bool) -> list[PublishedShape]:
    """The thesis's figures of detectors, or of a classifier of planes."""
    return [shape for shape in SHAPES if shape.is_detection == is_detection]


@dataclass(frozen=True)
class Finding:
    """What a seed says of a figure, in its words.

    ``place`` is the part of an image where relevance gathers if the same holds here, a name of
    :data:`core.explain.detector_gallery.PLACES`.
    """

    words: str
    source: str
    place: str


DETECTOR_FINDINGS: dict[str, Finding] = {
    "original": Finding(
        "The CNN seems to focus on the white structured shapes including the fetus.", "002 A.1.1, figure 35", "bright"
    ),
    "scale_up": Finding(
        "The model seems to focus not only on the fetus but also on the edges of the images where the black shapes "
        "appear drastically cut due to the corruption.",
        "002 A.1.2, figure 36",
        "border",
    ),
    "blur": Finding("The model seems to especially focus on edges.", "002 A.1.3, figure 37", "edges"),
    "noise": Finding(
        "The models seem to focus on affected pixels where the contrast between the intensity of the original image "
        "and the noise are greater.",
        "002 A.1.4, figure 38",
        "contrast",
    ),
}
"""What the annex saw in the saliency maps of a detector, class by class; it measured nothing."""


@dataclass(frozen=True)
class AnatomyFinding:
    """Where a thesis saw a network look for a plane.

    Attributes
    ----------
    words, source : str
        What it says, in short, and where.
    place : str
        What people call the place.
    structures : tuple of str
        Of the phantoms' (:data:`core.phantom.LABELS`), those it is made of. What lies in the trunk belongs to it;
        phantoms do not tell legs from arms.
    """

    words: str
    source: str
    place: str
    structures: tuple[str, ...]


PLANE_FINDINGS: dict[str, AnatomyFinding] = {
    "BPD": AnatomyFinding(
        "curves of high contrast, in many cases the skull's circumference",
        "000, lines 3586 to 3594",
        "skull contour",
        ("skull",),
    ),
    "CRL": AnatomyFinding(
        "the fetus's trunk and, in many cases, its legs",
        "000, lines 3596 to 3608",
        "trunk and limbs",
        ("trunk", "rump", "limbs", "upper thorax", "spine", "heart", "stomach", "bladder", "bowel"),
    ),
    "NT": AnatomyFinding(
        "the face and the nuchal area",
        "000, lines 3608 to 3618",
        "face and nuchal area",
        ("nasal bone", "nasal tip", "palate", "mandible", "nuchal translucency", "nuchal skin"),
    ),
}
"""What the interpretability thesis saw in the maps of its plane classifier, plane by plane; it measured nothing."""


@dataclass(frozen=True)
class PublishedHeads:
    """A published error of head circumferences, mean and standard deviation of absolute differences in mm."""

    title: str
    data: str
    mean_mm: float
    deviation_mm: float
    source: str
    remark: str


HEADS: tuple[PublishedHeads, ...] = (
    PublishedHeads(
        "DAG V-Net, a segmentation",
        "HC18's own test set, whose truth is not published",
        1.77,
        1.69,
        "doi 10.1007/s10278-020-00410-5",
        "Other frames than those held out here, and a model trained on all of HC18's training set.",
    ),
)
"""The paper on explaining regressions (003) prints no error in its abstract, which is the text at hand."""
