#!/bin/sh
# Images of every component: build them, push them, or look up their digests. The step `bundle` has listed them.
set -eu

action="${1:?build, push or digests}"
routine="${_ROUTINE:-pull-request}"
release="${CONTINUO_BUILD_FOLDER:-.build}/release"

case "$action:$routine" in
  build:tag | push:tag) echo "a promotion builds nothing"; exit 0 ;;
  push:pull-request | digests:pull-request) echo "a pull request pushes nothing"; exit 0 ;;
esac

case "$action" in
  build)
    docker buildx create --use --name continuo >/dev/null 2>&1 || docker buildx use continuo
    # Only what is released may fill the cache.
    if [ "$routine" = pull-request ]; then
      docker buildx bake --file "$release/bake.json" --set "*.cache-to="
    else
      docker buildx bake --file "$release/bake.json"
    fi
    ;;
  push)
    docker buildx use continuo
    # A tag never moves: an earlier build of this commit has pushed its images for good.
    missing=""
    while read -r name; do
      docker buildx imagetools inspect "${_REPOSITORY:?}/$name:${COMMIT_SHA:?}" >/dev/null 2>&1 || missing="$missing $name"
    done <"$release/names.txt"
    if [ -z "$missing" ]; then
      echo "every image of commit $COMMIT_SHA was pushed before"
      exit 0
    fi
    # A list of packages and the record of the build lie beside each image; what was built before comes from the cache.
    # shellcheck disable=SC2086
    docker buildx bake --file "$release/bake.json" --sbom=true --provenance=mode=max --push $missing
    ;;
  digests)
    : >"$release/digests.txt"
    while read -r name; do
      image="${_REPOSITORY:?}/$name:${COMMIT_SHA:?}"
      digest="$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')"
      if ! echo "$digest" | grep -Eqx 'sha256:[0-9a-f]{64}'; then
        echo "$image has no digest ($digest): was this commit built on main?" >&2
        exit 1
      fi
      echo "$name $digest" >>"$release/digests.txt"
    done <"$release/names.txt"
    cat "$release/digests.txt"
    ;;
  *)
    echo "unknown action $action: build, push or digests" >&2
    exit 2
    ;;
esac
