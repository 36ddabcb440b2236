"""``methods``, ``explain``, ``maximise``, ``drift``, ``faithfulness``, ``perturbation``: where a model looked, and
whether that is true."""

from __future__ import annotations

import argparse
import io
import json
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.cli.shared import (
    EXIT_OK,
    Progress,
    add_command,
    card_of,
    complain,
    data_option,
    frame_option,
    json_option,
    listed_cards,
    load_named,
    model_folder,
    model_name,
    model_option,
    natural,
    positive,
    print_json,
    side_of,
)
from core.errors import ParameterError
from core.files import write_whole
from core.images import encode_png, read_image

if TYPE_CHECKING:
    from core.datasets import Table
    from core.explain.stored_study import StudySettings


def register(commands: Any) -> None:
    command = add_command(commands, "methods", _methods, "list the methods of explanation, and which models each fits")
    json_option(command)

    command = add_command(commands, "explain", _explain, "map of where a model looked: map.npy and overlay.png")
    command.add_argument("image", type=Path)
    frame_option(command)
    command.add_argument("--method", required=True)
    model_option(command)
    command.add_argument("--target", metavar="CLASS", help="the class to explain; the predicted one by default")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    json_option(command)

    command = add_command(
        commands, "maximise", _maximise, "what a class looks like to a model: picture.png and score.csv"
    )
    model_option(command)
    command.add_argument("--target", required=True, metavar="CLASS")
    command.add_argument("--preset", default="readable", metavar="NAME", help="readable, thesis_text or thesis_annex")
    command.add_argument("--steps", type=positive, metavar="N", help="of gradient ascent; the preset's otherwise")
    command.add_argument("--seed", type=natural, default=0)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    json_option(command)

    command = add_command(
        commands, "drift", _drift, "whether explanations break before the prediction does, as frames are corrupted"
    )
    model_option(command)
    data_option(command)
    command.add_argument("--name", default="", help="what the data are called; their layout by default")
    command.add_argument("--split", metavar="SIDE", help="only this side of the data's own split: train or test")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="drift.csv.gz and drift.json")
    command.add_argument(
        "--kind", action="append", metavar="KIND", help="a corruption; may be repeated; the thesis's three otherwise"
    )
    command.add_argument(
        "--method", action="append", metavar="NAME", help="of explanation; may be repeated; all quick ones otherwise"
    )
    command.add_argument("--limit", type=positive, metavar="N", help="most images, spread over the classes")
    command.add_argument(
        "--costly-limit", type=positive, metavar="N", help="most images for methods of many passes (6)"
    )
    command.add_argument("--steps", type=positive, metavar="M", help="levels of each corruption (12)")
    command.add_argument("--seed", type=natural, default=0)
    json_option(command)

    command = add_command(
        commands, "faithfulness", _faithfulness, "which explanation tells the truth: every method scored on a sample"
    )
    model_option(command)
    _study_options(command, "images that methods of many passes explain again, for stability and randomisation (24)")
    command.add_argument("--fill", default="black", help="what hidden pixels become: black, mean, blur or noise")

    command = add_command(
        commands, "perturbation", _perturbation, "what explains a measured head: heads hidden region by region"
    )
    command.add_argument(
        "--model", required=True, metavar="NAME", help="that measures the circumference at once: a name, or its folder"
    )
    _study_options(command, "heads for methods of many passes (40)")
    command.add_argument(
        "--grid", action="append", type=positive, metavar="G", help="regions along a side; may be repeated; 4 and 8"
    )
    command.add_argument(
        "--fill",
        action="append",
        metavar="NAME",
        help="what hidden regions become; may be repeated; noise, black, mean and blur otherwise",
    )


def _study_options(command: argparse.ArgumentParser, costly: str) -> None:
    """What studies of every method on a sample ask for: data, methods, sizes, where to write."""
    data_option(command)
    command.add_argument("--split", metavar="SIDE", help="only this side of the data's own split: train or test")
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="tables; and the work, so that a stopped run goes on"
    )
    command.add_argument(
        "--method", action="append", metavar="NAME", help="of explanation; may be repeated; all that fit otherwise"
    )
    command.add_argument("--limit", type=positive, metavar="N", help="most images, spread over the classes")
    command.add_argument("--costly-limit", type=positive, metavar="N", help=f"most {costly}")
    command.add_argument("--seed", type=natural, default=0)
    command.add_argument("--record", metavar="NAME", help="keep the tables with the model, the data being called so")
    json_option(command)


