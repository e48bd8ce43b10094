#!/bin/sh
# Says in one line what a fresh Debian or Ubuntu machine lacks for the Python environment.
python=$1
if ! command -v "$python" > /dev/null 2>&1; then
    echo "error: $python is missing: apt-get install python3" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    version=$("$python" -c 'import platform; print(platform.python_version())')
    echo "error: $python is Python $version, 3.11 or newer is needed: apt-get install python3.11 python3.11-venv, then make PYTHON=python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    echo "error: $python has no venv module: apt-get install python3-venv" >&2
    exit 1
fi
