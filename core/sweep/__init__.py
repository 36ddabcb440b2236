"""How answers change as a corruption grows: of one image (the flip point), of a sample, and the whole study.

``image`` follows one image or a small sample while somebody looks on; ``study`` runs models over corruptions,
intensities and images, with ``grid`` for the intensities, ``engine`` for the work, ``store`` for what is done,
``curves``, ``thresholds`` and ``corruption_error`` for the figures, and ``describe`` for what they say in words.
"""

from core.sweep.image import ImageSweep, SampleSweep, corrupted_input, sweep_image, sweep_sample

__all__ = ["ImageSweep", "SampleSweep", "corrupted_input", "sweep_image", "sweep_sample"]
