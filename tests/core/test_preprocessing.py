"""The preprocessing pipeline against the thesis's own code, drawn screens with known truth, and arbitrary arrays."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import exposure

from core.errors import ImageError, ParameterError, PlaneLabError
from core.preprocessing import (
    COLOUR_BOXES,
    THESIS,
    Box,
    Cleaned,
    PreprocessingSettings,
    annotation_mask,
    clean,
    estimate_tint,
    fill_annotations,
    find_sector,
    finish,
    histogram,
    prepare,
    reduced,
    run,
)
from core.preprocessing.screen import _upright_runs, rectangle, square

# ---------------------------------------------------------------------------------------------------------------------
# Drawn screens with known truth


def speckle(shape: tuple[int, int], seed: int, level: float = 70.0) -> np.ndarray:
    """Echo-like noise: Rayleigh amplitudes blurred across, log-like, nowhere zero."""
    noise = np.random.default_rng(seed).rayleigh(1.0, shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=3.0, sigmaY=1.5)
    return np.clip(level * noise / noise.mean() + 12 * (noise - noise.mean()) / noise.std(), 4, 235).astype(np.uint8)


def fan(shape: tuple[int, int], apex: tuple[float, float], half_angle: float, near: float, far: float) -> np.ndarray:
    """Mask of a curved probe's sector: between two arcs and two sides around an apex (row, column)."""
    rows, columns = np.indices(shape)
    down, across = rows - apex[0], columns - apex[1]
    distance = np.hypot(down, across)
    return (np.abs(np.arctan2(across, down)) <= np.deg2rad(half_angle)) & (distance >= near) & (distance <= far)


