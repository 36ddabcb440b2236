"""Heads: what ``predict`` and ``evaluate`` do with a model of heads, and ``calibrate`` and ``cross-validate``."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.shared import (
    EXIT_OK,
    EXIT_UNUSABLE,
    Progress,
    add_command,
    card_of,
    complain,
    data_option,
    json_option,
    model_folder,
    natural,
    positive,
    print_json,
    starting_weights,
)
from core.errors import DatasetError, ParameterError, PlaneLabError
from core.images import read_image

if TYPE_CHECKING:
    from core.biometry.assessment import HeadAssessment
    from core.biometry.reading import Estimate, HeadReading
    from core.evaluation import Share
    from core.pixel_size import PixelSize
    from core.zoo.cards import Card

PREDICTION_CHUNK = 32
NO_MILLIMETRES = "Without the size of a pixel there are no millimetres; give --pixel-size."


def register(commands: Any) -> None:
    command = add_command(
        commands, "calibrate", _calibrate, "set a head model's interval and refusals on its validation frames again"
    )
    command.add_argument("--model", metavar="NAME", required=True, help="a model of heads, or its folder")
    command.set_defaults(writes_model=True)
    data_option(command)
    command.add_argument(
        "--out-of-fold", type=Path, metavar="FILE", help="predictions of a cross-validation: intervals go with size"
    )

    command = add_command(
        commands,
        "cross-validate",
        _cross_validate,
        "train a model of heads on every fold, and compare losses or backbones",
    )
    data_option(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a finished fold in it is kept")
    command.add_argument("--backbone", action="append", metavar="NAME", help="repeat to compare (mobilenet_v2)")
    command.add_argument("--loss", action="append", metavar="NAME", help="mae, mse or huber; repeat to compare (mae)")
    command.add_argument("--output", metavar="NAME", help="circumference (a regression) or ellipse (a segmentation)")
    command.add_argument("--folds", type=positive, metavar="N", help="how many there are (5)")
    command.add_argument("--fold", type=natural, metavar="K", help="only this one, from 0")
    command.add_argument(
        "--weights", default="imagenet", help="imagenet (downloads), none, or a local .weights.h5 file"
    )
    command.add_argument(
        "--start",
        type=Path,
        metavar="TRIAL",
        help="the folder of an earlier run's trial, whose same fold each begins with",
    )
    command.add_argument("--epochs", type=positive)
    command.add_argument("--batch-size", type=positive)
    command.add_argument("--learning-rate", type=float)
    command.add_argument("--dropout", type=float)
    command.add_argument("--size", type=positive)
    command.add_argument("--seed", type=natural)
    json_option(command)


def predict_heads(options: argparse.Namespace, card: Card) -> int:
    """Measure each image; the pixel size is that of the option, else the file's, else that of its depth ticks."""
    from core.biometry.reading import check_pixel_size, open_reader
    from core.pixel_size import pixel_size_of

    if options.uncertainty or options.expert_below is not None:
        raise ParameterError("A head is measured with its own interval; leave --uncertainty and --expert-below out.")
    check_pixel_size(options.pixel_size)
    frames, found, paths, bad = [], [], [], 0
    for path in options.image:
        try:
            frame = read_image(path, frame=options.frame - 1)
            size = pixel_size_of(frame, options.pixel_size)
            check_pixel_size(size.mm if size else None)
            found.append(size)
            frames.append(frame.pixels)
            paths.append(path)
        except PlaneLabError as error:
            complain(f"{path}: {error}")
            bad += 1
    if frames:
        reader = open_reader(card.name, model_folder(options.model), report=complain)
        for start in range(0, len(frames), PREDICTION_CHUNK):
            chosen = slice(start, start + PREDICTION_CHUNK)
            sizes = [size.mm if size else None for size in found[chosen]]
            readings = reader.read_all(frames[chosen], sizes)
            for path, size, reading in zip(paths[chosen], found[chosen], readings, strict=True):
                _print_reading(options, card, path, size, reading)
    return EXIT_UNUSABLE if bad else EXIT_OK


def evaluate_heads(options: argparse.Namespace, card: Card) -> int:
    """Measure every frame of a data set and say how far off the model is."""
    from core.biometry.assessment import assess_heads, record_heads
    from core.biometry.reading import open_reader

    if options.protocol:
        raise ParameterError("--protocol is for detectors of corruption; leave it out for this model.")
    table = _heads_table(options)
    folder = model_folder(options.model) / card.name
    reader = open_reader(card.name, folder.parent, report=complain)
    result = assess_heads(reader, card, folder, table, progress=Progress("evaluating"))
    for problem in result.problems:
        complain(problem)
    if options.record:
        arguments = list(options.arguments)
        position = arguments.index("--record")
        del arguments[position : position + 2]
        record_heads(result, card, folder, options.record, [one for one in arguments if one != "--json"])
    if options.json:
        print_json(result.to_dict())
    else:
        _print_assessment(result)
    return EXIT_OK


def _heads_table(options: argparse.Namespace) -> Any:
    """The frames of ``--data``; those that are none of HC18's own examinations are on nobody's side of its split."""
    from core.datasets import load
    from core.datasets.held_out import examination

    if options.label:
        raise ParameterError("Heads are measured, not told apart; leave --label out.")
    table = load(options.data, exclude=options.exclude)
    if not options.split:
        return table
    table = table.chosen(
        [
            side == options.split or examination(path) is None
            for side, path in zip(table.frame["split"], table.paths, strict=True)
        ]
    )
    if not len(table):
        raise DatasetError(f"The data have no side {options.split!r}; leave --split out or choose train or test.")
    return table


