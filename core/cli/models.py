"""``models``, ``predict`` and ``evaluate``: what is installed, what it says, how good it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.cli.heads import evaluate_heads, predict_heads
from core.cli.shared import (
    EXIT_OK,
    EXIT_UNUSABLE,
    Progress,
    add_command,
    card_of,
    complain,
    frame_option,
    json_option,
    labelled_data_options,
    labelled_table,
    listed_cards,
    load_named,
    model_folder,
    model_option,
    print_json,
)
from core.errors import ParameterError, PlaneLabError
from core.images import read_image

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier, Prediction
    from core.zoo.uncertainty import UncertaintyMethod

PREDICTION_CHUNK = 128


def register(commands: Any) -> None:
    command = add_command(commands, "models", _models, "list the installed models, each task's default first")
    command.add_argument("--figures", action="store_true", help="all measured figures as a Markdown table")
    json_option(command)

    command = add_command(commands, "predict", _predict, "probabilities of each image")
    command.add_argument("image", type=Path, nargs="+")
    frame_option(command)
    model_option(command)
    command.add_argument(
        "--uncertainty",
        metavar="METHOD",
        help="single, test_time_augmentation, monte_carlo_dropout or ensemble: answer with its mean, add its spread "
        "and whether to send the image to an expert",
    )
    command.add_argument(
        "--expert-below",
        type=float,
        metavar="P",
        help="with --uncertainty: send to an expert below this probability (0.9)",
    )
    command.add_argument(
        "--pixel-size", type=float, metavar="MM", help="of a model of heads: side of a pixel of these images"
    )
    json_option(command)

    command = add_command(commands, "evaluate", _evaluate, "accuracy of a model on a data set, with intervals")
    model_option(command)
    labelled_data_options(command)
    command.add_argument(
        "--protocol", help="of a detector's test: basic (the default), full, limits, foreign, clean or severities"
    )
    command.add_argument("--record", metavar="NAME", help="write the figures into the model's card under this name")
    json_option(command)


def _models(options: argparse.Namespace) -> int:
    from core.zoo.cards import figures_table

    cards, status = listed_cards()
    if options.figures:
        print("\n\n".join(figures_table(card) for card in cards))
        return status
    for card in cards:
        metric = card.metrics[0] if card.metrics else None
        row = {
            "name": card.name,
            "task": card.task,
            "backbone": card.backbone,
            "classes": card.classes,
            "metric": f"{metric.name}, {metric.data}" if metric else None,
            "value": metric.value if metric else None,
            "unit": metric.unit if metric else None,
            "n": metric.n if metric else None,
        }
        if options.json:
            print_json(row)
        else:
            value = f"{row['metric']}: {metric.value_text} (n = {metric.n})" if metric else "not evaluated"
            print(f"{card.name:24} {card.task:8} {card.backbone:14} {', '.join(card.classes)}  {value}")
    return status


def _predict(options: argparse.Namespace) -> int:
    card = card_of(options.model)
    if card.measurement:
        return predict_heads(options, card)
    if options.pixel_size is not None:
        raise ParameterError("--pixel-size is for models of heads; leave it out for this model.")
    from core.preprocessing import PreprocessingSettings, prepare

    sureness = _Sureness.of(options, card)
    settings = PreprocessingSettings.from_dict(card.preprocessing)
    prepared, paths, bad = [], [], 0
    for path in options.image:
        try:
            pixels = read_image(path, frame=options.frame - 1).pixels
            prepared.append(prepare(pixels, settings, chain=card.input["chain"], size=card.size))
            paths.append(path)
        except PlaneLabError as error:
            complain(f"{path}: {error}")
            bad += 1
    if prepared:
        model = load_named(options.model)
        for start in range(0, len(prepared), PREDICTION_CHUNK):
            chosen = slice(start, start + PREDICTION_CHUNK)
            images = np.stack(prepared[chosen])
            prediction = model.predict_prepared(images)
            added = _verdicts(model, prediction) if card.task == "corruption" else [{}] * len(images)
            if sureness:
                prediction, spread = sureness.ask(model, images, paths[chosen], prediction)
                added = [one | more for one, more in zip(added, spread, strict=True)]
            for index, path in enumerate(paths[chosen]):
                _print_prediction(options, card.name, path, prediction, index, added[index])
    return EXIT_UNUSABLE if bad else EXIT_OK


def _verdicts(model: Classifier, prediction: Prediction) -> list[dict[str, Any]]:
    """What ``--json`` adds of each image a detector of corruption has judged."""
    from core.zoo.detection import judge

    return [
        {"verdict": one.label, "reason": one.reason, "findings": [asdict(finding) for finding in one.findings]}
        for one in judge(model, prediction)
    ]


@dataclass
class _Sureness:
    """What ``--uncertainty`` asks for, and the other models of an ensemble, loaded once."""

    method: UncertaintyMethod
    threshold: float
    partners: list[str]
    frame: int
    loaded: list[Classifier] = field(default_factory=list)

    @classmethod
    def of(cls, options: argparse.Namespace, card: Card) -> _Sureness | None:
        from core.zoo import list_cards
        from core.zoo.uncertainty import DEFAULT_THRESHOLD, get_method, partners_of

        if options.uncertainty is None:
            if options.expert_below is not None:
                raise ParameterError("--expert-below needs --uncertainty METHOD, such as --uncertainty single.")
            return None
        threshold = DEFAULT_THRESHOLD if options.expert_below is None else options.expert_below
        if not 0 <= threshold <= 1:
            raise ParameterError(f"--expert-below {threshold:g} is no probability; give a number from 0 to 1.")
        method = get_method(options.uncertainty)
        partners = partners_of(card, list_cards(model_folder(options.model), with_weights=True))
        obstacle = method.obstacle(card, partners)
        if obstacle is not None:
            raise ParameterError(obstacle)
        folder = model_folder(options.model)
        names = [str(folder / partner.name) for partner in partners] if method.asks_partners else []
        return cls(method, threshold, names, options.frame - 1)

    def ask(
        self, model: Classifier, images: np.ndarray, paths: Sequence[Path], prediction: Prediction
    ) -> tuple[Prediction, list[dict[str, Any]]]:
        """The prediction with the method's mean probabilities, and what ``--json`` adds of each image."""
        from core.zoo.uncertainty import send_to_expert

        self.loaded = self.loaded or [load_named(name) for name in self.partners]
        opened = [read_image(path, frame=self.frame).pixels for path in paths] if self.loaded else []
        seen = [np.stack([one.prepare(pixels) for pixels in opened]) for one in self.loaded]
        result = self.method.estimate(model, images, partners=list(zip(self.loaded, seen, strict=True)))
        expert = send_to_expert(result.confidence, prediction.unlike_training, self.threshold)
        added = [
            {
                "uncertainty": self.method.name,
                "spread": dict(zip(result.classes, result.spread[index].tolist(), strict=True)),
                "mutual_information_bits": float(result.mutual_information[index]),
                "expert": bool(expert[index]),
            }
            for index in range(len(images))
        ]
        return replace(prediction, probabilities=result.mean), added


