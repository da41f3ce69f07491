#!/bin/sh
# The core's tests on each other supported Python that is installed (python3.12, python3.13, also pyenv's), side by side.
# What each printed is in .venv-3.*/output.txt, and is shown when all have ended.
set -eu

found() { # minor → the path of that Python; nothing where it is not here
  ls "$HOME"/.pyenv/versions/3."$1".*/bin/python 2>/dev/null | tail -n 1 | grep . || command -v "python3.$1" || true
}

# Without the suites of servers, browsers and killed processes: what they prove is no matter of the Python. In CI, which has
# not much time, also without those that mostly wait.
without="system benchmarks examples plugins cli console torture fuzz browser test_hostile_home.py test_recover.py"
[ -z "${CI:-}" ] || without="$without doctor frontend test_budget.py test_confirm.py test_hub.py"

core() { # minor → the core's tests
  # shellcheck disable=SC2046 # words, on purpose
  ".venv-3.$1/bin/python" -m pytest -q -n 2 --dist loadfile -p no:cacheprovider tests \
    $(printf -- '--ignore=tests/%s ' $without) >".venv-3.$1/output.txt" 2>&1
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
