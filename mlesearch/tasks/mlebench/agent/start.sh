#!/bin/bash
# Searches on the competition in /home/data until the time is up. The best submission stands in SUBMISSION_DIR at any
# moment, whole; the search is kept in LOGS_DIR, the winning program goes to CODE_DIR. Words behind are settings.
#
# Read from the environment: TIME_LIMIT_SECS, STEP_LIMIT, COMPETITION_ID (all of the harness), MODEL, STRATEGY, SANDBOX,
# and METRIC with DIRECTION where MLE-bench's own table does not know the competition.
set -u

DATA_DIR="${DATA_DIR:-/home/data}"
SUBMISSION_DIR="${SUBMISSION_DIR:-/home/submission}"
LOGS_DIR="${LOGS_DIR:-/home/logs}"
CODE_DIR="${CODE_DIR:-/home/code}"
VALIDATE_URL="${VALIDATE_URL:-http://localhost:5000/validate}"
LIMIT_S="${TIME_LIMIT_SECS:-86400}"
PAUSE_S="${PAUSE_S:-30}"
SPARE_S=$((LIMIT_S / 50 < 300 ? LIMIT_S / 50 : 300)) # for what runs when the time of the search is up
UNTIL=$((SECONDS + LIMIT_S))

if command -v conda > /dev/null; then
  eval "$(conda shell.bash hook)"
  conda activate agent
fi

keep_code() {
  if [ -f "$SUBMISSION_DIR/submission.py" ]; then
    cp "$SUBMISSION_DIR/submission.py" "$CODE_DIR/solution.py"
  fi
}
trap keep_code EXIT
code=1

if [ -n "${METRIC:-}" ]; then
  task=(--metric "$METRIC")
  if [ -n "${DIRECTION:-}" ]; then task+=(--direction "$DIRECTION"); fi
else
  task=(--competition "${COMPETITION_ID:-}")
fi
if [ -n "${STEP_LIMIT:-}" ]; then task+=(--steps "$STEP_LIMIT"); fi

mkdir -p "$SUBMISSION_DIR" "$LOGS_DIR" "$CODE_DIR"
for attempt in 1 2 3 4 5; do
  left=$((UNTIL - SECONDS))
  if [ "$left" -le 0 ]; then break; fi
  timeout --signal=TERM --kill-after=10 "$left" python -m mlesearch solve "$DATA_DIR" "${task[@]}" \
    --validate "$VALIDATE_URL" --out "$SUBMISSION_DIR/submission.csv" --study "$LOGS_DIR/mlesearch-study" \
    --model "${MODEL:-gpt-5}" --strategy "${STRATEGY:-greedy}" --sandbox "${SANDBOX:-auto}" \
    --time "$((LIMIT_S - SPARE_S))s" --yes "$@" 2>&1 | tee -a "$LOGS_DIR/mlesearch.log"
  code=${PIPESTATUS[0]}
  # 1: a model or the grading server was not there; the same command goes on. 2: wrong input, which stays wrong.
  if [ "$code" -ne 1 ]; then break; fi
  sleep "$PAUSE_S"
done
exit "$code"
