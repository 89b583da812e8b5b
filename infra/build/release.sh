#!/usr/bin/env bash
# Releases the functions by the digests that were looked up: a new revision each without traffic, a smoke test of the new
# api, all traffic, the smoke test again. When anything fails, every service goes back to the revision that served before.
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

# What a service says of itself: the revision that serves, whether it is ready, its address, the next revision's address.
says() {
  gcloud run services describe "$1" "${region[@]}" --format json | python3 -c "
import json, sys
status = json.load(sys.stdin).get('status', {})
traffic = status.get('traffic', [])
print({
    'revision': ''.join(one['revisionName'] for one in traffic if one.get('percent') == 100),
    'ready': ''.join(one['status'] for one in status.get('conditions', []) if one['type'] == 'Ready'),
    'url': status.get('url', ''),
    'next': ''.join(one.get('url', '') for one in traffic if one.get('tag') == 'next'),
}['$2'])"
}

go_back() {
  local status=$? entry service revision
  trap - ERR
  set +e
  for entry in ${before[@]+"${before[@]}"}; do
    read -r service revision <<<"$entry"
    echo "$service goes back to $revision" >&2
    gcloud run services update-traffic "$service" "${region[@]}" --to-revisions "$revision=100" ||
      echo "$service could not be returned: set its traffic to $revision by hand" >&2
  done
  exit "$status"
}
trap go_back ERR

# The api is what a build may ask: it reads the state, so its identity, its Firestore and its settings work.
smoke_test() {
  local address token
  address="$(says continuo-api "$1")"
  [[ -n "$address" ]] || fail "continuo-api has no address to be tried at"
  token="$(gcloud auth print-identity-token --audiences "$(says continuo-api url)")"
  curl --fail --silent --show-error --max-time 60 --retry 5 --retry-all-errors --retry-delay 3 \
    --output /dev/null --header "authorization: Bearer $token" "$address/status"
}

# Whatever cannot be released is found before anything is changed.
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

smoke_test next
for service in "${released[@]}"; do
  gcloud run services update-traffic "$service" "${region[@]}" --to-tags next=100
done
smoke_test url
for service in "${released[@]}"; do
  [[ "$(says "$service" ready)" == True ]] || fail "$service is not ready"
done
echo "released ${#released[@]} functions of commit $COMMIT_SHA to ${_ENVIRONMENT:-this environment}"