def _methods(options: argparse.Namespace) -> int:
    from core.explain import get_method
    from core.explain.coverage import WORKS, coverage

    cards, status = listed_cards()
    found = coverage(cards)
    for name, models in found.obstacles.items():
        method = get_method(name)
        if options.json:
            about = {field: getattr(method, field) for field in ("title", "family", "signed", "costly", "paper")}
            print_json({"name": name} | about | {"models": models})
            continue
        print(f"{name:24} {method.title}. {method.explanation} {method.paper}")
        for model, reason in models.items():
            print(f"  {model:24} {reason or WORKS}")
    return status


def _explain(options: argparse.Namespace) -> int:
    from core.explain import get_method, measures

    method = get_method(options.method)
    card = card_of(options.model)
    method.check(card)
    if options.target is not None:
        _check_class(card, options.target)
    frame = read_image(options.image, frame=options.frame - 1)
    model = load_named(options.model)
    from core.explain.rendering import overlay
    from core.zoo.prediction import to_unit

    image = model.prepare(frame.pixels)
    if measures(card):
        target, answer = card.classes[0], _circumference(model, frame.pixels)
        said = f"{answer['pixels']:.0f} pixels of the frame"
    else:
        prediction = model.predict_prepared(image[None])
        target = options.target or prediction.labels[0]
        probability = float(prediction.probabilities[0, card.classes.index(target)])
        answer = {"label": prediction.labels[0], "probability": probability}
        said = f"probability {probability:.3f}"
    started = time.perf_counter()
    explained = method.explain_and_tell(model, to_unit(image), card.classes.index(target), Progress(method.title))
    seconds = time.perf_counter() - started
    options.out.mkdir(parents=True, exist_ok=True)
    raw = io.BytesIO()
    np.save(raw, explained.map)
    write_whole(options.out / "map.npy", raw.getvalue())
    drawn = overlay(image, explained.map, symmetric=method.is_signed(card))
    write_whole(options.out / "overlay.png", encode_png(drawn))
    row = {
        "path": str(options.image),
        "model": card.name,
        "method": method.name,
        "target": target,
        **answer,
        "shape": list(explained.map.shape),
        "facts": explained.facts,
        "seconds": round(seconds, 3),
    }
    if options.json:
        print_json(row)
    else:
        print(f"{method.title} of {target} ({said}) in {seconds:.2f} s: {options.out}")
        if explained.note:
            print(explained.note)
    return EXIT_OK


def _circumference(model: Any, pixels: np.ndarray) -> dict[str, float]:
    """The circumference that a regression measures in a frame (H, W) or (H, W, 3) uint8, in pixels of that frame."""
    from core.preprocessing import clean
    from core.zoo.heads import frame_pixels

    image, matrix = model.prepare_cleaned(clean(pixels, model.settings))
    return {"pixels": float(frame_pixels(model.scores(image[None])[:, 0], [matrix])[0])}


def _maximise(options: argparse.Namespace) -> int:
    from core.explain import check_classes
    from core.explain.activation_maximization import activation_maximization, preset

    settings = preset(options.preset)
    settings = replace(settings, seed=options.seed, steps=options.steps or settings.steps)
    card = card_of(options.model)
    check_classes(card, "Activation maximization")
    _check_class(card, options.target)
    model = load_named(options.model)
    started = time.perf_counter()
    title = "activation maximization"
    result = activation_maximization(model, card.classes.index(options.target), settings, Progress(title))
    seconds = time.perf_counter() - started
    options.out.mkdir(parents=True, exist_ok=True)
    write_whole(options.out / "picture.png", encode_png(np.round(255 * result.picture).astype(np.uint8)))
    lines = [f"{step},{score:.6g}" for step, score in enumerate(result.scores)]
    write_whole(options.out / "score.csv", "\n".join(["step,score", *lines]) + "\n")
    first, last = float(result.scores[0]), float(result.scores[-1])
    if options.json:
        row = {"model": card.name, "target": options.target, "preset": options.preset, "seed": options.seed}
        scores = {"steps": settings.steps, "first_score": first, "last_score": last, "seconds": round(seconds, 3)}
        print_json(row | scores)
    else:
        print(f"{options.target}: score {first:.2f} to {last:.2f} in {settings.steps} steps: {options.out}")
    return EXIT_OK


def _check_class(card: Any, name: str) -> None:
    if name not in card.classes:
        raise ParameterError(f"The model knows no class {name!r}; choose one of {', '.join(card.classes)}.")


