#!/bin/sh
# Mutation check of one module: which changes of its code does no test notice? See docs/mutation.md.
#   scripts/mutate.sh serve                    every mutant of src/hotbay/serve.py against the module's tests
#   scripts/mutate.sh serve FOLDER             the same in FOLDER (default: a new one); goes on there where it stopped
#   scripts/mutate.sh apply FOLDER '*[05]'     the mutants whose names fit: here a fifth
# It works on a copy: the tree stays as it is. At the end it prints the counts and the survivors; `mutmut show NAME` in
# FOLDER shows one. Log lines and hints how to mend are not mutated: they are words.
# TESTS names other tests than the module's own, PYTHON another interpreter (with mutmut 3) than .venv's.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$here/.venv/bin/python}
module=${1:?which module: apply, journal, notary, plan, receipt, serve, steps, activate/owned ...}
work=${2:-$(mktemp -d)}
which=${3:-}
case $module in
  plan)       tests="tests/test_plan.py tests/test_draft.py" ;;
  steps)      tests="tests/test_steps.py tests/test_apply.py" ;;
  activate/*) tests="tests/activate/test_${module#activate/}.py" ;;
  *)          tests="tests/test_$module.py" ;;
esac
tests=${TESTS:-$tests}

mkdir -p "$work"
for name in pyproject.toml README.md src tests examples plugins benchmarks docs console; do
  [ -e "$work/$name" ] || [ ! -e "$here/$name" ] || cp -r "$here/$name" "$work/"
done
cat > "$work/setup.cfg" <<CFG
[mutmut]
source_paths = src
only_mutate = src/hotbay/$module.py
also_copy =
    examples
    plugins
    benchmarks
    docs
    README.md
do_not_mutate_patterns =
    log\.(debug|info|warning|error|exception)\(
    mend ?=
pytest_add_cli_args =
    -pno:cacheprovider
pytest_add_cli_args_test_selection =
$(for test in $tests; do printf '    %s\n' "$test"; done)
CFG
cd "$work"
# shellcheck disable=SC2086 - no pattern is no argument
nice -n 19 "$python" -m mutmut run --max-children 1 $which
echo "== $module, in $work"
"$python" -m mutmut results --all true | sed 's/.*: //' | sort | uniq -c
"$python" -m mutmut results | grep -v 'not checked' || true
