#!/bin/sh
# The core's tests on each other supported Python that is installed (python3.12, python3.13, also pyenv's).
set -eu
for minor in 12 13; do
  python=$(ls "$HOME"/.pyenv/versions/3.$minor.*/bin/python 2>/dev/null | tail -n 1 || true)
  [ -n "$python" ] || python=$(command -v "python3.$minor" || true)
  if [ -z "$python" ]; then
    echo "Python 3.$minor is not here"
    continue
  fi
  venv=.venv-3.$minor
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[test]'
  echo "== Python 3.$minor"
  "$venv/bin/python" -m pytest -q -p no:cacheprovider tests --ignore=tests/system --ignore=tests/benchmarks \
    --ignore=tests/examples --ignore=tests/plugins --ignore=tests/cli --ignore=tests/console \
    --ignore=tests/torture --ignore=tests/fuzz
done
