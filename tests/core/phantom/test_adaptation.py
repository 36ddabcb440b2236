import csv

import cv2
import numpy as np
import pandas as pd
import pytest

from core.cli import main
from core.datasets import load
from core.errors import DatasetError, ParameterError
from core.phantom import LABELS, RealBank, adapt, adaptation, generate, write_folder
from core.phantom.adaptation import REAL, anatomy_mask, match_gray, match_texture, texture_spectrum
from core.phantom.folder import OLD_COLUMNS, read_manifest

NAMES = ("001_HC.png", "002_HC.png", "003_2HC.png", "005_HC.png", "010_HC.png")
HEAD = ((390.0, 260.0), (250.0, 190.0), 100.0)


def speckle(generator, shape, size):
    noise = generator.standard_normal((2, *shape)).astype(np.float32)
    blurred = np.hypot(*(cv2.GaussianBlur(part, (0, 0), size, sigmaY=0.5 * size) for part in noise))
    return blurred / blurred.mean()


def write_frame(folder, name, level=70.0):
    """A fan of speckle with a bright ring where the head is, in HC18's size, and the ring's annotation."""
    generator = np.random.default_rng(int(name[:3]))
    shape = (540, 800)
    gray = level * speckle(generator, shape, 2.5)
    ring = cv2.ellipse(np.zeros(shape, np.uint8), HEAD, 255, 1)
    gray[cv2.ellipse(np.zeros(shape, np.uint8), (HEAD[0], (240.0, 180.0), HEAD[2]), 1, 9) > 0] = 250
    fan = cv2.fillConvexPoly(np.zeros(shape, np.uint8), np.array([[240, 4], [560, 4], [790, 530], [10, 530]]), 1)
    cv2.imwrite(str(folder / name), np.where(fan > 0, np.clip(gray, 6, 255), 0).astype(np.uint8))
    cv2.imwrite(str(folder / name.replace(".png", "_Annotation.png")), ring)


@pytest.fixture(scope="module")
def real_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hc18")
    for name in NAMES:
        write_frame(folder, name)
    rows = [f"{name},0.1,180.0" for name in NAMES]
    table = "\n".join(["filename,pixel size(mm),head circumference (mm)", *rows])
    (folder / "training_set_pixel_size_and_HC.csv").write_text(table + "\n")
    return folder


@pytest.fixture(scope="module")
def bank(real_folder):
    return RealBank.read(real_folder)


@pytest.fixture(scope="module")
def phantom():
    return generate("BPD", 4, size=None)


@pytest.fixture(scope="module")
def among_real(phantom, bank):
    return adapt(phantom, bank, 3, "surroundings")


def shown_frame(bank, adapted):
    """The real frame as an adapted phantom shows it: mirrored, turned and zoomed."""
    name = adapted.parameters["adaptation.real"]
    frame = next(bank.frame(k) for k in range(len(bank)) if bank.paths[k].name == name)
    prefix = adapted.parameters["adaptation.shown"]
    mirrored, turn, zoom = (adapted.parameters.get(f"{prefix}_{part}", 0.0) for part in ("mirrored", "turn", "zoom"))
    matrix = adaptation.shown_matrix(frame, mirrored, turn, zoom)
    return adaptation.shown(frame, matrix)


def test_test_examinations_are_left_out_and_refused(real_folder):
    assert [path.name for path in RealBank.read(real_folder).paths] == ["001_HC.png", "002_HC.png", "003_2HC.png"]
    with pytest.raises(DatasetError, match=r"010_HC\.png is test data"):
        RealBank([real_folder / "001_HC.png", real_folder / "010_HC.png"])


def test_a_frame_needs_its_annotation(tmp_path):
    write_frame(tmp_path, "001_HC.png")
    (tmp_path / "001_HC_Annotation.png").unlink()
    with pytest.raises(DatasetError, match=r"001_HC_Annotation\.png is missing"):
        RealBank([tmp_path / "001_HC.png"])


def test_a_folder_without_hc18_or_frames_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="does not hold HC18"):
        RealBank.read(tmp_path)
    with pytest.raises(DatasetError, match="no real frames"):
        RealBank([])