def screen(mask: np.ndarray, seed: int, hole: tuple[slice, slice] | None = None) -> np.ndarray:
    """RGB screen: echo in the mask, and around it header, logo, gray bar, ticks, marker and side text."""
    height, width = mask.shape
    gray = np.where(mask, speckle(mask.shape, seed), 0).astype(np.uint8)
    if hole is not None:
        gray[hole] = 0
    pixels = cv2.merge([gray, gray, gray])
    header = np.linspace(45, 22, 30).astype(np.uint8)
    pixels[6:36, width // 8 : width * 3 // 4] = header[:, None, None]
    cv2.putText(pixels, "AB2-7-D/OB 12.0cm 36Hz", (width // 4, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1)
    cv2.rectangle(pixels, (2, 4), (46, 40), (34, 36, 40), -1)
    cv2.circle(pixels, (24, 20), 11, (220, 220, 220), 2)
    ramp = np.linspace(240, 8, height // 3).astype(np.uint8)
    pixels[60 : 60 + len(ramp), 2:12] = ramp[:, None, None]
    for row in range(70, height - 20, 40):
        pixels[row : row + 2, 24:29] = (255, 255, 160)
    cv2.circle(pixels, (70, 62), 8, (0, 200, 0), -1)
    for line in range(5):
        place = (width - 80, 60 + 16 * line)
        cv2.putText(pixels, "Gn -1 89", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (190, 190, 190), 1)
    return pixels


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)


def tinted(gray: np.ndarray, name: str) -> np.ndarray:
    """A gray frame through a coloured gray map."""
    level = np.arange(256, dtype=np.float64)
    arch = 4 * level * (255 - level) / 255**2
    red, green, blue = {"plain": (0, 0, 0), "blue": (-3, -2, 24), "sepia": (20, 5, -22)}[name]
    table = np.stack([level + red * arch, level + green * arch, level + blue * arch], axis=1)
    return np.clip(np.rint(table), 0, 255).astype(np.uint8)[gray]


def with_calipers(pixels: np.ndarray, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The frame with a cross and an ellipse of dots with dim and black rims, and the mask of what was drawn."""
    drawn = pixels.copy()
    height, width = pixels.shape[:2]
    for angle in np.arange(0, 2 * np.pi, 0.05):
        row = int(height * (0.5 + 0.3 * np.sin(angle)))
        column = int(width * (0.5 + 0.33 * np.cos(angle)))
        drawn[row : row + 2, column] = colour
        drawn[row, column + 1] = tuple(channel // 3 for channel in colour)
        drawn[row : row + 2, column - 1] = 0
    drawn[height // 2 - 6 : height // 2 + 7, width // 3] = colour
    drawn[height // 2, width // 3 - 6 : width // 3 + 7] = colour
    return drawn, (drawn != pixels).any(axis=2)


def annotated_frame(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A frame with patches of all the colours that the thesis's boxes are made for."""
    pixels = tinted(speckle(shape, seed), "blue")
    height, width = shape
    patches = np.random.default_rng(seed)
    for colour in [(255, 255, 0), (70, 200, 189), (40, 60, 230), (143, 0, 162), (10, 180, 20), (255, 255, 255)]:
        for _ in range(6):
            row, column = int(patches.integers(height - 30)), int(patches.integers(width - 30))
            pixels[row : row + 5, column : column + 25] = colour
    return pixels


# ---------------------------------------------------------------------------------------------------------------------
# The thesis's code


def annex(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Thesis 000, annex A.1, as printed (loop over images and writing of files left out)."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    average = cv2.boxFilter(gray, -1, (25, 25), borderType=cv2.BORDER_CONSTANT)

    def where(red, green, blue):
        return np.where(
            np.logical_and(image[:, :, 0] >= red[0], image[:, :, 0] <= red[1])
            * np.logical_and(image[:, :, 1] >= green[0], image[:, :, 1] <= green[1])
            * np.logical_and(image[:, :, 2] >= blue[0], image[:, :, 2] <= blue[1])
        )

    blue = where((0.0, 143.0), (0.0, 255.0), (162.0, 255.0))
    yellow = where((60.0, 255.0), (190.0, 255.0), (0.0, 189.0))
    white = where((161.0, 255.0), (255.0, 255.0), (0.0, 255.0))
    green = where((0.0, 65.0), (111.0, 238.0), (0.0, 86.0))
    for found in (blue, yellow, white, green):
        gray[found] = average[found]
    v_min, v_max = np.percentile(gray, (1.0, 99.0))
    gray = exposure.rescale_intensity(gray, in_range=(v_min, v_max))
    gray = cv2.medianBlur(gray, 5)
    if gray.shape == (650, 868) or gray.shape == (720, 960):
        gray = gray[59:720, 15:960]
    elif gray.shape == (768, 1024):
        gray = gray[80:570, 1:760]
    return cv2.resize(gray, size)


@pytest.mark.parametrize("shape", [(650, 868), (720, 960), (768, 1024), (300, 410)])
def test_thesis_preset_reproduces_the_annex_byte_for_byte(shape):
    pixels = annotated_frame(shape, seed=shape[0])
    np.testing.assert_array_equal(run(pixels, THESIS).image, annex(pixels, (299, 299)))


def test_thesis_crop_says_that_it_knows_only_three_sizes():
    assert "300x410" not in " ".join(run(annotated_frame((650, 868), 0), THESIS).notes)
    assert "410x300" in " ".join(run(annotated_frame((300, 410), 0), THESIS).notes)


def test_crop_first_takes_percentiles_of_the_crop_alone():
    pixels = annotated_frame((720, 960), 1)
    pixels[:59] = 255  # a header that would move the percentiles
    chosen = PreprocessingSettings(mask="annex", fill="average", grow=0, crop="thesis", order="crop_first")
    result = run(pixels, chosen)
    filled = result.stage("fill").image
    low, high = np.percentile(filled, (1.0, 99.0))
    expected = exposure.rescale_intensity(filled, in_range=(low, high))
    np.testing.assert_array_equal(result.stage("stretch").image, expected)
    assert filled.shape == (661, 945)
    assert not np.array_equal(result.image, run(pixels, THESIS).image)


@pytest.mark.parametrize("preset", ["annex", "table"])
def test_boxes_mark_what_a_plain_comparison_marks(preset):
    pixels = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    expected = np.zeros((90, 120), bool)
    for box in COLOUR_BOXES[preset].values():
        low, high = np.array(box).T
        expected |= ((pixels >= low) & (pixels <= high)).all(axis=2)
    found = annotation_mask(pixels, PreprocessingSettings(mask=preset))
    np.testing.assert_array_equal(found, expected)
    assert 0 < expected.mean() < 1


def test_own_boxes_replace_the_presets():
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[5, 5], pixels[9, 9] = (200, 10, 10), (255, 255, 0)
    chosen = PreprocessingSettings(mask="annex", boxes={"red": ((150, 255), (0, 50), (0, 50))})
    assert np.argwhere(annotation_mask(pixels, chosen)).tolist() == [[5, 5]]


# ---------------------------------------------------------------------------------------------------------------------
# Stages


def test_plane_chain_has_its_stages_in_the_thesis_text_s_order_with_true_counts():
    mask = fan((420, 560), (-60, 280), 38, 120, 440)
    pixels, _ = with_calipers(screen(mask, 5), (255, 230, 0))
    result = run(pixels, PreprocessingSettings())
    names = ["input", "crop", "annotation_mask", "fill", "stretch", "median", "resize", "channels"]
    assert [stage.name for stage in result.stages] == names
    images = {stage.name: stage.image for stage in result.stages}
    counts = {stage.name: stage.changed_pixels for stage in result.stages}
    np.testing.assert_array_equal(images["input"], cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    assert counts["crop"] == np.count_nonzero(~result.sector)
    assert counts["annotation_mask"] == np.count_nonzero(result.annotation_mask) > 100
    assert counts["fill"] == np.count_nonzero(images["fill"] != images["crop"])
    assert counts["stretch"] == np.count_nonzero(images["stretch"] != images["fill"])
    assert counts["median"] == np.count_nonzero(images["median"] != images["stretch"])
    assert counts["resize"] == abs(images["median"].size - 299 * 299)
    assert images["channels"].shape == (299, 299, 3)
    for channel in range(3):
        np.testing.assert_array_equal(images["channels"][..., channel], images["resize"])
    assert all(stage.description.endswith(".") and stage.title for stage in result.stages)
    assert result.notes == ()


def test_crop_last_puts_the_crop_behind_the_median():
    result = run(annotated_frame((720, 960), 2), THESIS)
    names = ["input", "annotation_mask", "fill", "stretch", "median", "crop", "resize", "channels"]
    assert [stage.name for stage in result.stages] == names
    assert result.box == (59, 720, 15, 960)
    assert result.stage("crop").changed_pixels == 720 * 960 - 661 * 945


@pytest.mark.parametrize("order", ["crop_first", "crop_last"])
def test_detector_chain_only_resizes_the_cleaned_frame(order):
    mask = fan((420, 560), (-60, 280), 38, 120, 440)
    pixels, _ = with_calipers(screen(mask, 6), (255, 230, 0))
    chosen = PreprocessingSettings(order=order, size=160)
    result = run(pixels, chosen, chain="detector")
    assert {"stretch", "median"}.isdisjoint(stage.name for stage in result.stages)
    cleaned = clean(pixels, chosen)
    np.testing.assert_array_equal(result.image, cv2.resize(cleaned.gray, (160, 160)))
    assert cleaned.gray.shape == cleaned.sector.shape
    assert not cleaned.gray[~cleaned.sector].any()
    np.testing.assert_array_equal(cleaned.sector, result.sector[cleaned.box.slices])


@pytest.mark.parametrize("chain", ["plane", "detector"])
@pytest.mark.parametrize(
    "chosen",
    [
        PreprocessingSettings(),
        THESIS,
        PreprocessingSettings(order="crop_last", fill="average", aspect="pad"),
        PreprocessingSettings(mask="table", crop="none", median_kernel=1, size=64),
    ],
)
def test_prepare_is_run_without_the_stages(chain, chosen):
    mask = fan((420, 560), (-60, 280), 38, 120, 440)
    pixels, _ = with_calipers(screen(mask, 7), (0, 220, 40))
    np.testing.assert_array_equal(prepare(pixels, chosen, chain), run(pixels, chosen, chain).image)
    assert prepare(pixels, chosen, chain, size=77).shape == (77, 77)


@pytest.mark.parametrize("chain", ["plane", "detector"])
def test_finish_takes_a_cleaned_frame_to_where_prepare_ends(chain):
    mask = fan((420, 560), (-60, 280), 38, 120, 440)
    pixels, _ = with_calipers(screen(mask, 7), (0, 220, 40))
    chosen = PreprocessingSettings(size=120)
    cleaned = clean(pixels, chosen)
    np.testing.assert_array_equal(finish(cleaned, chosen, chain), prepare(pixels, chosen, chain))
    assert finish(cleaned, chosen, chain, size=40).shape == (40, 40)
    with pytest.raises(ParameterError, match="chain"):
        finish(cleaned, chosen, "both")


def test_pad_keeps_proportions():
    frame = np.full((100, 200), 90, np.uint8)
    chosen = PreprocessingSettings(mask="none", crop="none", aspect="pad", size=200)
    prepared = prepare(frame, chosen, "detector")
    np.testing.assert_array_equal(prepared[50:150], np.full((100, 200), 90))
    assert not prepared[:49].any()
    assert not prepared[151:].any()


def test_constant_frame_stays_as_it_is():
    frame = np.full((120, 150), 77, np.uint8)
    result = run(frame, PreprocessingSettings(mask="none"))
    assert np.unique(result.image).tolist() == [77]
    assert result.stage("stretch").changed_pixels == 0


def test_gray_and_equal_channels_give_the_same():
    frame = speckle((200, 260), 8)
    for chosen in (PreprocessingSettings(), THESIS):
        colour = cv2.merge([frame, frame, frame])
        np.testing.assert_array_equal(prepare(frame, chosen), prepare(colour, chosen))


def test_a_reversed_view_gives_what_its_copy_gives():
    pixels = annotated_frame((200, 260), 9)[:, ::-1, ::-1]
    np.testing.assert_array_equal(
        prepare(pixels, PreprocessingSettings()), prepare(pixels.copy(), PreprocessingSettings())
    )


def test_histogram_counts_levels_inside_a_mask():
    frame = np.array([[0, 5], [5, 255]], np.uint8)
    assert histogram(frame)[[0, 5, 255]].tolist() == [1, 2, 1]
    assert histogram(cv2.merge([frame] * 3)).sum() == 4
    assert histogram(frame, frame > 0)[[0, 5, 255]].tolist() == [0, 2, 1]


def test_a_frame_full_of_colour_is_said_to_be_suspect():
    pixels = cv2.merge([speckle((200, 260), 10)] * 3)
    pixels[60:140, 60:200] = np.random.default_rng(0).choice([(250, 30, 0), (0, 40, 250)], (80, 140))
    assert any("Doppler" in note for note in run(pixels, PreprocessingSettings()).notes)


# ---------------------------------------------------------------------------------------------------------------------
# Tint


@pytest.mark.parametrize("tint", ["plain", "blue", "sepia"])
@pytest.mark.parametrize("colour", [(255, 255, 0), (0, 215, 0), (75, 105, 255), (60, 225, 235)])
def test_tint_finds_calipers_and_spares_tinted_echo(tint, colour):
    clean_frame = tinted(speckle((360, 480), 11), tint)
    pixels, drawn = with_calipers(clean_frame, colour)
    found = annotation_mask(pixels, PreprocessingSettings())
    assert np.count_nonzero(found & drawn) >= 0.95 * np.count_nonzero(drawn)
    assert np.count_nonzero(found & drawn) >= 0.95 * np.count_nonzero(found)
    assert not annotation_mask(clean_frame, PreprocessingSettings()).any()


def test_boxes_eat_the_tinted_echo_that_tint_spares():
    """The trap that made the third preset: bright echo through a blue gray map falls into the blue box."""
    frame = tinted(np.full((60, 60), 142, np.uint8), "blue")
    assert annotation_mask(frame, PreprocessingSettings(mask="annex")).all()
    assert not annotation_mask(frame, PreprocessingSettings(mask="tint")).any()


@pytest.mark.parametrize("tint", ["plain", "blue", "sepia"])
def test_estimated_tint_is_the_gray_map_where_there_is_echo(tint):
    gray = speckle((360, 480), 12)
    pixels, _ = with_calipers(tinted(gray, tint), (255, 255, 0))
    estimate = estimate_tint(pixels)
    luminance = cv2.cvtColor(tinted(np.arange(256, dtype=np.uint8)[None], tint), cv2.COLOR_RGB2GRAY)[0]
    levels = np.arange(*np.percentile(gray, (1, 99)).astype(int))
    assert len(levels) > 40
    difference = estimate.colours[luminance[levels]].astype(int) - tinted(levels[None].astype(np.uint8), tint)[0]
    assert np.abs(difference).max() <= 2
    assert estimate.spread <= 1


def test_text_of_one_gray_level_does_not_become_the_tint():
    gray = speckle((360, 480), 13)
    pixels = tinted(gray, "blue")
    level = int(np.percentile(gray, 98))
    rare = cv2.cvtColor(tinted(np.full((1, 1), level, np.uint8), "blue"), cv2.COLOR_RGB2GRAY)[0, 0]
    text = np.zeros(gray.shape, bool)
    text[300:330, 100:340] = True
    pixels[text] = rare
    echo = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[~text]
    assert np.count_nonzero(text) > 4 * np.count_nonzero(echo == rare)
    estimate = estimate_tint(pixels)
    assert np.abs(estimate.colours[rare].astype(int) - tinted(np.array([[level]], np.uint8), "blue")[0, 0]).max() <= 3


def test_jpeg_noise_is_not_taken_for_annotations_but_calipers_are_still_found():
    clean_frame = tinted(speckle((360, 480), 14), "blue")
    pixels, drawn = with_calipers(clean_frame, (255, 255, 0))

    def compressed(image):
        return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)

    found = annotation_mask(compressed(pixels), PreprocessingSettings())
    near = cv2.dilate(drawn.astype(np.uint8), np.ones((3, 3))) > 0
    assert np.count_nonzero(found & drawn) >= 0.6 * np.count_nonzero(drawn)
    assert np.count_nonzero(found & near) >= 0.8 * np.count_nonzero(found)
    assert annotation_mask(compressed(clean_frame), PreprocessingSettings()).mean() < 0.001


def test_white_crosses_are_found_in_a_gray_frame_and_bright_lines_of_echo_are_not():
    frame = speckle((360, 480), 15)
    rows = np.arange(360)[:, None]
    bone = 240 * np.exp(-((rows - 200) ** 2) / (2 * 2.5**2))  # a specular line, blurred as a pulse blurs it
    frame = np.maximum(frame, bone.astype(np.uint8))
    assert not annotation_mask(frame, PreprocessingSettings()).any()
    drawn = frame.copy()
    drawn[80:93, 100:102] = 255
    drawn[86:88, 94:108] = 255
    found = annotation_mask(drawn, PreprocessingSettings())
    truth = drawn != frame
    assert np.count_nonzero(found & truth) >= 0.9 * np.count_nonzero(truth)
    assert np.count_nonzero(found & ~truth) <= 4
    assert not annotation_mask(drawn, PreprocessingSettings(sharp_jump=0)).any()


def test_narrow_slips_of_a_sector_are_no_strokes():
    frame = np.full((60, 80), 200, np.uint8)
    slips = np.zeros(frame.shape, bool)
    slips[:, 10:13] = slips[:, 40:] = True
    assert not annotation_mask(np.where(slips, frame, 0).astype(np.uint8), PreprocessingSettings(), slips).any()


def test_noise_all_over_the_sector_is_no_writing():
    frame = speckle((360, 480), 17)
    specks = np.random.default_rng(18).random(frame.shape)
    letters = np.where(specks < 0.005, 255, frame).astype(np.uint8)
    assert annotation_mask(letters, PreprocessingSettings())[specks < 0.005].mean() > 0.9
    noise = np.where(specks < 0.15, 255, frame).astype(np.uint8)
    assert not annotation_mask(noise, PreprocessingSettings()).any()


# ---------------------------------------------------------------------------------------------------------------------
# Fill


def test_average_is_the_mean_of_the_window_and_touches_nothing_else():
    frame = speckle((80, 90), 16)
    mask = np.zeros(frame.shape, bool)
    mask[40, 45] = mask[30, 20] = True
    filled = fill_annotations(frame, mask, PreprocessingSettings(fill="average", fill_kernel=7, grow=0))
    assert filled[40, 45] == np.rint(frame[37:44, 42:49].astype(float).mean())
    np.testing.assert_array_equal(filled[~mask], frame[~mask])


@pytest.mark.parametrize("fill", ["average", "inpaint"])
def test_grow_takes_the_dark_rim_along(fill):
    frame = np.full((60, 60), 100, np.uint8)
    frame[29:32, 29:32] = 0
    frame[30, 30] = 255
    mask = frame == 255
    kept = fill_annotations(frame, mask, PreprocessingSettings(fill=fill, grow=0))
    grown = fill_annotations(frame, mask, PreprocessingSettings(fill=fill, grow=1))
    assert kept[29, 29] == 0
    assert np.abs(grown.astype(int) - 100).max() <= 3


def test_inpainting_restores_a_slope_better_than_the_average():
    slope = np.tile(np.linspace(20, 220, 120).astype(np.uint8), (80, 1))
    frame = slope.copy()
    frame[:, 58:62] = 255
    mask = frame != slope
    errors = {
        fill: cv2.absdiff(fill_annotations(frame, mask, PreprocessingSettings(fill=fill)), slope)[mask].mean()
        for fill in ("average", "inpaint")
    }
    assert errors["inpaint"] < 5 < errors["average"]


def test_fill_asks_for_a_mask_of_the_frame_s_shape():
    with pytest.raises(ParameterError, match="shape"):
        fill_annotations(np.zeros((9, 9), np.uint8), np.zeros((9, 8), bool), PreprocessingSettings())


@pytest.mark.parametrize("radius", [1, 3, 25])
def test_inpainting_a_window_gives_what_inpainting_the_frame_gives(radius):
    rng = np.random.default_rng(radius)
    settings = PreprocessingSettings(inpaint_radius=radius, grow=1)
    for _ in range(60):
        frame = cv2.GaussianBlur(rng.integers(0, 256, rng.integers(2, 120, 2), dtype=np.uint8), (0, 0), 1.5)
        mask = np.zeros(frame.shape, bool)
        for _ in range(3):
            top, left = rng.integers(0, frame.shape)
            mask[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = True
        grown = cv2.dilate(mask.astype(np.uint8), square(3))
        whole = cv2.inpaint(frame, grown, radius, cv2.INPAINT_NS)
        np.testing.assert_array_equal(fill_annotations(frame, mask, settings), whole)


def test_upright_runs_are_found_wherever_opening_the_frame_leaves_some():
    rng = np.random.default_rng(0)
    left = 0
    for _ in range(300):
        height, width = rng.integers(1, 90, 2)
        length = int(rng.integers(1, height + 1))
        flat = (rng.random((height, width)) < rng.choice([0.3, 0.9, 1.0])).astype(np.uint8)
        for column in range(0, width, 3):  # runs anywhere, also at the frame's edge, some a pixel too short
            flat[:, column] = 0
            top = int(rng.integers(-length, height))
            flat[max(0, top) : max(0, top + length - int(rng.integers(0, 2))), column] = 1
        opened = cv2.morphologyEx(flat, cv2.MORPH_OPEN, rectangle(1, length))
        np.testing.assert_array_equal(_upright_runs(flat, length), opened)
        left += bool(opened.any())
    assert left > 100


def test_filled_echo_does_not_spill_out_of_the_sector():
    mask = fan((420, 560), (-60, 280), 38, 120, 440)
    pixels = screen(mask, 17)
    rim = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))).astype(bool) & ~mask
    pixels[rim & (np.indices(mask.shape)[0] > 250)] = (255, 255, 0)
    cleaned = clean(pixels, PreprocessingSettings(grow=3))
    assert not cleaned.gray[~cleaned.sector].any()


# ---------------------------------------------------------------------------------------------------------------------
# Sector


@pytest.mark.parametrize(
    ("shape", "apex", "half_angle", "near", "far"),
    [
        ((735, 975), (-150, 480), 35, 230, 860),  # cut by the screen's edges
        ((600, 800), (-40, 400), 33, 130, 560),  # a whole curved probe's fan
        ((480, 640), (42, 320), 40, 0, 380),  # a phased probe's pie
    ],
)
def test_sector_is_the_fan_without_header_bar_ticks_and_text(shape, apex, half_angle, near, far):
    mask = fan(shape, apex, half_angle, near, far)
    mask[:42] = False
    sector = find_sector(screen(mask, 18))
    assert overlap(sector.mask, mask) >= 0.97
    assert sector.shape == "fan"
    rows, columns = np.nonzero(sector.mask)
    assert sector.box == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)


def test_gray_screens_are_cropped_as_well():
    mask = fan((600, 800), (-40, 400), 33, 130, 560)
    sector = find_sector(cv2.cvtColor(screen(mask, 19), cv2.COLOR_RGB2GRAY))
    assert overlap(sector.mask, mask) >= 0.97


def test_jpeg_screens_are_cropped_as_well():
    mask = fan((600, 800), (-40, 400), 33, 130, 560)
    pixels = cv2.imdecode(cv2.imencode(".jpg", screen(mask, 20), [cv2.IMWRITE_JPEG_QUALITY, 90])[1], cv2.IMREAD_COLOR)
    assert overlap(find_sector(pixels).mask, mask) >= 0.95


def test_a_linear_probe_s_rectangle():
    mask = np.zeros((600, 800), bool)
    mask[60:560, 150:690] = True
    sector = find_sector(screen(mask, 21))
    assert sector.shape == "rectangle"
    assert overlap(sector.mask, mask) >= 0.98


def test_the_cap_above_a_curved_probe_s_face_is_taken_off():
    near = 215
    mask = fan((600, 800), (-150, 400), 40, near, 900)
    mask[:42] = False  # the screen cuts the fan below its upper corners
    sector = find_sector(screen(mask, 29))
    cap = fan((600, 800), (-150, 400), 40, 0, near - 2) & (np.indices(mask.shape)[0] > 43)
    assert np.count_nonzero(cap) > 1000
    assert sector.mask[cap].mean() < 0.1


def test_an_island_of_echo_behind_a_shadow_is_kept():
    mask = fan((600, 800), (-40, 400), 33, 130, 560)
    rows, columns = np.indices(mask.shape)
    angle = np.rad2deg(np.arctan2(columns - 400, rows + 40))
    shadow = (angle > 8) & (angle < 24)
    sector = find_sector(screen(mask & ~shadow, 30))
    assert sector.mask[mask & (angle >= 24)].mean() >= 0.97


def test_letters_buttons_and_thumbnails_beside_the_sector_are_no_echo():
    mask = fan((600, 800), (-40, 400), 33, 130, 480)
    pixels = screen(mask, 31)
    cv2.putText(pixels, "GE", (20, 560), cv2.FONT_HERSHEY_SIMPLEX, 3, (255, 255, 255), 14)
    thumbnail = speckle((60, 90), 32)
    pixels[520:580, 690:780] = thumbnail[..., None]
    assert overlap(find_sector(pixels).mask, mask) >= 0.97


def test_dark_fluid_stays_inside():
    mask = fan((600, 800), (-40, 400), 33, 130, 560)
    pixels = screen(mask, 22)
    rows, columns = np.indices(mask.shape)
    fluid = (np.hypot((rows - 300) / 1.1, columns - 520) < 130) & mask
    pixels[fluid] = 0
    sector = find_sector(pixels)
    assert sector.mask[fluid].mean() >= 0.97
    assert overlap(sector.mask, mask) >= 0.95


def test_a_black_box_over_a_corner_is_taken_off():
    mask = fan((600, 800), (-150, 400), 40, 215, 700)
    hole = (slice(480, 600), slice(560, 800))
    sector = find_sector(screen(mask, 23, hole))
    expected = mask.copy()
    expected[hole] = False
    assert overlap(sector.mask, expected) >= 0.97
    assert sector.mask[490:590, 570:640].mean() < 0.05


def test_a_bar_over_the_fan_s_rim_is_taken_off():
    mask = np.zeros((600, 800), bool)
    mask[45:, :] = True
    pixels = screen(mask, 24)
    sector = find_sector(pixels)
    assert not sector.mask[70:240, 3:11].any()
    assert sector.mask[300:, 3:11].all()


def test_a_text_box_over_a_corner_is_taken_off():
    mask = fan((600, 800), (-150, 400), 40, 215, 900)
    mask[:42] = False
    pixels = screen(mask, 25)
    box = (slice(550, 600), slice(660, 800))
    assert mask[box].all()
    pixels[box] = (41, 41, 41)
    for line, text in ((571, "FL 32.3mm"), (594, "GA 20w0d5")):
        cv2.putText(pixels, text, (662, line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    found = find_sector(pixels).mask
    assert found[box].mean() < 0.05
    mask[box] = False
    assert overlap(found, mask) >= 0.97


def test_a_background_that_is_not_black_is_still_background():
    mask = fan((600, 800), (-40, 400), 33, 130, 560)
    gray = np.where(mask, np.maximum(speckle(mask.shape, 26), 30), 22).astype(np.uint8)
    assert overlap(find_sector(gray).mask, mask) >= 0.97


def test_a_frame_that_is_all_echo_is_the_sector():
    sector = find_sector(speckle((240, 320), 27))
    assert sector.shape == "frame"
    assert sector.mask.all()
    assert sector.note == ""


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((300, 400), np.uint8), "no sector"),
        (np.zeros((300, 400, 3), np.uint8), "no sector"),
        (np.eye(300, 400, dtype=np.uint8) * 9, "no sector"),
        (np.full((3, 3), 50, np.uint8), "too small"),
    ],
)
def test_a_frame_without_a_sector_is_used_whole_and_says_so(frame, words):
    sector = find_sector(frame)
    assert sector.mask.all()
    assert words in sector.note
    assert sector.note in run(frame, PreprocessingSettings()).notes


def test_annotations_outside_the_sector_are_no_annotations():
    mask = fan((420, 560), (-60, 280), 38, 120, 440)
    result = run(screen(mask, 28), PreprocessingSettings())
    assert not result.annotation_mask[~result.sector].any()
    assert result.annotation_mask.shape == mask.shape


# ---------------------------------------------------------------------------------------------------------------------
# Anything at all


SHAPES = st.tuples(st.integers(1, 60), st.integers(1, 60))
FRAMES = st.one_of(
    hnp.arrays(np.uint8, SHAPES),
    SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, (*shape, 3))),
    SHAPES.flatmap(lambda shape: st.integers(0, 255).map(lambda level: np.full(shape, level, np.uint8))),
)
SETTINGS = st.builds(
    PreprocessingSettings,
    mask=st.sampled_from(["tint", "annex", "table", "none"]),
    fill=st.sampled_from(["average", "inpaint"]),
    crop=st.sampled_from(["automatic", "thesis", "none"]),
    order=st.sampled_from(["crop_first", "crop_last"]),
    aspect=st.sampled_from(["stretch", "pad"]),
    grow=st.integers(0, 4),
    median_kernel=st.sampled_from([1, 3, 5, 31]),
    size=st.integers(16, 80),
)


