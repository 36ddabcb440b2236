"""Simulated frames of fetal standard planes: parametric anatomy, a model of the scanner, and its screen."""

from core.phantom.adaptation import MODES, RealBank, adapt
from core.phantom.anatomy import LABELS
from core.phantom.folder import frame_seed, write_folder, write_samples
from core.phantom.generator import Phantom, generate
from core.phantom.overlay import SCANNERS, RawScreen, raw_screen
from core.phantom.planes import PLANES, Plane
from core.phantom.settings import SETTINGS, disjoint_parameters

__all__ = [
    "LABELS",
    "MODES",
    "PLANES",
    "SCANNERS",
    "SETTINGS",
    "Phantom",
    "Plane",
    "RawScreen",
    "RealBank",
    "adapt",
    "disjoint_parameters",
    "frame_seed",
    "generate",
    "raw_screen",
    "write_folder",
    "write_samples",
]
