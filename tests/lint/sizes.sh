#!/bin/sh
# No source file, script or CMake file reaches 500 lines. Usage: sizes.sh ROOT
set -eu
cd "$1"
find hyperllm tests benchmarks examples cmake fuzz -type f \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.sh' -o -name '*.py' -o -name '*.cmake' -o -name CMakeLists.txt \) \
  2>/dev/null | sort | xargs wc -l |
  awk '$2 != "total" && $1 >= 500 { print $2 ": " $1 " lines; split it (499 at most)"; bad = 1 } END { exit bad }'
