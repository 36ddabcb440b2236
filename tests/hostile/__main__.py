"""``cd tests && PYTHONPATH=.. python -m hostile``: how many inputs there are of each kind, and through what they go.

``python -m hostile names`` lists them; ``python -m hostile fuzz N [SEED [KIND]]`` reads N mutations of sound files, of
one kind only such as ``DICOM`` where it is named, which takes as long as it takes, and prints what was no sentence.
"""

from __future__ import annotations

import sys
from collections import Counter

from .case import EITHER, READ
from .cases import all_cases
from .channels import CHANNELS


def _count() -> None:
    cases = all_cases()
    print(f"{'kind':24}{'inputs':>8}{'refused':>9}{'read':>6}{'either':>8}  channels")
    for kind, n in Counter(case.kind for case in cases).items():
        says = Counter(case.says if case.says in (READ, EITHER) else "" for case in cases if case.kind == kind)
        channels = ", ".join(name for name, takes in CHANNELS.items() if kind in takes)
        print(f"{kind:24}{n:8}{says['']:9}{says[READ]:6}{says[EITHER]:8}  {channels}")
    print(f"{'together':24}{len(cases):8}; {len({case.data for case in cases})} of them of different bytes")
    for name, takes in CHANNELS.items():
        print(f"{name}: {sum(takes[case.kind](case) for case in cases if case.kind in takes)} inputs")


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["names"]:
        print("\n".join(map(str, all_cases())))
    elif arguments[:1] == ["fuzz"]:
        from .mutations import campaign

        campaign(int(arguments[1]), int(arguments[2]) if len(arguments) > 2 else 0, *arguments[3:])
    else:
        _count()


if __name__ == "__main__":
    main(sys.argv[1:])
