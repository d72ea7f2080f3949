#!/bin/sh
# Makes .venv beside the Makefile and installs one hash-locked requirements file into it.
# usage: deploy/bootstrap.sh requirements.txt
set -eu
cd "$(dirname "$0")/.."
requirements=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "Python 3.11 or later is needed, found: $("$python" --version 2>&1). Set PYTHON=/path/to/python3.11" >&2
    exit 1
}

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    if ! "$python" -m venv .venv 2>/dev/null; then
        # Debian keeps this part of Python in a package of its own.
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "Installing python3-venv with apt-get"
            apt-get install -y -qq --no-install-recommends python3-venv >/dev/null ||
                { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; }
            rm -rf .venv
            "$python" -m venv .venv
        else
            echo "Python's venv module is missing: install it with  sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
fi

echo "Installing $requirements (each file is checked against its hash)"
# uv installs in seconds what takes pip a minute. It is itself locked; where it cannot be had or fails, pip does the work.
if .venv/bin/python -m pip install --quiet --require-hashes -r requirements-install.txt &&
    .venv/bin/uv pip install --python .venv/bin/python --require-hashes -r "$requirements"; then
    :
else
    echo "Installing with pip instead"
    .venv/bin/python -m pip install --progress-bar off --require-hashes -r "$requirements"
fi