def _print_prediction(
    options: argparse.Namespace, model: str, path: Path, prediction: Prediction, index: int, added: dict[str, Any]
) -> None:
    probabilities = dict(zip(prediction.classes, prediction.probabilities[index].tolist(), strict=True))
    label = prediction.labels[index]
    unlike = bool(prediction.unlike_training[index])
    if options.json:
        print_json(
            {
                "path": str(path),
                "model": model,
                "label": label,
                "probabilities": probabilities,
                "entropy_bits": float(prediction.entropy[index]),
                "unlike_training": unlike,
                **added,
            }
        )
        return
    shares = "  ".join(
        f"{name} {value:.3f}" + (f" ± {added['spread'][name]:.3f}" if "spread" in added else "")
        for name, value in probabilities.items()
    )
    notes = ["unlike the training data"] * unlike + ["send to an expert"] * added.get("expert", False)
    if "verdict" in added:
        label = f"{added['verdict']} ({added['reason']})"
    print(f"{path}: {label}  {shares}" + (f"  ({', '.join(notes)})" if notes else ""))


def _evaluate(options: argparse.Namespace) -> int:
    card = card_of(options.model)
    if card.measurement:
        return evaluate_heads(options, card)
    from core.zoo.assessment import assess, record

    is_detector = card.task == "corruption"
    if options.protocol and not is_detector:
        raise ParameterError("--protocol is for detectors of corruption; leave it out for this model.")
    table = labelled_table(options, None if is_detector else card.classes)
    if is_detector:
        from core.zoo.detector_tests import assess_detector

        protocol = options.protocol or "basic"
        result = assess_detector(load_named(options.model), table, protocol, progress=Progress("evaluating"))
    else:
        result = assess(load_named(options.model), table, progress=Progress("evaluating"))
    for problem in result.problems:
        complain(problem)
    if options.record:
        arguments = list(options.arguments)
        position = arguments.index("--record")
        del arguments[position : position + 2]
        record(
            result,
            card,
            model_folder(options.model) / card.name,
            options.record,
            [a for a in arguments if a != "--json"],
        )
    if options.json:
        print_json(result.to_dict())
    else:
        _print_assessment(result)
    return EXIT_OK


def _print_assessment(result: Any) -> None:
    from core.evaluation import class_measures

    kind = "simulated" if result.simulated else "real"
    print(f"{len(result.rows)} {kind} images ({result.layout})")
    if len(result.labelled):
        print(f"accuracy {result.accuracy}; mean recall {result.mean_recall}")
        width = max(map(len, result.classes)) + 2
        print("true \\ predicted".ljust(18) + "".join(name.rjust(width + 4) for name in result.classes))
        for name, row in zip(result.classes, result.matrix, strict=True):
            print(name.ljust(18) + "".join(str(count).rjust(width + 4) for count in row))
        for measures in class_measures(result.matrix, result.classes):
            if measures.support:
                print(f"{measures.name}: sensitivity {measures.sensitivity}; specificity {measures.specificity}")
    for name in [] if result.detection else result.classes:
        print(f"share called {name}: {result.share_called(name)}")
    for title, part in result.parts.items():
        for name in result.classes:
            print(f"{title}, share called {name}: {part.share_called(name)}")
    print(f"share flagged as unlike the training data: {result.unlike_training}")
    for name, share in result.detection.items():
        print(f"{name}: {share}")
