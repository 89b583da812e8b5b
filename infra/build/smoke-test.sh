#!/usr/bin/env bash
# Asks an installation whether it works: smoke-test.sh api|console|event ADDRESS, with a bearer token in TOKEN.
#   api      reads the state: its identity, its database and its settings work
#   console  draws its first page
#   event    publishes an event that no model concerns, through the api, and waits for its record in the journal:
#            Pub/Sub, its push token, the function on-pipeline-released and its database work
set -Eeuo pipefail

what="${1:?api, console or event}"
address="${2:?the address of the function}"
wait_seconds="${SMOKE_TEST_SECONDS:-90}"

fail() {
  echo "$1" >&2
  exit 1
}

ask() {
  curl --fail --silent --show-error --max-time 60 --retry 5 --retry-all-errors --retry-delay 3 \
    --header "authorization: Bearer ${TOKEN:?}" "$@"
}

# What the journal says of an event: nothing yet, or what the function decided.
decided() {
  python3 -c '
import json, sys
for entry in json.load(sys.stdin)["entries"]:
    for decision in entry["decisions"]:
        print(entry["function"], decision["do"])
'
}

case "$what" in
  api)
    ask --output /dev/null "${address%/}/status"
    ;;
  console)
    page="$(ask --header "accept: text/html" "$address")"
    [[ "$page" == *" Continuo</title>"* ]] || fail "$address draws no page of the console"
    ;;
  event)
    id="smoke-test-${COMMIT_SHA:-by-hand}-$(date +%s)-$$"
    # No model has this name: the event concerns nobody, so that nothing but its record comes of it.
    event="{\"data\": {\"specversion\": \"1.0\", \"type\": \"pipeline.released\", \"id\": \"$id\", \"source\": \"continuo/smoke-test\",
      \"time\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\", \"data\": {\"model\": \"continuo-smoke-test\", \"digest\": \"none\", \"build\": \"smoke-test\"}}}"
    ask --output /dev/null --header "content-type: application/json" --data "$event" "${address%/}/publish"
    deadline=$((SECONDS + wait_seconds))
    while true; do
      said="$(ask "${address%/}/timeline?correlation=$id" | decided)"
      [[ -z "$said" ]] || break
      ((SECONDS < deadline)) ||
        fail "no function has handled the event $id within $wait_seconds s: \`continuo doctor\` looks at subscriptions and tokens"
      sleep 2
    done
    [[ "$said" == "on-pipeline-released ignore" ]] || fail "the event $id was to be ignored, and became: $said"
    ;;
  *)
    fail "unknown: $what; name api, console or event"
    ;;
esac
