"""A Python that has imported MONAI and runs commands in forks of itself.

`import monai` takes seconds, and so does the interpreter's end; the tests run dozens of commands. Each fork behaves as
`python -P -m monai.bundle` or `ctvol` would: its own arguments, folder, output, exception hook and exit status.

Reads a JSON object a line from stdin (`command`, `arguments`, `folder`, `out`, `err`), answers with an exit status;
with `begin`, with the number of the process at once, and with its status to a later `wait` for that number.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import sys


def main() -> None:
    warm_up()
    answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        child = request.get("wait") or os.fork()
        if child == 0:
            end(status_of(request))
        answer(child if request.get("begin") else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    end(0)


def answer(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warm_up() -> None:
    """Imports what commands import late."""
    import monai.bundle  # noqa: F401

    import pipeline
    import transforms

    for package in (pipeline, transforms):
        for name in dir(package):
            getattr(package, name)
    gc.freeze()  # forks need not look through all of it again


def status_of(request: dict) -> int:
    """Runs a command in this process, which is a fork, and says what the interpreter would end with."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    streams = ((os.devnull, os.O_RDONLY), (request["out"], writing), (request["err"], writing))
    for number, (path, flags) in enumerate(streams):
        os.dup2(os.open(path, flags, 0o600), number)
    os.chdir(request["folder"])
    # A shell that runs the tests in the background has them ignore Ctrl-C; a command of its own does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            call(request["command"], request["arguments"])
        except (Exception, KeyboardInterrupt):  # noqa: BLE001
            sys.excepthook(*sys.exc_info())
            return 1
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    return 0


def call(command: str, arguments: list[str]) -> None:
    sys.argv = [command, *arguments]
    if command == "ctvol":
        from pipeline.cli import main as ctvol

        ctvol()
    else:
        runpy.run_module(command, run_name="__main__", alter_sys=True)


def end(status: int) -> None:
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
