#!/bin/sh
# Says in one line what a machine lacks for the Python environment, or that the folder for it holds something else.
#   check_python.sh PYTHON FOLDER    prints the folder with its links resolved
set -eu
python=$1
folder=$2
supported="3.11, 3.12 or 3.13"
if ! command -v "$python" > /dev/null 2>&1; then
    echo "error: $python is missing: apt-get install python3" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
    version=$("$python" -c 'import platform; print(platform.python_version())')
    echo "error: $python is Python $version, the locked packages need $supported: for instance apt-get install python3.11 python3.11-venv, then make PYTHON=python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    echo "error: $python has no venv module: apt-get install python3-venv" >&2
    exit 1
fi
# A link, to a larger disk say, is followed: what it leads to is emptied only if it is an environment.
target=$(readlink -m -- "$folder")
if [ -L "$target" ]; then
    echo "error: $folder is a link in a circle: remove it" >&2
    exit 1
fi
if [ -e "$target" ] && [ ! -d "$target" ]; then
    echo "error: $target, where the Python environment should be, is a file: move it away" >&2
    exit 1
fi
if [ -d "$target" ] && [ ! -e "$target/pyvenv.cfg" ] && [ -n "$(ls -A -- "$target")" ]; then
    echo "error: $target, where the Python environment should be, holds something else: nothing was touched; move it away, or let $folder lead elsewhere" >&2
    exit 1
fi
printf '%s\n' "$target"
