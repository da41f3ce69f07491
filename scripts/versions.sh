#!/bin/sh
# The core's tests on each other supported Python that is installed (python3.12, python3.13, also pyenv's), side by side.
# What each printed is in .venv-3.*/output.txt, and is shown when all have ended.
set -eu

found() { # minor → the path of that Python; nothing where it is not here
  ls "$HOME"/.pyenv/versions/3."$1".*/bin/python 2>/dev/null | tail -n 1 | grep . || command -v "python3.$1" || true
}

# Without the suites of servers, browsers and killed processes: what they prove is no matter of the Python.
core() { # minor → the core's tests
  ".venv-3.$1/bin/python" -m pytest -q -n 2 --dist loadfile -p no:cacheprovider tests --ignore=tests/system --ignore=tests/benchmarks \
    --ignore=tests/examples --ignore=tests/plugins --ignore=tests/cli --ignore=tests/console \
    --ignore=tests/torture --ignore=tests/fuzz --ignore=tests/browser --ignore=tests/test_hostile_home.py \
    --ignore=tests/test_recover.py >".venv-3.$1/output.txt" 2>&1
}

trap 'cat .venv-3.*/output.txt; exit 1' INT TERM
running=
for minor in 12 13; do
  python=$(found "$minor")
  if [ -z "$python" ]; then
    echo "Python 3.$minor is not here"
    continue
  fi
  [ -x ".venv-3.$minor/bin/python" ] || "$python" -m venv ".venv-3.$minor"
  ".venv-3.$minor/bin/python" -m pip install -q --disable-pip-version-check -e '.[test]'
  core "$minor" &
  running="$running $minor:$!"
done
failed=0
for one in $running; do
  code=0
  wait "${one#*:}" || code=$?
  echo "== Python 3.${one%:*}"
  cat ".venv-3.${one%:*}/output.txt"
  [ "$code" -eq 0 ] || failed=1
done
exit "$failed"
