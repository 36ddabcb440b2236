"""All hostile and broken inputs."""

from __future__ import annotations

from .archives import archive_cases
from .case import Case
from .models import model_cases
from .pictures import picture_cases
from .tables import table_cases


def all_cases() -> tuple[Case, ...]:
    return (*picture_cases(), *archive_cases(), *table_cases(), *model_cases())