def test_the_ellipse_is_read_from_the_annotation(bank):
    (x, y), axes, angle = bank.frame(0).head
    scale = 400 / 540
    assert (x, y) == pytest.approx((HEAD[0][0] * scale, HEAD[0][1] * scale), abs=0.6)
    assert sorted(axes) == pytest.approx(sorted(side * scale for side in HEAD[1]), abs=1.5)
    assert min(abs(angle - HEAD[2]), abs(abs(angle - HEAD[2]) - 90)) < 2


@pytest.mark.parametrize("mode", ["surroundings", "statistics"])
def test_the_same_arguments_give_the_same_pixels(phantom, bank, mode):
    first, again, other = (adapt(phantom, bank, seed, mode) for seed in (3, 3, 4))
    assert np.array_equal(first.image, again.image)
    assert first.parameters == again.parameters
    assert first.image.shape != other.image.shape or not np.array_equal(first.image, other.image)


def test_what_is_no_phantom_is_the_real_frame(among_real, bank):
    real = shown_frame(bank, among_real)
    assert np.array_equal(among_real.sector, real.sector)
    assert not among_real.image[~among_real.sector].any()
    outside = cv2.erode((among_real.labels == LABELS[REAL]).astype(np.uint8), np.ones((61, 61), np.uint8)) > 0
    assert outside.sum() > 5000
    assert np.array_equal(among_real.image[outside], np.maximum(real.gray[outside], 1))


def test_the_anatomy_shows_and_the_real_head_does_not(among_real, bank, phantom):
    names = [name for name in ("skull", "brain") if name in phantom.structures]
    for name in names:
        assert np.count_nonzero(among_real.labels == LABELS[name]) > 100
    matrix = np.array(among_real.parameters["adaptation.matrix"]).reshape(2, 3)
    size = among_real.image.shape[::-1]
    moved = cv2.warpAffine(phantom.image, matrix, size, flags=cv2.INTER_LINEAR)
    inside = np.isin(among_real.labels, [LABELS[name] for name in names])
    assert np.corrcoef(moved[inside], among_real.image[inside])[0, 1] > 0.8
    real = shown_frame(bank, among_real)
    was_head = (real.gray > 240) & real.sector & ~inside
    assert was_head.any()
    assert np.mean(among_real.image[was_head] > 200) < 0.1


def test_brightness_does_not_jump_at_the_seam():
    """The phantom's bends to the real one's at the seam and is its own far from it."""
    generator = np.random.default_rng(1)
    plate, image = 80 * speckle(generator, (300, 300), 2.0), 40 * speckle(generator, (300, 300), 2.0)
    away = np.hypot(*(np.mgrid[:300, :300] - 150))
    share = np.clip((115 - away) / 10, 0, 1).astype(np.float32)
    everywhere = np.ones((300, 300), bool)
    joined = adaptation.blend(plate, image, share, everywhere, everywhere)
    levels = [joined[(away >= low) & (away < low + 5)].mean() for low in (98, 105, 110, 117)]
    assert min(levels) > 0.85 * max(levels)
    assert np.allclose(joined[away > 130], plate[away > 130], atol=1e-3)
    assert joined[away < 50].mean() == pytest.approx(40, rel=0.05)
    assert joined[(away > 108.5) & (away < 111.5)].std() > 0.82 * plate.std()


def test_anatomy_is_the_body_without_its_surroundings(phantom):
    mask = anatomy_mask(phantom)
    assert mask[phantom.labels == LABELS["brain"]].all()
    assert mask[phantom.labels == LABELS["maternal tissue"]].mean() < 0.02


def test_statistics_keep_the_place_of_everything(phantom, bank):
    adapted = adapt(phantom, bank, 1, "statistics")
    assert np.array_equal(adapted.labels, phantom.labels)
    assert not adapted.image[~phantom.sector].any()
    assert adapted.image[phantom.sector].min() >= 1
    real = next(bank.frame(k) for k in range(3) if bank.paths[k].name == adapted.parameters["adaptation.real"])
    gap = [abs(np.median(image[phantom.sector]) - np.median(real.gray[real.sector]))
           for image in (adapted.image, phantom.image)]  # fmt: skip
    assert gap[0] < gap[1]


