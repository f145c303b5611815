#!/bin/sh
# The recipes of the paper's tables are what experiments/paper/make writes. Usage: recipes.sh ROOT
set -eu
root=$1
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$root/experiments/paper/make" "$made"
failed=0
for recipe in "$made"/*.toml; do
  name=$(basename "$recipe")
  cmp -s "$recipe" "$root/experiments/paper/$name" && continue
  echo "experiments/paper/$name is not what experiments/paper/make writes; run that and commit the result"
  failed=1
done
exit $failed
