"""What kinds of studies of explanations share: a folder with the model's files, settings in JSON, words about them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from core.errors import DatasetError, ParameterError
from core.explain.base import get_method
from core.files import whole, write_whole
from core.zoo.registry import MODELS_FOLDER

WORK = "work"
"""The folder, inside that of the results, where a run keeps what it has done."""
FINGERPRINT_NAME = "settings.json"


class StoredStudy:
    """What a study says of itself.

    Attributes
    ----------
    about : dict
        At least ``model``, ``data``, ``simulated``, ``n`` and ``methods``.
    """

    about: dict[str, Any]

    @property
    def methods(self) -> list[str]:
        return list(self.about["methods"])

    @property
    def origin(self) -> str:
        """``simulated`` or ``real``."""
        return "simulated" if self.about["simulated"] else "real"

    @property
    def title(self) -> str:
        """``mobilenet_v2_plane on phantoms (simulated images)``."""
        return f"{self.about['model']} on {self.about['data']} ({self.origin} images)"

    @property
    def label(self) -> str:
        """``phantoms (simulated, n = 102)``: for where the model is named anyway."""
        return f"{self.about['data']} ({self.origin}, n = {self.about['n']})"


def listed(words: Sequence[str], separator: str = ", ") -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{separator.join(words[:-1])} and {words[-1]}"


@dataclass(frozen=True)
class StudyFiles:
    """Where one kind of study lies, and the sentences for what is wrong with one.

    Attributes
    ----------
    name : str
        Of the command that makes such studies, of the folder that keeps them in a model's, and of the settings' file.
    title : str
        What people call one.
    """

    name: str
    title: str

    @property
    def about_name(self) -> str:
        return f"{self.name}.json"

    def folders(self, model: str, models: Path = MODELS_FOLDER) -> list[Path]:
        """The folders of a model's studies, by name."""
        return sorted(path.parent for path in (models / model / self.name).glob(f"*/{self.about_name}"))

    def write_about(self, folder: Path, about: Mapping[str, Any]) -> None:
        write_whole(folder / self.about_name, json.dumps(about, indent=1) + "\n")

    def read_about(self, folder: Path) -> Any:
        return json.loads((folder / self.about_name).read_text(encoding="utf-8"))

    @contextmanager
    def reading(self, folder: Path) -> Iterator[None]:
        """Read the files of ``folder`` inside; what fails there becomes a :class:`~core.errors.DatasetError`."""
        try:
            yield
        except FileNotFoundError as error:
            raise self.damage(folder, f"lacks {Path(error.filename).name}") from error
        except (OSError, ValueError, EOFError, RecursionError, zlib.error) as error:
            raise self.damage(folder, "cannot be read") from error

    def is_listed(self, about: Mapping[str, Any], *names: str) -> bool:
        """Whether the settings hold a list of texts under each of these names."""
        values = [about[name] for name in names]
        return all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in values)

    def damage(self, folder: Path, what: str) -> DatasetError:
        """The error that says ``what`` of the study in ``folder``, and what to do."""
        return DatasetError(f"The {self.title} {folder.name!r} {what}; make it again with python -m core {self.name}.")


@dataclass(frozen=True)
class StudySettings:
    """What a study of every method on a sample looks at; its kinds add how maps are scored.

    Attributes
    ----------
    files : StudyFiles
        Of the kind of study.
    methods : tuple of str
    limit, costly_limit : int or None
        Most images, spread evenly over the table's classes; ``costly_limit`` is that of what methods of many passes do.
    """

    files: ClassVar[StudyFiles]

    methods: tuple[str, ...]
    limit: int | None = None
    costly_limit: int | None = None

    def __post_init__(self) -> None:
        if not self.methods:
            raise ParameterError(f"A {self.files.title} needs at least one method.")
        for method in self.methods:
            get_method(method)
        if any(limit is not None and limit < 2 for limit in (self.limit, self.costly_limit)):
            raise ParameterError(f"A {self.files.title} needs at least 2 images.")


class WorkFolder:
    """Where a run keeps what is done, so that one that was stopped goes on: a file of arrays for each part of it.

    Parameters
    ----------
    fingerprint : mapping
        All that the parts depend on, in JSON's types.

    Raises
    ------
    ParameterError
        If the folder holds work of another fingerprint.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any]) -> None:
        self.folder = folder
        path = folder / FINGERPRINT_NAME
        text = json.dumps(fingerprint, indent=1, sort_keys=True)
        if path.is_file() and path.read_text(encoding="utf-8") != text:
            raise ParameterError(
                f"{folder} holds work on another model, other images or settings; choose another --out or delete it."
            )
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)

    def arrays(self, part: str) -> dict[str, np.ndarray] | None:
        """What was kept of a part; None where it is not done."""
        path = self.folder / f"{part}.npz"
        if not path.is_file():
            return None
        with np.load(path) as file:
            return {name: file[name] for name in file.files}

    def keep(self, part: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write what says that a part is done, in one step."""
        with whole(self.folder / f"{part}.npz") as draft:
            np.savez(draft, **arrays)
