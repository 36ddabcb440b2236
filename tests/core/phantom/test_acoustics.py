from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.phantom import acoustics
from core.phantom.acoustics import Beam, FieldOfView, PolarGrid, Processing
from core.phantom.anatomy import Reflector, Shape, Tissue
from core.phantom.canvas import Canvas
from core.phantom.curves import ellipse, shift

FIELD = FieldOfView(40.0, False, -0.5, 0.5, 5.0, 85.0, left=-60.0, top=0.0, width=120.0, height=86.0)
BEAM = Beam(axial=0.8, axial_growth=1.0, lateral=1.6, focus=30.0, focal_length=25.0)


def grid_of(beam=BEAM, field=FIELD):
    return PolarGrid.fit(field, beam, max_rows=700, max_beams=500)


def homogeneous(beam, seed=0):
    grid = grid_of(beam)
    return acoustics.envelope(np.random.default_rng(seed), grid, beam, np.ones(grid.shape, np.float32))


class TestSpeckle:
    @pytest.mark.parametrize("seed", range(4))
    def test_homogeneous_tissue_is_fully_developed_before_compression(self, seed):
        amplitude = homogeneous(BEAM, seed)
        assert amplitude.mean() / amplitude.std() == pytest.approx(1.91, abs=0.1)

    def test_amplitudes_follow_rayleighs_distribution(self):
        amplitude = homogeneous(BEAM)[::6, ::8].ravel()  # samples apart enough to be independent
        scale = np.sqrt(np.mean(amplitude**2) / 2)
        assert stats.kstest(amplitude, stats.rayleigh(scale=scale).cdf).pvalue > 0.01

    def test_mean_power_is_the_tissues_at_all_depths(self):
        power = homogeneous(Beam(0.8, 1.4, 1.6, 30.0, 25.0)) ** 2
        bands = [band.mean() for band in np.array_split(power, 5)]
        assert np.allclose(bands, 1.0, atol=0.15)

    def test_compounding_smooths_speckle(self):
        one, four = homogeneous(BEAM), homogeneous(Beam(0.8, 1.0, 1.6, 30.0, 25.0, looks=4))
        assert four.mean() / four.std() == pytest.approx(2 * one.mean() / one.std(), rel=0.15)

    def test_speckle_is_wider_away_from_the_focus(self):
        # The autocovariance of the amplitude widens with the point spread function.
        grid = grid_of()
        amplitude = homogeneous(BEAM)

        def width_mm(depth):
            row = int((depth - grid.depths[0]) / grid.depth_step)
            rows = amplitude[row - 25 : row + 25]
            rows = rows - rows.mean()
            spectrum = np.abs(np.fft.fft(rows, axis=1)) ** 2
            covariance = np.fft.ifft(spectrum.mean(axis=0)).real
            below = int(np.argmax(covariance < covariance[0] / 2))
            return below * grid.beam_spacing[row]

        assert width_mm(80) > 1.5 * width_mm(30)


