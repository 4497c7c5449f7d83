"""The `ctvol` command as a whole: quick help, statuses, and stdout for what was asked for alone."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, ctvol

HELP = "import sys; sys.argv[0] = 'ctvol'; from pipeline.cli import main; main()"


def fresh(*arguments, code=HELP):
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_answers_at_once_and_names_every_command():
    fresh("--help")  # which may have to compile
    before = os.times()
    result = fresh("--help")
    after = os.times()
    assert result.returncode == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)
    # Of the processor, not on the clock: a busy machine is no slow command.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.5


@pytest.mark.parametrize("command", ["segment", "evaluate", "phantom", "paint"])
def test_help_imports_neither_torch_nor_monai(command):
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import ctvol;"
        "result = CliRunner().invoke(ctvol, sys.argv[1:]); assert result.exit_code == 0, result.output;"
        "print({'torch', 'monai', 'numpy'} & set(sys.modules))"
    )
    assert fresh(command, "--help", code=code).stdout == "set()\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    result = CliRunner().invoke(ctvol, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: ctvol {name} ")


def test_the_version_is_the_distributions():
    assert "0.1.0" in CliRunner().invoke(ctvol, ["--version"]).output


@pytest.mark.parametrize(
    "command", ["diagnose", "--fast", "segment", "segment x -o y --mode z", "evaluate none none -o y"]
)
def test_a_wrong_command_line_is_status_2(run_ctvol, command):
    result = run_ctvol(*command.split())
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Usage: ctvol" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_command_sets_aside_what_it_imported():
    code = (
        "import gc, sys; from click.testing import CliRunner; from pipeline.cli import ctvol;"
        "CliRunner().invoke(ctvol, sys.argv[1:]); print(gc.get_freeze_count() > 10**5, gc.isenabled())"
    )
    assert fresh("segment", "none", "-o", "none", code=code).stdout == "True True\n"
