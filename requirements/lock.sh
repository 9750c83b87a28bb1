# Resolves pyproject.toml once for Python 3.11 to 3.13 and writes requirements/*.txt, pinned, with hashes, without URLs.
# usage: sh requirements/lock.sh path/to/uv
set -eu
uv=$1
all=$(mktemp)
trap 'rm -f "$all"' EXIT
resolve() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
    --no-emit-index-url --no-header --no-annotate "$@"
}
resolve pyproject.toml requirements/build.in --extra train --extra load --extra dev --extra s3 --extra gcs > "$all"
resolve requirements/build.in --generate-hashes --constraint "$all" > requirements/build.txt
resolve pyproject.toml --generate-hashes --constraint "$all" > requirements/serve.txt
for extra in train load dev s3 gcs; do
  resolve pyproject.toml --extra "$extra" --generate-hashes --constraint "$all" > "requirements/$extra.txt"
done
