"""`python -m tests.fuzz`: mutated files through the reader; ends with 1 where one is not taken as it should be."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial

from .campaign import run
from .mutations import mutant


def main() -> int:
    """Runs what the command line asks for."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--seed", type=int, default=0, help="another seed, other inputs")
    options.add_argument("--inputs", type=int, default=10_000, help="how many")
    options.add_argument("--seconds", type=float, default=600.0, help="stop after this time")
    options.add_argument("--only", type=int, help="the number of one input: its recipe is shown, and it alone is read")
    chosen = options.parse_args()
    if chosen.only is not None:
        sys.stdout.write(f"{mutant(chosen.seed, chosen.only).recipe}\n")
    numbers = range(chosen.inputs) if chosen.only is None else [chosen.only]
    started = time.monotonic()
    done = run(partial(mutant, chosen.seed), numbers, seconds=chosen.seconds)
    for found in done.findings:
        sys.stdout.write(f"--seed {chosen.seed} --only {found.number} ({found.recipe}): {found.what}\n\n")
    sys.stdout.write(
        f"seed {chosen.seed}: {done.inputs} inputs in {time.monotonic() - started:.0f} s, {done.read} read, "
        f"{done.refused} refused, {len(done.findings)} findings\n"
    )
    return 1 if done.findings else 0


if __name__ == "__main__":
    sys.exit(main())
