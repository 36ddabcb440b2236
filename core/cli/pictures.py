"""``phantom``, ``preprocess`` and ``corrupt``: commands that write pictures and need no model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli.shared import (
    EXIT_OK,
    Progress,
    add_command,
    complain,
    frame_option,
    json_option,
    natural,
    positive,
    print_json,
)
from core.errors import ParameterError
from core.files import write_whole
from core.images import encode_png, read_image


def register(commands: Any) -> None:
    command = add_command(commands, "phantom", _phantom, "simulate frames of a plane, with manifest.csv")
    command.add_argument("--plane", required=True, help="such as crl or abdomen; a wrong name is answered with all")
    command.add_argument("--n", type=positive, default=10, help="how many")
    command.add_argument("--seed", type=natural, default=0)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--size", type=positive, default=299, help="side of the square frames in pixels")
    command.add_argument("--native", action="store_true", help="the shape of a scanner's crop instead of a square")
    command.add_argument("--raw", metavar="SCANNER", help="siemens or ge: whole screens and their clean twins")
    command.add_argument("--masks", action="store_true", help="also write *_mask.png of labelled structures")
    command.add_argument("--settings", default="train", help="ranges of the generator: train or unseen")
    command.add_argument("--overwrite", action="store_true", help="replace frames that are there")
    command.add_argument("--real", type=Path, metavar="DIR", help="with --native: adapt to HC18's frames in DIR")
    command.add_argument(
        "--real-share", type=float, default=0.5, help="of the frames set among real surroundings; others match grays"
    )

    command = add_command(commands, "preprocess", _preprocess, "write one PNG per stage of the preprocessing")
    command.add_argument("image", type=Path)
    frame_option(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--chain", choices=("plane", "detector"), default="plane")
    command.add_argument("--mask", help="annotation mask: tint, annex, table or none")
    command.add_argument("--fill", help="average or inpaint")
    command.add_argument("--crop", help="automatic, thesis or none")
    command.add_argument("--thesis", action="store_true", help="all settings as the thesis's annex ran them")

    command = add_command(
        commands, "corrupt", _corrupt, "write a corrupted copy of an image and say how similar it still is"
    )
    command.add_argument("image", type=Path)
    frame_option(command)
    command.add_argument("--kind", help="such as scale_up, blur or noise; a wrong name is answered with all")
    command.add_argument("--intensity", type=float, help="in the kind's unit, at 174 pixels of side")
    command.add_argument("--chain", metavar="KIND:INTENSITY,...", help="several, one after the other")
    command.add_argument("--seed", type=natural, default=0)
    command.add_argument("--clean", action="store_true", help="clean the frame (crop, annotations) first")
    command.add_argument("--out", type=Path, required=True, metavar="OUT.png")
    json_option(command)


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
        progress=Progress("simulating"),
    )
    return EXIT_OK


def _preprocess(options: argparse.Namespace) -> int:
    from core.preprocessing import THESIS, PreprocessingSettings, run

    base = THESIS if options.thesis else PreprocessingSettings()
    chosen = {name: getattr(options, name) for name in ("mask", "fill", "crop") if getattr(options, name) is not None}
    settings = PreprocessingSettings.from_dict(base.to_dict() | chosen)
    frame = read_image(options.image, frame=options.frame - 1)
    result = run(frame.pixels, settings, chain=options.chain)
    options.out.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(result.stages, start=1):
        write_whole(options.out / f"{number:02d}_{stage.name}.png", encode_png(stage.image))
    for note in (*frame.notes, *result.notes):
        complain(note)
    return EXIT_OK


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
    frame = read_image(options.image, frame=options.frame - 1)
    if options.clean:
        cleaned = clean(frame.pixels, PreprocessingSettings())
        gray, sector = cleaned.gray, cleaned.sector
    else:
        gray = frame.gray()
        sector = find_sector(frame.pixels).mask
    corrupted = chain.apply(gray, seed=options.seed, sector=sector)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(options.out, encode_png(corrupted))
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
        print_json(row)
    else:
        print(
            f"{options.out}: "
            + ", then ".join(
                f"{get_corruption(s.kind).title}, {get_corruption(s.kind).amount(s.intensity)}" for s in chain.steps
            )
            + f"; SSIM {row['ssim']:.4f}, in the sector {row['ssim_sector']:.4f}"
        )
    return EXIT_OK
