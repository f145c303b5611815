#!/bin/sh
# The lint scripts find planted faults, and pass a clean tree. Usage: self_test.sh FOLDER_OF_SCRIPTS
set -eu
scripts=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0

fresh() {
  rm -rf "$tree"/*
  mkdir -p "$tree/hyperllm/base" "$tree/hyperllm/data" "$tree/hyperllm/graph" "$tree/hyperllm/stages/a" \
    "$tree/hyperllm/stages/b" "$tree/tests" "$tree/docs" "$tree/experiments/paper"
  printf '#!/bin/sh\necho a >"$1/a.toml"\n' >"$tree/experiments/paper/make"
  chmod +x "$tree/experiments/paper/make"
  echo a >"$tree/experiments/paper/a.toml"
  printf 'foreach(folder base data\n        graph stages)\nendforeach()\n' >"$tree/hyperllm/CMakeLists.txt"
  printf '#include "hyperllm/base/a.h"\n#include <vector>\n' >"$tree/hyperllm/data/d.h"
  printf '#include <torch/types.h>\n#include "hyperllm/data/d.h"\n' >"$tree/hyperllm/graph/g.cpp"
  printf 'See [d](docs/d.md) and `hyperllm/data/d.h`, `hyperllm/NAME/x.h`, `other/thing`.\n' >"$tree/README.md"
  echo 'See `hyperllm/graph`.' >"$tree/docs/d.md"
}
expect() { # status script words-in-output
  code=0
  output=$(sh "$scripts/$2" "$tree" 2>&1) || code=1
  case "$output" in *"$3"*) found=1 ;; *) found=0 ;; esac
  if [ $code != "$1" ] || [ $found = 0 ]; then
    echo "FAILED: $2 should exit $1 and say '$3'; it exited $code and said: $output"
    failed=1
  fi
}

fresh
expect 0 layers.sh ""
expect 0 sizes.sh ""
expect 0 doc_paths.sh ""
expect 0 recipes.sh ""
fresh; echo b >"$tree/experiments/paper/a.toml"
expect 1 recipes.sh "experiments/paper/a.toml is not what experiments/paper/make writes"
fresh; echo '#include "hyperllm/data/d.h"' >"$tree/hyperllm/base/a.h"
expect 1 layers.sh "hyperllm/base/a.h:1: base must not include hyperllm/data/d.h"
fresh; echo '#include "hyperllm/stages/b/run.h"' >"$tree/hyperllm/stages/a/run.cpp"
expect 1 layers.sh "stage a includes stage b"
fresh; echo '#include <torch/types.h>' >"$tree/hyperllm/data/t.cpp"
expect 1 layers.sh "LibTorch (torch/types.h) does not belong into data"
fresh; mkdir "$tree/hyperllm/new"; echo '#include <vector>' >"$tree/hyperllm/new/n.h"
expect 1 layers.sh "folder new is not in the list"
fresh; yes '// line' | head -n 500 >"$tree/hyperllm/data/long.cpp"
expect 1 sizes.sh "hyperllm/data/long.cpp: 500 lines"
fresh; echo 'Open `hyperllm/data/gone.h`.' >"$tree/README.md"
expect 1 doc_paths.sh "README.md:1: names 'hyperllm/data/gone.h'"
fresh; echo 'Open [this](gone.md).' >"$tree/docs/d.md"
expect 1 doc_paths.sh "docs/d.md:1: names 'docs/gone.md'"
fresh; mkdir "$tree/docs/lab"; echo 'Open [this](../d.md) and [that](../gone.md).' >"$tree/docs/lab/n.md"
expect 1 doc_paths.sh "docs/lab/n.md:1: names 'docs/lab/../gone.md'"
fresh; echo 'Run `./nothing`.' >"$tree/README.md"
expect 1 doc_paths.sh "names 'nothing'"
fresh; mkdir -p "$tree/Testing/Temporary"
printf '%s\n' 'a_test.cpp:3: Skipped' 'no AMX' '[  SKIPPED ] A.B (0 ms)' '[  SKIPPED ] 1 test, listed below:' \
  '[  SKIPPED ] A.B' '[       OK ] A.C (0 ms)' 'b_test.cpp:9: Skipped' 'no AMX' '[  SKIPPED ] B.B/2 (1 ms)' \
  >"$tree/Testing/Temporary/LastTest.log"
expect 0 skipped.sh '2 tests were skipped
  no AMX:
    A.B
    B.B/2'
exit $failed
