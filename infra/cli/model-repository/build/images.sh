#!/bin/sh
# The images of components/: build them, push them, or look up their digests. A folder per component holds its Dockerfile.
set -eu

action="${1:?build, push or digests}"
routine="${_ROUTINE:-pull-request}"
components="trainer"

if [ "$routine" = pull-request ] && [ "$action" != build ]; then
  echo "a pull request pushes nothing"
  exit 0
fi

mkdir -p .build
docker buildx create --use --name continuo >/dev/null 2>&1 || docker buildx use continuo
[ "$action" != digests ] || : >.build/digests.txt

for component in $components; do
  image="${_REPOSITORY:?}/MODEL_NAME-$component"
  cache="type=registry,ref=${_REPOSITORY}-cache/MODEL_NAME-$component:cache"
  case "$action" in
    build)
      docker buildx build "$component" --tag "$image:${COMMIT_SHA:?}" --cache-from "$cache"
      ;;
    push)
      # A tag never moves: an earlier build of this commit has pushed its image for good.
      if docker buildx imagetools inspect "$image:${COMMIT_SHA:?}" >/dev/null 2>&1; then continue; fi
      # A list of packages and the record of the build lie beside the image.
      docker buildx build "$component" --tag "$image:${COMMIT_SHA:?}" --cache-from "$cache" \
        --cache-to "$cache,mode=max,ignore-error=true" \
        --sbom=true --provenance=mode=max --push
      ;;
    digests)
      digest="$(docker buildx imagetools inspect "$image:${COMMIT_SHA:?}" --format '{{.Manifest.Digest}}')"
      echo "$component $digest" >>.build/digests.txt
      ;;
    *)
      echo "unknown action $action: build, push or digests" >&2
      exit 2
      ;;
  esac
done