@settings(max_examples=120, deadline=None)
@given(FRAMES, SETTINGS, st.sampled_from(["plane", "detector"]))
def test_any_frame_gives_a_square_of_bytes(frame, chosen, chain):
    before = frame.copy()
    result = run(frame, chosen, chain)
    assert result.image.shape == (chosen.size, chosen.size)
    assert result.image.dtype == np.uint8
    np.testing.assert_array_equal(frame, before)
    assert result.sector.shape == result.annotation_mask.shape == frame.shape[:2]
    assert result.sector[result.box.slices].any()


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(33, 120), st.integers(33, 120)), elements=st.integers(0, 255)))
def test_sector_of_noise_is_never_empty_and_fills_its_box(frame):
    sector = find_sector(frame)
    rows, columns = np.nonzero(sector.mask)
    assert sector.box == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)


@settings(max_examples=60, deadline=None)
@example(np.array([[1, 44, 134, 33, 34, 2]], np.uint8), 5.0, 99.0)  # the last bit of the percentile decides
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(2, 30), st.integers(2, 30))),
    st.floats(0, 49),
    st.floats(51, 100),
)
def test_stretch_equals_numpy_and_scikit_image(frame, lower, upper):
    chosen = PreprocessingSettings(mask="none", crop="none", lower_percentile=lower, upper_percentile=upper)
    stretched = run(frame, chosen).stage("stretch").image
    low, high = np.percentile(frame, (lower, upper))
    np.testing.assert_array_equal(stretched, exposure.rescale_intensity(frame, in_range=(low, high)))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((10, 10), np.float32),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10), np.uint8),
        np.zeros(10, np.uint8),
        [[1, 2], [3, 4]],
    ],
)
def test_what_is_no_8_bit_image_is_refused(pixels):
    for function in (run, prepare, clean):
        with pytest.raises(ImageError, match="8 bits"):
            function(pixels, PreprocessingSettings())


