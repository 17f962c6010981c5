#!/bin/sh
# Print the Python that .venv is to be made with: the one asked for ($1), or else the newest of
# 3.13, 3.12, 3.11 that is here and whole, or else any newer `python3` (for those, some pinned
# packages have no wheels yet and are built, which takes a C compiler).
# Exit status 1, and one line that names what was found, if there is none.

# Written so that Python 2 can read it too. Within an environment it names the Python beneath,
# since the environment may be about to be rebuilt.
check='
import sys
if sys.version_info < (3, 11):
    sys.exit("is Python %d.%d" % sys.version_info[:2])
missing = []
for name in ("venv", "ssl", "zlib", "bz2", "lzma", "ctypes", "sqlite3"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
if missing:
    sys.exit("lacks the standard modules " + ", ".join(missing))
print(getattr(sys, "_base_executable", None) or sys.executable)
'

asked=${1:-}
found=
for name in ${asked:-python3.13 python3.12 python3.11 python3}; do
    if ! command -v "$name" >/dev/null 2>&1; then
        [ -z "$asked" ] || found="; PYTHON=$name is not a command here"
        continue
    fi
    if answer=$("$name" -c "$check" 2>&1); then
        printf '%s\n' "$answer"
        exit 0
    fi
    # The last line is the reason; before it there may be what a version manager has to say.
    found="$found; $name $(printf '%s\n' "$answer" | sed '/^$/d' | tail -n 1)"
done
echo "setup: needs Python 3.11 or later (3.11 to 3.13 are tested)${found:-; found none}. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
exit 1
