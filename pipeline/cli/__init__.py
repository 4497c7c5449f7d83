"""The `ctvol` command. Each subcommand is imported when it is called: `ctvol --help` answers at once."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "bundle": ("pipeline.cli.bundle", "List, verify and pack bundles."),
    "classify": ("pipeline.cli.classify", "Classify slices and whole CTs."),
    "evaluate": ("pipeline.cli.evaluate", "Compare label maps with reference masks."),
    "inspect": ("pipeline.cli.inspect", "Say what is in a study, and what would be read of it."),
    "intensities": ("pipeline.cli.intensities", "Measure mean and standard deviation of a training set's HU."),
    "label-app": ("pipeline.cli.label_app", "Write an app for MONAI Label with the bundles as its models."),
    "paint": ("pipeline.cli.paint", "Paint lesions with known masks into healthy CTs, to train on."),
    "phantom": ("pipeline.cli.phantom", "Write a synthetic chest CT with its true lesion mask."),
    "plan": ("pipeline.cli.plan", "Look at a data set, and write the overlay to train on it with."),
    "pool": ("pipeline.cli.pool", "Put the folds of a cross-validation together in one table."),
    "search": ("pipeline.cli.search", "Search hyper-parameters of a bundle's training."),
    "segment": ("pipeline.cli.segment", "Segment the lesions of whole CTs."),
}
"""Name to module (which has a command of the same name, with _ for -) and the line that the help shows."""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ctvol")
def ctvol() -> None:
    """Whole CT volumes in; lesion masks, measurements and slice diagnoses out."""


def main() -> None:
    """Runs the command and exits: 0 all done, 1 a case failed, 2 wrong command or nothing usable."""
    from pipeline.cli.errors import reporting

    with reporting():
        ctvol()
