"""The command line: ``python -m core COMMAND``; one function a command, the contract is in the design.

Exit status 0 on success and 2 on unusable arguments or input, with one line per bad input on standard error; of many
inputs the good ones still print. Everything is checked before TensorFlow loads.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ParameterError, PlaneLabError
from core.images import encode_png, read_image

if TYPE_CHECKING:
    from core.zoo.cards import Card
    from core.zoo.prediction import Classifier, Prediction
    from core.zoo.uncertainty import UncertaintyMethod

EXIT_OK = 0
EXIT_UNUSABLE = 2
EXIT_STOPPED = 130
PREDICTION_CHUNK = 128


class _Parser(argparse.ArgumentParser):
    """One line on standard error instead of argparse's usage block."""

    def error(self, message: str) -> Any:
        self.exit(EXIT_UNUSABLE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    options.arguments = arguments
    try:
        return options.run(options)
    except PlaneLabError as error:
        _complain(str(error))
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        _complain("Stopped.")
        return EXIT_STOPPED
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return EXIT_OK
    except OSError as error:
        _complain(
            f"{error.strerror or error}: {error.filename or 'a file'}; check the path, its permissions and free space."
        )
        return EXIT_UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m core", description="PlaneLab: fetal ultrasound standard planes. No medical device."
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser, metavar="COMMAND")

    command = _add(commands, "models", _models, "list the installed models, each task's default first")
    command.add_argument("--figures", action="store_true", help="all measured figures as a Markdown table")
    _json_option(command)

    command = _add(commands, "phantom", _phantom, "simulate frames of a plane, with manifest.csv")
    command.add_argument("--plane", required=True, help="such as crl or abdomen; a wrong name is answered with all")
    command.add_argument("--n", type=_positive, default=10, help="how many")
    command.add_argument("--seed", type=_natural, default=0)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--size", type=_positive, default=299, help="side of the square frames in pixels")
    command.add_argument("--native", action="store_true", help="the shape of a scanner's crop instead of a square")
    command.add_argument("--raw", metavar="SCANNER", help="siemens or ge: whole screens and their clean twins")
    command.add_argument("--masks", action="store_true", help="also write *_mask.png of labelled structures")
    command.add_argument("--settings", default="train", help="ranges of the generator: train or unseen")
    command.add_argument("--overwrite", action="store_true", help="replace frames that are there")
    command.add_argument("--real", type=Path, metavar="DIR", help="with --native: adapt to HC18's frames in DIR")
    command.add_argument(
        "--real-share", type=float, default=0.5, help="of the frames set among real surroundings; others match grays"
    )

    command = _add(commands, "preprocess", _preprocess, "write one PNG per stage of the preprocessing")
    command.add_argument("image", type=Path)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--chain", choices=("plane", "detector"), default="plane")
    command.add_argument("--mask", help="annotation mask: tint, annex, table or none")
    command.add_argument("--fill", help="average or inpaint")
    command.add_argument("--crop", help="automatic, thesis or none")
    command.add_argument("--thesis", action="store_true", help="all settings as the thesis's annex ran them")

    command = _add(commands, "predict", _predict, "probabilities of each image")
    command.add_argument("image", type=Path, nargs="+")
    _model_option(command)
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
    _json_option(command)

    command = _add(commands, "corrupt", _corrupt, "write a corrupted copy of an image and say how similar it still is")
    command.add_argument("image", type=Path)
    command.add_argument("--kind", help="such as scale_up, blur or noise; a wrong name is answered with all")
    command.add_argument("--intensity", type=float, help="in the kind's unit, at 174 pixels of side")
    command.add_argument("--chain", metavar="KIND:INTENSITY,...", help="several, one after the other")
    command.add_argument("--seed", type=_natural, default=0)
    command.add_argument("--clean", action="store_true", help="clean the frame (crop, annotations) first")
    command.add_argument("--out", type=Path, required=True, metavar="OUT.png")
    _json_option(command)

    command = _add(commands, "evaluate", _evaluate, "accuracy of a model on a data set, with intervals")
    _model_option(command)
    _labelled_data_options(command)
    command.add_argument(
        "--protocol", help="of a detector's test: basic (the default), full, limits, foreign, clean or severities"
    )
    command.add_argument("--record", metavar="NAME", help="write the figures into the model's card under this name")
    _json_option(command)

    _sweep_options(_add(commands, "sweep", _sweep, "accuracy and similarity of models as corruptions grow, thresholds"))

    command = _add(commands, "explain", _explain, "map of where a model looked: map.npy and overlay.png")
    command.add_argument("image", type=Path)
    command.add_argument("--method", required=True)
    _model_option(command)
    command.add_argument("--target", metavar="CLASS", help="the class to explain; the predicted one by default")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    _json_option(command)

    command = _add(
        commands, "drift", _drift, "whether explanations break before the prediction does, as frames are corrupted"
    )
    _model_option(command)
    _data_option(command)
    command.add_argument("--name", default="", help="what the data are called; their layout by default")
    command.add_argument("--split", metavar="SIDE", help="only this side of the data's own split: train or test")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="drift.csv.gz and drift.json")
    command.add_argument(
        "--kind", action="append", metavar="KIND", help="a corruption; may be repeated; the thesis's three otherwise"
    )
    command.add_argument(
        "--method", action="append", metavar="NAME", help="of explanation; may be repeated; all that fit otherwise"
    )
    command.add_argument("--limit", type=_positive, metavar="N", help="most images, spread over the classes")
    command.add_argument(
        "--costly-limit", type=_positive, metavar="N", help="most images for methods of many passes (6)"
    )
    command.add_argument("--steps", type=_positive, metavar="M", help="levels of each corruption (12)")
    command.add_argument("--seed", type=_natural, default=0)
    _json_option(command)

    command = _add(commands, "train", _train, "train a model and write its folder with a card")
    _training_options(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--epochs", type=_natural, help="of fine-tuning; early stopping may end before")
    command.add_argument("--head-epochs", type=_natural, help="of the head on frozen features, before that")
    command.add_argument("--fine-tune", metavar="LAYER", help="all, head, or the layer after which layers are trained")
    command.add_argument("--variations", type=_positive, help="augmented copies kept of each image's frozen features")
    command.add_argument("--copies", type=_positive, help="corrupted anew so often, for the task corruption")
    command.add_argument("--batch-size", type=_positive)
    command.add_argument("--augmentation", metavar="PRESET", help="thesis, default, scanner, report, wide or none")
    command.add_argument("--optimiser", metavar="NAME", help="adam or sgd")
    command.add_argument("--schedule", metavar="NAME", help="of the learning rate: cosine, constant or plateau")
    command.add_argument("--learning-rate", type=float)
    command.add_argument("--momentum", type=float)
    command.add_argument("--dropout", type=float)
    command.add_argument("--patience", type=_positive, help="epochs without a better validation loss before the end")
    command.add_argument("--precision", metavar="NAME", help="auto, float32 or mixed_bfloat16")
    command.add_argument("--cache", type=Path, metavar="DIR", help="keep frozen features here for further trainings")
    command.add_argument("--default", action="store_true", help="mark the model as its task's default")

    command = _add(commands, "search", _search, "try hyperparameters of the head on frozen features, cross-validated")
    _training_options(command)
    command.add_argument("--out", type=Path, required=True, metavar="SEARCH.csv")
    command.add_argument("--folds", type=_positive, default=5)
    command.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where frozen features are kept")
    command.add_argument(
        "--try",
        dest="grid",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="values of learning_rate, momentum, dropout, batch_size or epochs; the thesis's grid otherwise",
    )

    _datasets_commands(_add(commands, "datasets", _datasets_check, "download published data sets, or check one"))
    return parser


def _models(options: argparse.Namespace) -> int:
    from core.zoo import list_cards
    from core.zoo.cards import figures_table

    if options.figures:
        print("\n\n".join(figures_table(card) for card in list_cards()))
        return EXIT_OK
    for card in list_cards():
        metric = card.metrics[0] if card.metrics else None
        row = {
            "name": card.name,
            "task": card.task,
            "backbone": card.backbone,
            "classes": card.classes,
            "metric": f"{metric.name}, {metric.data}" if metric else None,
            "value": metric.value if metric else None,
            "n": metric.n if metric else None,
        }
        if options.json:
            _print_json(row)
        else:
            value = f"{row['metric']}: {row['value']:.3f} (n = {row['n']})" if metric else "not evaluated"
            print(f"{card.name:24} {card.task:8} {card.backbone:14} {', '.join(card.classes)}  {value}")
    return EXIT_OK


def _phantom(options: argparse.Namespace) -> int:
    from core.phantom import RealBank, write_folder

    write_folder(
        options.out,
        options.plane,
        options.n,
        options.seed,
        size=None if options.native else options.size,
        raw=options.raw,
        masks=options.masks,
        settings=options.settings,
        overwrite=options.overwrite,
        real=RealBank.read(options.real) if options.real else None,
        real_share=options.real_share,
        progress=_Progress("simulating"),
    )
    return EXIT_OK


def _preprocess(options: argparse.Namespace) -> int:
    from core.preprocessing import THESIS, PreprocessingSettings, run

    base = THESIS if options.thesis else PreprocessingSettings()
    chosen = {name: getattr(options, name) for name in ("mask", "fill", "crop") if getattr(options, name) is not None}
    settings = PreprocessingSettings.from_dict(base.to_dict() | chosen)
    frame = read_image(options.image)
    result = run(frame.pixels, settings, chain=options.chain)
    options.out.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(result.stages, start=1):
        (options.out / f"{number:02d}_{stage.name}.png").write_bytes(encode_png(stage.image))
    for note in (*frame.notes, *result.notes):
        _complain(note)
    return EXIT_OK


def _predict(options: argparse.Namespace) -> int:
    card = _card(options.model)
    from core.preprocessing import PreprocessingSettings, prepare

    sureness = _Sureness.of(options, card)
    settings = PreprocessingSettings.from_dict(card.preprocessing)
    prepared, paths, bad = [], [], 0
    for path in options.image:
        try:
            pixels = read_image(path).pixels
            prepared.append(prepare(pixels, settings, chain=card.input["chain"], size=card.size))
            paths.append(path)
        except PlaneLabError as error:
            _complain(f"{path}: {error}")
            bad += 1
    if prepared:
        model = _load(options.model)
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
        partners = partners_of(card, list_cards(_model_folder(options.model), with_weights=True))
        obstacle = method.obstacle(card, partners)
        if obstacle is not None:
            raise ParameterError(obstacle)
        folder = _model_folder(options.model)
        names = [str(folder / partner.name) for partner in partners] if method.asks_partners else []
        return cls(method, threshold, names)

    def ask(
        self, model: Classifier, images: np.ndarray, paths: Sequence[Path], prediction: Prediction
    ) -> tuple[Prediction, list[dict[str, Any]]]:
        """The prediction with the method's mean probabilities, and what ``--json`` adds of each image."""
        from core.zoo.uncertainty import send_to_expert

        self.loaded = self.loaded or [_load(name) for name in self.partners]
        seen = [np.stack([one.prepare(read_image(path).pixels) for path in paths]) for one in self.loaded]
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
        _print_json(
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


def _corrupt(options: argparse.Namespace) -> int:
    from core.corruption import get as get_corruption
    from core.corruption.chain import Chain, Step
    from core.corruption.severity import severity_of
    from core.preprocessing import PreprocessingSettings, clean, find_sector
    from core.similarity import ssim

    if bool(options.chain) == bool(options.kind):
        raise ParameterError("Give one corruption by --kind and --intensity, or several by --chain.")
    if options.chain:
        chain = Chain.parse(options.chain)
        if options.intensity is not None or not chain.steps:
            raise ParameterError("--chain names its own intensities, as in --chain blur:4,noise:0.1.")
    elif options.intensity is None:
        raise ParameterError(f"--kind {options.kind} needs an --intensity.")
    else:
        chain = Chain((Step(options.kind, options.intensity),))
    if options.out.suffix.lower() != ".png":
        raise ParameterError(f"The output {options.out.name!r} must end in .png; it is written without loss.")
    frame = read_image(options.image)
    if options.clean:
        cleaned = clean(frame.pixels, PreprocessingSettings())
        gray, sector = cleaned.gray, cleaned.sector
    else:
        gray = frame.gray()
        sector = find_sector(frame.pixels).mask
    corrupted = chain.apply(gray, seed=options.seed, sector=sector)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(encode_png(corrupted))
    described = [
        {
            "kind": step.kind,
            "intensity": step.intensity,
            "unit": get_corruption(step.kind).unit,
            "parameter": get_corruption(step.kind).parameter,
            "severity": severity_of(step.kind, step.intensity),
        }
        for step in chain.steps
    ]
    row = {
        **(described[0] if len(described) == 1 else {"chain": described}),
        "seed": options.seed,
        "ssim": ssim(gray, corrupted),
        "ssim_sector": ssim(gray, corrupted, region=sector),
        "ssim_skimage": ssim(gray, corrupted, definition="skimage"),
        "width": gray.shape[1],
        "height": gray.shape[0],
        "path": str(options.out),
    }
    if options.json:
        _print_json(row)
    else:
        print(
            f"{options.out}: "
            + ", then ".join(
                f"{get_corruption(s.kind).title}, {get_corruption(s.kind).amount(s.intensity)}" for s in chain.steps
            )
            + f"; SSIM {row['ssim']:.4f}, in the sector {row['ssim_sector']:.4f}"
        )
    return EXIT_OK


def _evaluate(options: argparse.Namespace) -> int:
    card = _card(options.model)
    from core.zoo.assessment import assess, record

    is_detector = card.task == "corruption"
    if options.protocol and not is_detector:
        raise ParameterError("--protocol is for detectors of corruption; leave it out for this model.")
    table = _labelled_table(options, None if is_detector else card.classes)
    if is_detector:
        from core.zoo.detector_tests import assess_detector

        protocol = options.protocol or "basic"
        result = assess_detector(_load(options.model), table, protocol, progress=_Progress("evaluating"))
    else:
        result = assess(_load(options.model), table, progress=_Progress("evaluating"))
    for problem in result.problems:
        _complain(problem)
    if options.record:
        arguments = list(options.arguments)
        position = arguments.index("--record")
        del arguments[position : position + 2]
        record(
            result,
            card,
            _model_folder(options.model) / card.name,
            options.record,
            [a for a in arguments if a != "--json"],
        )
    if options.json:
        _print_json(result.to_dict())
    else:
        _print_assessment(result)
    return EXIT_OK


def _labelled_table(options: argparse.Namespace, classes: Sequence[str] | None) -> Any:
    """The table of ``--data``, labelled and cut as the options say; of ``classes``, or of any where that is None."""
    from core.datasets import load

    head_label = "BPD" if classes is None or "BPD" in classes else "brain"
    table = load(options.data, head_label=head_label, exclude=options.exclude, classes=classes)
    if options.label:
        table = table.labelled(dict(map(_file_label, options.label)))
        table = table if classes is None else table.of_classes(classes)
    return _side(table, options.split)


def _side(table: Any, split: str | None) -> Any:
    """The rows of one side of the data's own split; all where none is asked for."""
    if not split:
        return table
    table = table.where(split=split)
    if not len(table):
        raise ParameterError(f"The data have no side {split!r}; leave --split out or choose train or test.")
    return table
    table = table.where(split=split)
    if not len(table):
        raise ParameterError(f"The data have no side {split!r}; leave --split out or choose train or test.")
    return table


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
    for name in result.classes:
        print(f"share called {name}: {result.share_called(name)}")
    for title, part in result.parts.items():
        for name in result.classes:
            print(f"{title}, share called {name}: {part.share_called(name)}")
    print(f"share flagged as unlike the training data: {result.unlike_training}")
    for name, share in result.detection.items():
        print(f"{name}: {share}")


def _sweep_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="a name listed by models, or a model folder; once for each model; the plane task's default otherwise",
    )
    _labelled_data_options(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="results, and cells that are finished")
    command.add_argument("--kind", action="append", metavar="KIND", help="once for each; all; or the thesis's three")
    command.add_argument("--grid", default="reference", help="intensities: reference, annex or severities")
    command.add_argument("--side", type=_positive, help="reduce cleaned frames to this square first; the thesis's: 174")
    command.add_argument("--limit", type=_positive, metavar="N", help="images of each class, drawn by the seed")
    command.add_argument("--seed", type=_natural, default=0)
    command.add_argument("--level", type=float, default=0.9, metavar="P", help="accuracy whose crossing is a threshold")
    command.add_argument("--loss", type=float, default=0.05, metavar="P", help="loss from the clean accuracy that is")
    command.add_argument("--baseline", metavar="MODEL", help="corruption errors relative to this model, swept too")
    command.add_argument("--beside", type=Path, metavar="DIR", help="frames of no class, beside data of one class")
    command.add_argument("--title", help="what the data are, for people; the folder's name otherwise")
    command.add_argument("--record", metavar="NAME", help="keep the results with the models under this name")
    _json_option(command)


def _sweep(options: argparse.Namespace) -> int:
    from core.datasets import load
    from core.sweep.engine import check_cards
    from core.sweep.grid import THESIS_KINDS
    from core.sweep.store import CellStore
    from core.sweep.study import CELLS_NAME, Settings, frames_of, run_study

    names = list(options.model or [_model_name(None)])
    if options.baseline is not None and _card(options.baseline).name not in [_card(name).name for name in names]:
        names.append(options.baseline)
    cards = [_card(name) for name in names]
    check_cards(cards)
    settings = Settings(
        kinds=tuple(options.kind or THESIS_KINDS),
        grid=options.grid,
        side=options.side,
        seed=options.seed,
        level=options.level,
        loss=options.loss,
        baseline=None if options.baseline is None else _card(options.baseline).name,
    )
    table = _labelled_table(options, None if cards[0].task == "corruption" else cards[0].classes)
    beside = load(options.beside) if options.beside else None
    frames = frames_of(table, cards[0], beside=beside, limit=options.limit, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    store = CellStore(options.out / CELLS_NAME)
    try:
        study = run_study(
            [_load(name) for name in names],
            frames,
            settings,
            name=options.record or options.title or Path(options.data).name,
            simulated=table.simulated,
            problems=table.problems,
            store=store,
            command="python -m core " + shlex.join(options.arguments),
            progress=_Progress("sweeping"),
        )
    except KeyboardInterrupt:
        _complain(f"What is finished is kept in {options.out / CELLS_NAME}; the same command goes on from there.")
        raise
    finally:
        store.close()
    for problem in study.summary["problems"]:
        _complain(problem)
    study.write(options.out)
    if options.record:
        for name in names:
            study.record(options.record, _card(name).name, _model_folder(name))
    if options.json:
        _print_json(study.summary | {"thresholds": study.thresholds})
    else:
        _print_study(study)
    return EXIT_OK


def _print_study(study: Any) -> None:
    from core.sweep.describe import threshold_lines

    kind = "simulated" if study.simulated else "real"
    print(f"{study.summary['n']} {kind} images ({study.title}); {study.measure}")
    for line in threshold_lines(study):
        print(line)


def _explain(options: argparse.Namespace) -> int:
    from core.explain import get_method

    method = get_method(options.method)
    card = _card(options.model)
    if options.target is not None and options.target not in card.classes:
        raise ParameterError(f"The model knows no class {options.target!r}; choose one of {', '.join(card.classes)}.")
    frame = read_image(options.image)
    model = _load(options.model)
    from core.explain.rendering import overlay
    from core.zoo.prediction import to_unit

    image = model.prepare(frame.pixels)
    prediction = model.predict_prepared(image[None])
    target = options.target or prediction.labels[0]
    started = time.perf_counter()
    values = method.explain_one(model, to_unit(image), card.classes.index(target), _Progress(method.title))
    seconds = time.perf_counter() - started
    options.out.mkdir(parents=True, exist_ok=True)
    np.save(options.out / "map.npy", values)
    (options.out / "overlay.png").write_bytes(encode_png(overlay(image, values, symmetric=method.signed)))
    row = {
        "path": str(options.image),
        "model": card.name,
        "method": method.name,
        "target": target,
        "label": prediction.labels[0],
        "probability": float(prediction.probabilities[0, card.classes.index(target)]),
        "shape": list(values.shape),
        "seconds": round(seconds, 3),
    }
    if options.json:
        _print_json(row)
    else:
        print(f"{method.title} of {target} (probability {row['probability']:.3f}) in {seconds:.2f} s: {options.out}")
    return EXIT_OK


def _drift(options: argparse.Namespace) -> int:
    from core.corruption import CORRUPTIONS
    from core.datasets import load
    from core.explain.drift import DriftSettings, check_methods, methods_for, run_study
    from core.explain.drift_study import MEASURES

    card = _card(options.model)
    thesis = [name for name, kind in CORRUPTIONS.items() if kind.published_limit is not None]
    given = {name: getattr(options, name) for name in ("steps", "limit", "costly_limit", "seed")}
    settings = DriftSettings(
        tuple(dict.fromkeys(options.kind or thesis)),
        tuple(dict.fromkeys(options.method or methods_for(card))),
        **{name: value for name, value in given.items() if value is not None},
    )
    check_methods(card, settings.methods)
    # A detector's classes are no labels: its sample may show anything.
    classes = None if card.task == "corruption" else card.classes
    table = load(options.data, head_label="BPD" if "BPD" in card.classes else "brain", classes=classes)
    table = _side(table, options.split)
    command = "python -m core " + shlex.join(argument for argument in options.arguments if argument != "--json")
    study = run_study(
        _load(options.model), table, settings, name=options.name, command=command, progress=_Progress("drift")
    )
    for problem in study.about["problems"]:
        _complain(problem)
    study.write(options.out)
    for measure in MEASURES:
        if options.json:
            for row in json.loads(study.order(measure).to_json(orient="records")):
                _print_json({"measure": measure, "simulated": study.about["simulated"]} | row)
        else:
            print(study.conclusion(measure))
    if not options.json:
        print(f"wrote {options.out}")
    return EXIT_OK


def _train(options: argparse.Namespace) -> int:
    from core.zoo.training import train

    changes = (
        "epochs", "head_epochs", "fine_tune", "variations", "batch_size", "augmentation", "optimiser", "schedule",
        "learning_rate", "momentum", "dropout", "patience", "precision", "copies",
    )  # fmt: skip
    settings = _training_settings(options, **{name: getattr(options, name) for name in changes})
    command = "python -m core " + shlex.join(options.arguments)
    card = train(
        _training_table(options),
        settings,
        options.out,
        weights=_starting_weights(options.weights),
        cache=options.cache,
        command=command,
        default=options.default,
        progress=_Progress("training"),
    )
    print(f"wrote {options.out} ({card.weights['bytes'] / 1e6:.1f} MB of weights)")
    return EXIT_OK


def _search(options: argparse.Namespace) -> int:
    from core.zoo.training import search

    rows = search(
        _training_table(options),
        _training_settings(options),
        weights=_starting_weights(options.weights),
        grid=dict(map(_grid_values, options.grid)) or None,
        folds=options.folds,
        cache=options.cache,
        progress=_Progress("searching"),
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(options.out, index=False)
    print(rows.head(10).to_string(index=False))
    return EXIT_OK


def _training_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--task", default="plane", help="plane, anatomy or corruption")
    command.add_argument("--backbone", default="mobilenet_v2")
    command.add_argument("--preset", default="default", help="default (ours), thesis or report")
    _data_option(command)
    command.add_argument(
        "--weights", default="imagenet", help="imagenet (downloads), none, or a local .weights.h5 file"
    )
    command.add_argument("--per-class", type=_positive, metavar="N", help="most training images of each class")
    command.add_argument("--size", type=_positive, help="side of the input; the backbone's own by default")
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the network: dense=64; of cnn also filters=[16,32], kernel=2, normalisation=true, convolutions=2",
    )
    command.add_argument("--seed", type=_natural)


def _training_settings(options: argparse.Namespace, **changes: Any) -> Any:
    from core.zoo.training import preset

    architecture = dict(map(_network_option, options.option))
    settings = preset(
        options.preset,
        options.task,
        options.backbone,
        per_class=options.per_class,
        size=options.size,
        seed=options.seed,
        **changes,
    )
    return replace(settings, architecture=settings.architecture | architecture)


def _training_table(options: argparse.Namespace) -> Any:
    from core.datasets import CLASSES, load

    head_label = "BPD" if options.task == "plane" else "brain"
    table = load(options.data, head_label=head_label, classes=CLASSES.get(options.task))
    for problem in table.problems:
        _complain(problem)
    return table


def _starting_weights(text: str) -> str | Path | None:
    if text in ("imagenet", "none"):
        return "imagenet" if text == "imagenet" else None
    if not Path(text).is_file():
        raise ParameterError(f"There is no weight file {text!r}; check the path given with --weights.")
    return Path(text)


def _network_option(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        raise ParameterError(f"The option {text!r} is not NAME=VALUE, such as dense=64 or filters=[16,32].") from None


def _file_label(text: str) -> tuple[str, str]:
    pattern, _, label = text.partition("=")
    if not (pattern and label):
        raise ParameterError(f"{text!r} is not PATTERN=CLASS, such as brain_*=brain.")
    return pattern, label


def _grid_values(text: str) -> tuple[str, tuple[float, ...]]:
    name, _, values = text.partition("=")
    try:
        return name, tuple(float(value) for value in values.split(","))
    except ValueError:
        raise ParameterError(f"{text!r} is not NAME=VALUE,VALUE, such as dropout=0,0.3,0.5.") from None


def _datasets_commands(command: argparse.ArgumentParser) -> None:
    commands = command.add_subparsers(dest="datasets_command", required=True, parser_class=_Parser, metavar="COMMAND")

    command = _add(commands, "download", _datasets_download, "fetch, verify and unpack; goes on where it was stopped")
    command.add_argument("name", metavar="NAME", help="hc18 or fetal-planes")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--server", metavar="URL", help="a mirror of Zenodo")

    command = _add(commands, "check", _datasets_check, "what a data set holds and what is wrong with it, by name")
    command.add_argument("data", type=Path, metavar="DIR")
    _json_option(command)


def _datasets_download(options: argparse.Namespace) -> int:
    from core.datasets.download import SERVER, download

    shown: dict[str, _Progress] = {}
    download(
        options.name,
        options.out,
        server=options.server or SERVER,
        progress=lambda what, share: shown.setdefault(what, _Progress(what))(share),
    )
    print(
        f"{options.name} is in {options.out}; python -m core datasets check {shlex.quote(str(options.out))} counts it"
    )
    return EXIT_OK


def _datasets_check(options: argparse.Namespace) -> int:
    from core.datasets import load, summarise, without_unreadable

    summary = summarise(without_unreadable(load(options.data), _Progress("reading")))
    if options.json:
        _print_json(summary.to_dict())
    else:
        print(summary)
    return EXIT_OK


class _Progress:
    """A line on standard error that says how far a long task is; nothing where nobody watches a terminal."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()

    def __call__(self, share: float) -> None:
        if not sys.stderr.isatty():
            return
        elapsed = time.monotonic() - self.started
        left = f", {elapsed / share - elapsed:.0f} s left" if share > 0 else ""
        end = "\n" if share >= 1 else ""
        print(f"\r{self.title}: {100 * share:3.0f} %{left}    ", end=end, file=sys.stderr, flush=True)


def _card(name: str | None) -> Any:
    from core.zoo import read_card

    return read_card(_model_name(name), _model_folder(name))


def _load(name: str | None) -> Classifier:
    from core.zoo import load_model

    return load_model(_model_name(name), _model_folder(name))


def _model_name(name: str | None) -> str:
    from core.zoo import default_name

    return Path(name).name if name else default_name()


def _model_folder(name: str | None) -> Path:
    """The folder of the models, or that of a model given by its path."""
    from core.zoo.registry import MODELS_FOLDER

    return Path(name).parent if name and len(Path(name).parts) > 1 else MODELS_FOLDER


def _add(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], description: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=description, description=description)
    command.set_defaults(run=run)
    return command


def _model_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", metavar="NAME", help="a name listed by models, or a model folder; the plane task's default otherwise"
    )


def _data_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="a folder per class, FETAL_PLANES_DB or HC18 as published, phantoms with their manifest, plain images; "
        "or phantoms simulated as they are read: phantom:PLANES:N[:SETTINGS[:SEED]], as phantom:BPD,CRL,NT:300:unseen",
    )


def _labelled_data_options(command: argparse.ArgumentParser) -> None:
    _data_option(command)
    command.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="leave such file names out")
    command.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="PATTERN=CLASS",
        help="label files by name, such as brain_*=brain",
    )
    command.add_argument("--split", metavar="SIDE", help="only this side of the data's own split: train or test")


def _json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="one JSON object per line on standard output")


def _positive(text: str) -> int:
    value = _natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _natural(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def _print_json(row: dict[str, Any]) -> None:
    print(json.dumps(row, allow_nan=False), flush=True)


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
