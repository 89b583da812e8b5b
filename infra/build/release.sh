#!/usr/bin/env bash
# Releases the functions by the digests that were looked up: a new revision each without traffic, a smoke test of the new
# api and console; then one event function, which must handle an event; then the others, and all of it again. When anything
# fails, every service goes back to the revision that served before.
set -Eeuo pipefail

routine="${_ROUTINE:-pull-request}"
if [[ "$routine" == pull-request ]]; then
  echo "a pull request releases nothing"
  exit 0
fi

release="${CONTINUO_BUILD_FOLDER:-.build}/release"
region=(--region "${_REGION:?}" --project "${PROJECT_ID:?}" --quiet)
before=()
released=()

fail() {
  echo "$1" >&2
  return 1
}

# Looks at every service at once: the revision that serves all its traffic, whether it is ready, its address, the next
# revision's address, and who may reach it.
look() {
  gcloud run services list "${region[@]}" --format json | python3 -c "
import json, sys
for service in json.load(sys.stdin):
    status = service.get('status', {})
    traffic = status.get('traffic', [])
    print('\t'.join([
        service['metadata']['name'],
        ''.join(one['revisionName'] for one in traffic if one.get('percent') == 100) or '-',
        ''.join(one['status'] for one in status.get('conditions', []) if one['type'] == 'Ready') or '-',
        status.get('url') or '-',
        ''.join(one.get('url', '') for one in traffic if one.get('tag') == 'next') or '-',
        service['metadata'].get('annotations', {}).get('run.googleapis.com/ingress', 'all'),
    ]))" >"$release/services.tsv"
}

# One of these of one service; empty when there is none.
says() {
  awk -F '\t' -v name="$1" -v field="$2" '
    BEGIN { split("name revision ready url next ingress", names, " "); for (at in names) column[names[at]] = at }
    $1 == name && $column[field] != "-" { print $column[field] }' "$release/services.tsv"
}

go_back() {
  local status=$? entry service revision
  trap - ERR INT TERM
  set +e
  for entry in ${before[@]+"${before[@]}"}; do
    read -r service revision <<<"$entry"
    echo "$service goes back to $revision" >&2
    gcloud run services update-traffic "$service" "${region[@]}" --to-revisions "$revision=100" ||
      echo "$service could not be returned: set its traffic to $revision by hand" >&2
  done
  exit $((status == 0 ? 1 : status))
}
trap go_back ERR INT TERM

# Asks one of the functions for people: at the address of its next revision, or at its own. Tokens are made for the latter.
ask() {
  local what="$1" service="$2" at="$3" address
  address="$(says "$service" "$at")"
  [[ -n "$address" ]] || fail "$service has no address to be tried at"
  TOKEN="$(gcloud auth print-identity-token --audiences "$(says "$service" url)")" \
    bash "$(dirname "$0")/smoke-test.sh" "$what" "$address"
}

# Behind a load balancer the console answers to nobody here; that its revision starts is all that can be known of it.
ask_console() {
  if [[ "$(says continuo-console ingress)" == all ]]; then
    ask console continuo-console "$1"
  else
    echo "continuo-console stands behind its load balancer: its pages were not asked for"
  fi
}

move_traffic() {
  gcloud run services update-traffic "$1" "${region[@]}" --to-tags next=100
}

# Whatever cannot be released is found before anything is changed.
look
services=()
while read -r name; do
  digest="$(awk -v name="$name" '$1 == name { print $2 }' "$release/digests.txt")"
  [[ -n "$digest" ]] || fail "no digest of $name in $release/digests.txt"
  revision="$(says "continuo-$name" revision)"
  [[ -n "$revision" ]] || fail "continuo-$name serves no single revision: apply infra/terraform first"
  services+=("$name $digest $revision")
done <"$release/functions.txt"

for entry in "${services[@]}"; do
  read -r name digest revision <<<"$entry"
  before+=("continuo-$name $revision")
  # A revision that does not start is refused here, before anybody is sent to it.
  gcloud run services update "continuo-$name" "${region[@]}" --image "${_REPOSITORY:?}/$name@$digest" \
    --no-traffic --tag next --update-labels "commit=${COMMIT_SHA:?}"
  released+=("continuo-$name")
done

look
ask api continuo-api next
ask_console next
# Pub/Sub pushes to what serves: so one function serves first, and the others only if it handles an event.
first=continuo-on-pipeline-released
move_traffic "$first"
ask event continuo-api next
for service in "${released[@]}"; do
  [[ "$service" == "$first" ]] || move_traffic "$service"
done
ask api continuo-api url
ask_console url
ask event continuo-api url
look
for service in "${released[@]}"; do
  [[ "$(says "$service" ready)" == True ]] || fail "$service is not ready"
done
echo "released ${#released[@]} functions of commit $COMMIT_SHA to ${_ENVIRONMENT:-this environment}"