def test_gray_levels_take_the_ranks_of_the_reference():
    generator = np.random.default_rng(0)
    gray = np.clip(generator.normal(80, 15, (200, 200)), 0, 255).astype(np.uint8)
    reference = np.clip(generator.normal(110, 25, (150, 170)), 0, 255).astype(np.uint8)
    everywhere, there = np.ones_like(gray, bool), np.ones_like(reference, bool)
    whole = match_gray(gray, everywhere, reference, there, 1.0)
    assert whole.mean() == pytest.approx(110, abs=1)
    assert whole.std() == pytest.approx(25, abs=1)
    assert match_gray(gray, everywhere, reference, there, 0.5).mean() == pytest.approx(95, abs=1)
    assert np.array_equal(match_gray(gray, everywhere, reference, there, 0.0), gray)


def test_texture_takes_the_spectrum_of_the_reference():
    generator = np.random.default_rng(2)
    fine, coarse = (np.clip(60 * speckle(generator, (260, 300), size), 0, 255).astype(np.uint8) for size in (1.5, 2.2))
    everywhere = np.ones_like(fine, bool)

    def distance(image):
        logs = [np.log(texture_spectrum(one, everywhere)) for one in (image, coarse)]
        return np.abs(logs[0] - logs[1])[4:16, 4:16].mean()

    matched = match_texture(fine, everywhere, coarse, everywhere, 1.0)
    assert distance(matched) < 0.5 * distance(fine)
    assert matched.mean() == pytest.approx(fine.mean(), rel=0.05)


def test_texture_without_room_for_a_block_is_left_alone():
    gray = np.full((100, 100), 50, np.uint8)
    nowhere = np.zeros_like(gray, bool)
    assert texture_spectrum(gray, nowhere) is None
    assert np.array_equal(match_texture(gray, ~nowhere, gray, nowhere, 1.0), gray)


@pytest.mark.parametrize(("seed", "mode"), [(-1, "statistics"), (1.5, "statistics"), (0, "magic")])
def test_unknown_ways_and_seeds_are_refused(phantom, bank, seed, mode):
    with pytest.raises(ParameterError):
        adapt(phantom, bank, seed, mode)


def test_folders_say_what_was_done(tmp_path, bank):
    write_folder(tmp_path, "CRL", 4, 1, size=None, real=bank, real_share=0.5)
    rows = list(read_manifest(tmp_path).values())
    assert {row["adaptation"] for row in rows} == {"surroundings", "statistics"}
    assert all(row["real_file"] in NAMES[:3] for row in rows)
    row = rows[0]
    again = adapt(generate("CRL", int(row["seed"]), size=None), bank, int(row["seed"]), row["adaptation"])
    assert np.array_equal(cv2.imread(str(tmp_path / row["file"]), cv2.IMREAD_UNCHANGED), again.image)
    assert set(load(tmp_path).frame["image_id"]) == {""}


def test_only_native_frames_are_adapted(tmp_path, bank):
    with pytest.raises(ParameterError, match="shape of a scanner's crop"):
        write_folder(tmp_path / "out", "BPD", 1, 0, size=128, real=bank)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        write_folder(tmp_path / "out", "BPD", 1, 0, size=None, real=bank, real_share=1.5)


def test_manifests_without_the_new_columns_are_still_read(tmp_path):
    write_folder(tmp_path, "BPD", 1, 0, size=None)
    table = pd.read_csv(tmp_path / "manifest.csv", dtype=str, keep_default_na=False)
    table[list(OLD_COLUMNS)].to_csv(tmp_path / "manifest.csv", index=False)
    assert read_manifest(tmp_path)["bpd_000000.png"]["adaptation"] == ""
    assert load(tmp_path).frame["image_id"][0].startswith("phantom-BPD-train-")
    write_folder(tmp_path, "NT", 1, 0, size=80)
    with (tmp_path / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["adaptation"] for row in csv.DictReader(stream)] == ["", ""]


def test_the_command_line_adapts(tmp_path, real_folder, capsys):
    given = ["phantom", "--plane", "bpd", "--n", "1", "--real", str(real_folder), "--out", str(tmp_path / "out")]
    assert main([*given, "--native", "--real-share", "1"]) == 0
    row = read_manifest(tmp_path / "out")["bpd_000000.png"]
    assert (row["adaptation"], row["real_file"] in NAMES[:3]) == ("surroundings", True)
    assert main([*given, "--overwrite"]) == 2
    assert "shape of a scanner's crop" in capsys.readouterr().err
