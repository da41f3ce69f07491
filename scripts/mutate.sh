#!/bin/sh
# Mutation check of one module: which changes of its code does no test notice?
#   scripts/mutate.sh serve          every mutant of src/hotbay/serve.py against the module's tests
#   scripts/mutate.sh serve FOLDER   the same in FOLDER (default: a new one); goes on there where it stopped
# It works on a copy: the tree stays as it is. At the end it prints the counts and the survivors;
# `mutmut show NAME` in FOLDER shows one. Log lines and hints how to mend are not mutated: they are words.
# Wants mutmut 3 (`pip install mutmut`) beside the project, in $PYTHON (default: .venv/bin/python).
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$here/.venv/bin/python}
module=${1:?which module: apply, journal, notary, plan, receipt, serve or steps}
work=${2:-$(mktemp -d)}
case $module in
  apply)   tests="tests/test_apply.py" ;;
  plan)    tests="tests/test_plan.py tests/test_draft.py" ;;
  steps)   tests="tests/test_steps.py tests/test_apply.py" ;;
  *)       tests="tests/test_$module.py" ;;
esac
tests=${TESTS:-$tests}

mkdir -p "$work"
for name in pyproject.toml README.md src tests examples plugins benchmarks docs; do
  [ -e "$work/$name" ] || cp -r "$here/$name" "$work/"
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
nice -n 19 "$python" -m mutmut run --max-children 1
echo "== $module, in $work"
"$python" -m mutmut results --all true | sed 's/.*: //' | sort | uniq -c
"$python" -m mutmut results