def _drift(options: argparse.Namespace) -> int:
    from core.corruption import CORRUPTIONS
    from core.datasets import load
    from core.explain import check_classes, get_method, methods_for
    from core.explain.drift import DriftSettings, check_model, run_study
    from core.explain.drift_study import MEASURES

    card = card_of(options.model)
    check_classes(card, "A drift study")
    quick = [name for name in methods_for(card) if not get_method(name).costly]
    thesis = [name for name, kind in CORRUPTIONS.items() if kind.published_limit is not None]
    given = {name: getattr(options, name) for name in ("steps", "limit", "costly_limit", "seed")}
    settings = DriftSettings(
        tuple(dict.fromkeys(options.kind or thesis)),
        tuple(dict.fromkeys(options.method or quick)),
        **{name: value for name, value in given.items() if value is not None},
    )
    check_model(card, settings.methods)
    # A detector's classes are no labels: its sample may show anything.
    classes = None if card.task == "corruption" else card.classes
    table = load(options.data, head_label="BPD" if "BPD" in card.classes else "brain", classes=classes)
    table = side_of(table, options.split)
    study = run_study(
        load_named(options.model),
        table,
        settings,
        name=options.name,
        command=_command_line(options),
        progress=Progress("drift"),
    )
    for problem in study.about["problems"]:
        complain(problem)
    study.write(options.out)
    for measure in MEASURES:
        if options.json:
            for row in json.loads(study.order(measure).to_json(orient="records")):
                print_json({"measure": measure, "simulated": study.about["simulated"]} | row)
        else:
            print(study.conclusion(measure))
    if not options.json:
        print(f"wrote {options.out}")
    return EXIT_OK


def _faithfulness(options: argparse.Namespace) -> int:
    from core.datasets import load
    from core.explain import check_classes, check_methods, methods_for
    from core.explain.faithfulness import FaithfulnessSettings, Scoring, run_study, untrained

    card = card_of(options.model)
    check_classes(card, "A study of faithfulness")
    settings = FaithfulnessSettings(
        tuple(dict.fromkeys(options.method or methods_for(card))),
        scoring=Scoring(fill=options.fill, seed=options.seed),
        **_limits(options),
    )
    check_methods(card, settings.methods)
    _check_record(options)
    # A detector's classes are no labels: its sample may show anything.
    classes = None if card.task == "corruption" else card.classes
    table = load(options.data, head_label="BPD" if "BPD" in card.classes else "brain", classes=classes)
    table = untrained(card, side_of(table, options.split), str(options.data))
    return _run_and_tell(run_study, table, settings, options)


def _perturbation(options: argparse.Namespace) -> int:
    from core.datasets import load
    from core.explain import methods_for
    from core.explain.faithfulness import untrained
    from core.explain.head_run import HeadStudySettings, check_regression, run_head_study
    from core.explain.regression_perturbation import Protocol

    card = card_of(options.model)
    given = {"grids": options.grid, "fills": options.fill}
    protocol = Protocol(
        seed=options.seed, **{name: tuple(dict.fromkeys(values)) for name, values in given.items() if values}
    )
    check_regression(card, tuple(options.method or ()))
    settings = HeadStudySettings(
        tuple(dict.fromkeys(options.method or methods_for(card))), protocol=protocol, **_limits(options)
    )
    _check_record(options)
    # HC18 holds training and test examinations in one folder; those the model may have seen are left out by name.
    table = untrained(card, side_of(load(options.data, head_label="brain"), options.split))
    return _run_and_tell(run_head_study, table, settings, options)


def _check_record(options: argparse.Namespace) -> None:
    if options.record and Path(options.record).name != options.record:
        raise ParameterError(f"{options.record!r} is no name for a folder; use letters, digits and hyphens.")


def _limits(options: argparse.Namespace) -> dict[str, int]:
    """The limits that were given; those that were not are left to the settings."""
    given = {name: getattr(options, name) for name in ("limit", "costly_limit")}
    return {name: value for name, value in given.items() if value is not None}


def _command_line(options: argparse.Namespace) -> str:
    """What makes the study again; how it was printed does not matter."""
    return "python -m core " + shlex.join(argument for argument in options.arguments if argument != "--json")


def _run_and_tell(run: Callable[..., Any], table: Table, settings: StudySettings, options: argparse.Namespace) -> int:
    """Run a study, write it, record it with the model if that is asked for, and print what it found."""
    from core.sweep.study import slug

    files = settings.files
    study = run(
        load_named(options.model),
        table,
        settings,
        options.out,
        name=options.record or "",
        command=_command_line(options),
        progress=Progress(files.name),
    )
    for problem in study.about["problems"]:
        complain(problem)
    study.write(options.out)
    if options.record:
        study.write(model_folder(options.model) / model_name(options.model) / files.name / slug(options.record))
    if options.json:
        for row in json.loads(study.scores.to_json(orient="records")):
            print_json({"simulated": study.about["simulated"]} | row)
    else:
        for sentence in study.conclusions():
            print(sentence)
        print(f"wrote {options.out}")
    return EXIT_OK