class TestPointSpreadFunction:
    @pytest.mark.parametrize("depth", [15.0, 30.0, 75.0])
    def test_a_point_is_as_wide_as_the_beam(self, depth):
        grid = grid_of()
        row = int(np.argmin(np.abs(grid.depths - depth)))
        impulse = np.zeros(grid.shape, np.complex64)
        impulse[row, grid.shape[1] // 2] = 1
        seen = np.abs(acoustics._lateral(acoustics._axial(impulse, grid, BEAM), grid, BEAM))
        across, along = seen[row], seen[:, grid.shape[1] // 2]

        def deviation(profile, step):
            power, at = profile**2, np.arange(len(profile)) * step  # a Gaussian's square is narrower by the root of 2
            middle = np.average(at, weights=power)
            return np.sqrt(2 * np.average((at - middle) ** 2, weights=power))

        expected = BEAM.lateral_at(grid.depths[row]) / acoustics.FULL_WIDTH
        assert deviation(across, grid.beam_spacing[row]) == pytest.approx(expected, rel=0.05)
        assert deviation(along, grid.depth_step) == pytest.approx(BEAM.axial / acoustics.FULL_WIDTH, rel=0.08)

    def test_the_beam_is_narrowest_in_the_focus(self):
        depths = np.linspace(5, 85, 81)
        assert depths[np.argmin(BEAM.lateral_at(depths))] == BEAM.focus


class TestReflectors:
    def line(self, degrees, strength=20.0):
        field = FieldOfView(4000.0, True, -0.02, 0.02, 0.0, 80.0, left=-70.0, top=0.0, width=140.0, height=80.0)
        turn = np.deg2rad(degrees)
        along = np.linspace(-25, 25, 50)[:, None] * (np.cos(turn), np.sin(turn))
        canvas = Canvas(field, (400, 700), ("maternal tissue", Tissue(-60.0)))
        canvas.paint([Reflector(shift(along, 0.0, 40.0), strength, exponent=4, floor=0.05, roughness=0.0)])
        beam = Beam(0.8, 1.0, 1.6, 40.0, 60.0)
        grid = PolarGrid.fit(field, beam, 600, 400)
        random = np.random.default_rng(0)
        echoes = canvas.reflections(grid, beam, random, np.zeros(canvas.shape))
        return acoustics.envelope(random, grid, beam, np.zeros(grid.shape, np.float32), echoes)

    def test_a_line_at_a_right_angle_peaks_at_its_strength(self):
        seen = self.line(0)
        middle = seen[:, seen.shape[1] // 2]
        assert 20 * np.log10(middle.max()) == pytest.approx(20.0, abs=2.0)  # it falls between two rows

    def test_it_darkens_as_the_beam_runs_along_it(self):
        peaks = [self.line(degrees).max() for degrees in (0, 30, 60, 85)]
        assert all(first > 1.3 * second for first, second in pairwise(peaks))

    def test_what_is_painted_later_hides_it(self):
        canvas = Canvas(FIELD, (300, 400), ("maternal tissue", Tissue(-60.0)))
        line = Reflector(np.array([[-20.0, 40.0], [20.0, 40.0]]), 20.0)
        cover = Shape("amniotic fluid", ellipse((0, 40), (30, 10)), Tissue(-60.0))
        random, grid = np.random.default_rng(0), grid_of()
        flat = np.zeros(canvas.shape)
        canvas.paint([line])
        assert canvas.reflections(grid, BEAM, random, flat).max() > 0
        canvas.paint([cover])
        assert canvas.reflections(grid, BEAM, random, flat).max() == 0
        canvas.paint([line])
        assert canvas.reflections(grid, BEAM, random, flat).max() > 0


class TestAttenuation:
    def image_of(self, tissue):
        """Mean level in dB behind and beside a disk of tissue in homogeneous ground."""
        canvas = Canvas(FIELD, (430, 600), ("maternal tissue", Tissue(0.0)))
        canvas.paint([Shape("skull", ellipse((0, 35), (9, 6)), tissue)])
        grid = grid_of()
        maps = grid.sample(np.ascontiguousarray(canvas.tissue[..., :2]))
        loss = acoustics.accumulated_loss(maps[..., 1], grid, blur_beams=1.0)
        seen = acoustics.envelope(np.random.default_rng(1), grid, BEAM, 10 ** ((maps[..., 0] - loss) / 20))
        rows = np.abs(grid.depths - 65) < 8
        behind, beside = np.abs(grid.angles) < 0.03, np.abs(np.abs(grid.angles) - 0.3) < 0.05
        level = 20 * np.log10(seen[rows])
        return level[:, behind].mean() - level[:, beside].mean()

    def test_bone_casts_a_shadow(self):
        assert self.image_of(Tissue(6.0, attenuation=2.0)) == pytest.approx(-24.0, abs=2.0)  # 12 mm at 2 dB/mm

    def test_fluid_enhances_what_lies_behind(self):
        assert self.image_of(Tissue(-40.0, attenuation=-0.4)) == pytest.approx(4.8, abs=1.5)

    def test_soft_tissue_does_neither(self):
        assert abs(self.image_of(Tissue(0.0))) < 1.5

    def test_losses_stay_within_their_limits(self):
        grid = grid_of()
        loss = acoustics.accumulated_loss(np.full(grid.shape, 50.0, np.float32), grid, 0.0, limits=(-12, 45))
        assert loss.max() == 45
        loss = acoustics.accumulated_loss(np.full(grid.shape, -50.0, np.float32), grid, 0.0, limits=(-12, 45))
        assert loss.min() == -12


class TestCompression:
    @given(st.floats(-25, 10), st.floats(40, 90))
    @settings(max_examples=25, deadline=None)
    def test_levels_are_linear_in_decibels(self, level, dynamic_range):
        shown = acoustics.log_compress(np.array([10 ** (level / 20)], np.float32), dynamic_range, 1.0, 0.6)
        assert shown[0] == pytest.approx(np.clip(0.6 + level / dynamic_range, 0, 1), abs=1e-5)

    def test_silence_is_black(self):
        assert acoustics.log_compress(np.zeros(3, np.float32), 60.0).tolist() == [0, 0, 0]


class TestScanConversion:
    @given(
        st.floats(5, 3000), st.booleans(), st.floats(-0.5, 0.5), st.floats(1, 150),
    )  # fmt: skip
    @settings(max_examples=40, deadline=None)
    def test_beams_and_points_are_each_others_inverse(self, radius, flat, angle, depth):
        field = FieldOfView(radius, flat, -1, 1, 0, 200)
        back = field.to_beam(*field.from_beam(angle, depth))
        assert back == pytest.approx((angle, depth), abs=1e-6)

    def test_a_flat_probe_starts_every_beam_on_one_line(self):
        field = FieldOfView(50.0, True, -0.4, 0.4, 0, 80)
        _, y = field.from_beam(np.linspace(-0.4, 0.4, 9), np.zeros(9))
        assert np.allclose(y, 0, atol=1e-9)

    def test_a_disk_stays_a_disk(self):
        canvas = Canvas(FIELD, (430, 600), ("maternal tissue", Tissue(0.0)))
        canvas.paint([Shape("skull", ellipse((8, 45), (12, 12)), Tissue(40.0))])
        grid = grid_of()
        polar = grid.sample(np.ascontiguousarray(canvas.tissue[..., :1]))
        picture, sector = acoustics.scan_convert(np.ascontiguousarray(polar), grid, (430, 600))
        moments = cv2.moments((picture > 20).astype(np.uint8))
        area = np.pi * 12**2 / 0.2**2
        assert moments["m00"] == pytest.approx(area, rel=0.02)
        assert moments["m10"] / moments["m00"] == pytest.approx((8 + 60) / 0.2, abs=1)
        assert moments["m01"] / moments["m00"] == pytest.approx(45 / 0.2, abs=1)
        assert not picture[~sector].any()

    def test_the_sector_is_bounded_by_angles_and_depths(self):
        x, y = FIELD.pixel_positions((430, 600))
        sector = FIELD.holds(x, y)
        radius = np.hypot(x, y + 40)
        angle = np.arctan2(x, y + 40)
        expected = (radius >= 45) & (radius <= 125) & (np.abs(angle) <= 0.5)
        assert (sector == expected).mean() > 0.999


class TestProcessing:
    def picture(self):
        steps = np.kron(np.array([[0.2, 0.7], [0.5, 0.9]], np.float32), np.ones((40, 40), np.float32))
        noise = np.random.default_rng(0).normal(0, 0.04, steps.shape).astype(np.float32)
        return np.clip(steps + noise, 0, 1)

    def test_nothing_asked_changes_nothing(self):
        picture = self.picture()
        assert np.allclose(acoustics.process(picture, Processing()), picture, atol=1e-6)

    def test_speckle_reduction_smooths_flat_parts_and_keeps_edges(self):
        picture = self.picture()
        smooth = acoustics.process(picture, Processing(smoothing=1.0))
        assert smooth[5:35, 5:35].std() < 0.6 * picture[5:35, 5:35].std()
        assert smooth[5:35, 45:75].mean() - smooth[5:35, 5:35].mean() == pytest.approx(0.5, abs=0.02)

    def test_edge_enhancement_overshoots_at_edges(self):
        sharp = acoustics.process(self.picture(), Processing(sharpening=1.0))
        assert sharp[10:30, 40:42].mean() > 0.75
        assert sharp[10:30, 38:40].mean() < 0.15

    @given(st.floats(0.8, 2.5), st.floats(0, 0.7), st.floats(0, 0.1))
    @settings(max_examples=20, deadline=None)
    def test_gray_maps_are_monotonous_from_black_to_white(self, gamma, contrast, black):
        ramp = np.linspace(0, 1, 256, dtype=np.float32)[None]
        shown = acoustics.process(ramp, Processing(gamma=gamma, contrast=contrast, black=black))[0]
        assert np.all(np.diff(shown) >= -1e-6)
        assert shown[0] == 0
        assert shown[-1] == pytest.approx(1, abs=1e-5)

    def test_jpeg_leaves_traces_and_full_quality_none(self):
        picture = self.picture()
        exact = np.rint(picture * 255).astype(np.uint8)
        assert np.array_equal(acoustics.to_bytes(picture), exact)
        assert 0 < np.abs(acoustics.to_bytes(picture, 50).astype(int) - exact).mean() < 12
