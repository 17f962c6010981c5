"""Python imports this as it starts, if this folder is on PYTHONPATH; see ``tests.codehash.tracer``.

In a job of Snakemake it notes every function of a repository that runs, and every file of it that
is opened.
"""

import atexit
import json
import os
import sys
import threading

_FUNCTION = 1  # CO_OPTIMIZED: not the body of a class or module


def _trace(root: str, folder: str) -> None:
    own = {}  # code -> whether it is of the repository
    outside, importing, opened = {}, {}, set()
    script = []
    scripts = os.sep + os.path.join(".snakemake", "scripts") + os.sep

    def is_own(file: str) -> bool:
        return (file.startswith(root) or scripts in file) and file != __file__

    def profile(frame, event, argument):
        code = frame.f_code
        if event != "call" or code in outside:
            return
        if code not in own:
            own[code] = is_own(code.co_filename) and bool(code.co_flags & _FUNCTION)
        if not own[code]:
            return
        names = vars(sys.modules["__main__"])
        if not script and "__real_file__" in names:
            script.append(os.path.realpath(names["__file__"]))
        above = frame.f_back
        while above is not None:
            if above.f_code.co_name == "<module>" and above.f_code.co_filename.startswith(root):
                importing[code] = above.f_code.co_filename
                return
            above = above.f_back
        outside[code] = None

    def audit(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path.startswith(root) and arguments[1] in ("r", "rb", None):
                opened.add(path)

    def write() -> None:
        sys.setprofile(None)
        functions = {**importing, **outside}
        seen = {
            "script": script[0],
            "functions": [
                [code.co_filename, code.co_qualname, code.co_firstlineno, by]
                for code, by in functions.items()
            ],
            "opened": sorted(opened),
        }
        with open(os.path.join(folder, f"{os.getpid()}.json"), "w", encoding="utf-8") as file:
            json.dump(seen, file)

    atexit.register(write)
    sys.addaudithook(audit)
    threading.setprofile(profile)
    sys.setprofile(profile)


if any(os.path.join(".snakemake", "scripts") in word for word in sys.orig_argv):
    _trace(os.environ["TRACED_ROOT"] + os.sep, os.environ["TRACED_TO"])