def test_unknown_chain_stage_and_size_are_refused():
    frame = np.zeros((20, 20), np.uint8)
    with pytest.raises(ParameterError, match="chain"):
        run(frame, PreprocessingSettings(), chain="planes")
    with pytest.raises(ParameterError, match="stage"):
        run(frame, PreprocessingSettings(), chain="detector").stage("median")
    with pytest.raises(ParameterError, match="16 to 2048"):
        prepare(frame, PreprocessingSettings(), size=4)


# ---------------------------------------------------------------------------------------------------------------------
# Settings


@settings(max_examples=30, deadline=None)
@given(SETTINGS)
def test_settings_survive_json(chosen):
    again = PreprocessingSettings.from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert again == chosen
    assert hash(again) == hash(chosen)


def test_own_boxes_survive_json():
    chosen = PreprocessingSettings(mask="table", boxes={"red": [[150, 255], [0, 50], [0, 60]]})
    again = PreprocessingSettings.from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert again == chosen != PreprocessingSettings(mask="table")
    assert hash(again) == hash(chosen)


def test_missing_settings_keep_their_default():
    assert PreprocessingSettings.from_dict({"size": 128}) == PreprocessingSettings(size=128)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mask": "colour"},
        {"fill": "median"},
        {"crop": True},
        {"order": None},
        {"aspect": "squeeze"},
        {"size": 15},
        {"size": 99.5},
        {"size": "299"},
        {"grow": -1},
        {"grow": True},
        {"median_kernel": 4},
        {"fill_kernel": 24},
        {"inpaint_radius": 0},
        {"lower_percentile": 60},
        {"upper_percentile": float("nan")},
        {"tint_tolerance": 0},
        {"tint_spread": -1.0},
        {"sharp_jump": 300},
        {"kernel": 5},
        {"boxes": {"red": ((0, 1), (0, 1), (0, 1))}},
        {"mask": "annex", "boxes": {}},
        {"mask": "annex", "boxes": {"red": ((0, 1), (0, 1))}},
        {"mask": "annex", "boxes": {"red": ((9, 1), (0, 1), (0, 1))}},
        {"mask": "annex", "boxes": {"red": ((0, 256), (0, 1), (0, 1))}},
        {"mask": "annex", "boxes": {"red": 7}},
        {"mask": "annex", "boxes": [1, 2]},
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(wrong):
    with pytest.raises(ParameterError) as refusal:
        PreprocessingSettings.from_dict(wrong)
    assert isinstance(refusal.value, PlaneLabError)
    assert str(refusal.value).endswith(".")


def test_settings_must_be_an_object():
    with pytest.raises(ParameterError, match="names and values"):
        PreprocessingSettings.from_dict([("size", 9)])


def test_reduced_frames_are_area_means_and_never_larger():
    gray = np.random.default_rng(0).integers(0, 256, (60, 90)).astype(np.uint8)
    sector = np.zeros((60, 90), bool)
    sector[20:40, 30:60] = True
    cleaned = Cleaned(gray, sector, Box(0, 60, 0, 90), ())
    side = (60 * 90) ** 0.5 / 3
    small = reduced(cleaned, side)
    assert small.gray.shape == small.sector.shape == (20, 30)
    np.testing.assert_allclose(small.gray, gray.reshape(20, 3, 30, 3).mean(axis=(1, 3)), atol=0.51)
    assert small.sector.sum() == pytest.approx(sector.sum() / 9, abs=8)
    assert reduced(cleaned, 300) is cleaned