def _print_reading(
    options: argparse.Namespace, card: Card, path: Path, size: PixelSize | None, reading: HeadReading
) -> None:
    from core.zoo.heads import CIRCUMFERENCE

    chosen = reading.regression if card.measurement["output"] == CIRCUMFERENCE else reading.segmentation
    notes = [size.note] if size else []
    note = " ".join(notes if reading.pixel_size_mm else [*notes, NO_MILLIMETRES])
    if options.json:
        names = ("mm", "low_mm", "high_mm", "pixels", "low_pixels", "high_pixels")
        row = {name: None if chosen is None else getattr(chosen, name) for name in names}
        source = size.source if size and size.mm else None
        more = {"pixel_size_source": source, "note": note}
        print_json({"path": str(path), "model": card.name, **row, **reading.to_dict(), **more})
        return
    print(f"{path}: head circumference {_amount(chosen)}")
    other = reading.segmentation if chosen is reading.regression else reading.regression
    if other:
        print(f"  the other network: {_amount(other)}")
    if reading.ellipse:
        unit, sizes = ("mm", (reading.bpd_mm, reading.ofd_mm)) if reading.bpd_mm else (
            "pixels", (reading.bpd_pixels, reading.ofd_pixels)
        )  # fmt: skip
        print("  BPD {:.1f} {unit}, OFD {:.1f} {unit}, both outer to outer".format(*sizes, unit=unit))
    age = reading.age if reading.accepted else None
    if age:
        print(f"  gestational age {age} (+- {age.spread:.1f} weeks, Hadlock et al. 1984)")
    for line in [note, reading.why_no_age if reading.pixel_size_mm else None]:
        if line:
            print(f"  {line}")
    for line in reading.refusals:
        print(f"  not to be used: {line}")


def _amount(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not found"
    if estimate.mm is None:
        low, high, value, unit = estimate.low_pixels, estimate.high_pixels, estimate.pixels, "pixels"
    else:
        low, high, value, unit = estimate.low_mm, estimate.high_mm, estimate.mm, "mm"
    return f"{value:.1f} {unit}" + ("" if low is None else f" (90 % interval {low:.1f} to {high:.1f})")


def _print_assessment(result: HeadAssessment) -> None:
    kind = "simulated" if result.simulated else "real"
    print(f"{len(result.rows)} {kind} frames ({result.layout})")
    for part, figures in result.figures.items():
        print(f"{part}: mean absolute error {_millimetres(figures['mae'])}, n = {figures['mae'].n}")
        print(f"  median {_millimetres(figures['median'])}; bias {_millimetres(figures['bias'])}")
        print(f"  limits of agreement {_millimetres(figures['loa_low'])} to {_millimetres(figures['loa_high'])}")
        for title, key in (("relative error", "relative"), ("truth inside the 90 % interval", "coverage")):
            print(f"  {title} {figures[key]}")
        print(f"  refused {figures['refused']}")
        if figures["dice"].n:
            print(f"  Dice {figures['dice']}; Hausdorff distance {_millimetres(figures['hausdorff'])}")


def _millimetres(share: Share) -> str:
    return f"{share.value:.2f} mm [{share.low:.2f}, {share.high:.2f}]" if share.n else "unknown"


def _calibrate(options: argparse.Namespace) -> int:
    from core.biometry.calibration import calibrate, settings_of
    from core.biometry.data import read_heads
    from core.biometry.interval import SHARES, relative_of
    from core.biometry.training import PREPROCESSING, sides
    from core.datasets import load

    card = card_of(options.model)
    if not card.measurement:
        raise ParameterError(f"{card.name} measures no heads; choose a model of the task head_circumference.")
    settings = settings_of(card)
    train, validation = (read_heads(one, PREPROCESSING, settings.size) for one in sides(load(options.data), settings))
    card = calibrate(model_folder(options.model) / card.name, train, validation, options.out_of_fold)
    interval = card.measurement["interval"]
    halves = [(share, relative_of(card, share)) for share in SHARES]
    known = ", ".join(f"+- {half:.1%} at {share:g}" for share, half in halves if half is not None)
    print(
        f"{card.name}: 90 % interval by the circumference over the input's side: {known or 'unknown'}; from "
        f"{interval['n']} frames of {interval['n_examinations']} examinations"
    )
    return EXIT_OK


def _cross_validate(options: argparse.Namespace) -> int:
    from core.biometry.cross_validation import cross_validate
    from core.biometry.settings import HeadSettings
    from core.datasets import load

    names = ("output", "folds", "epochs", "batch_size", "learning_rate", "dropout", "size", "seed")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    base = HeadSettings(**given)
    backbones, losses = options.backbone or [base.backbone], options.loss or [base.loss]
    trials = [replace(base, backbone=backbone, loss=loss) for backbone in backbones for loss in losses]
    summary = cross_validate(
        load(options.data),
        trials,
        options.out,
        fold=options.fold,
        weights=starting_weights(options.weights),
        start=options.start,
        command="python -m core " + shlex.join(options.arguments),
        progress=Progress("training"),
    )
    for row in summary.to_dict("records"):
        if options.json:
            print_json(row)
        else:
            print(
                f"{row['trial']}: mean absolute error {row['mae_mm']:.2f} mm "
                f"[{row['mae_low']:.2f}, {row['mae_high']:.2f}], n = {row['n']}"
            )
    return EXIT_OK
