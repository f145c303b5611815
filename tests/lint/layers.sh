#!/bin/sh
# Includes go only downwards: a folder of hyperllm/ may include itself and the folders listed before it in
# hyperllm/CMakeLists.txt; stages never include one another; LibTorch stays where it belongs.
# Usage: layers.sh ROOT
set -eu
cd "$1"
find hyperllm -name '*.h' -o -name '*.cpp' | sort | xargs awk '
  BEGIN {
    torch["manifold"] = torch["graph"] = torch["optim"] = torch["objectives"] = torch["models"] = torch["frameworks"] = 1
    torch["training"] = torch["stages/train"] = torch["stages/bench"] = 1
    while ((getline line < "hyperllm/CMakeLists.txt") > 0) {
      if (line ~ /^foreach\(folder /) inside = 1
      if (!inside) continue
      ends = line ~ /\)/
      gsub(/foreach\(folder |\)/, "", line)
      n = split(line, words, " ")
      for (i = 1; i <= n; ++i) rank[words[i]] = ++count
      if (ends) break
    }
    if (!count) { print "hyperllm/CMakeLists.txt: no foreach(folder ...) list"; bad = 1 }
  }
  function fail(text) { print FILENAME ":" FNR ": " text; bad = 1 }
  /^[ \t]*#[ \t]*include/ {
    split(FILENAME, own, "/")
    target = $0
    sub(/^[^<"]*[<"]/, "", target); sub(/[>"].*/, "", target)
    if (!(own[2] in rank)) { fail("folder " own[2] " is not in the list of hyperllm/CMakeLists.txt"); next }
    if (target ~ /^(torch|ATen|c10)\// && !(own[2] in torch) && !((own[2] "/" own[3]) in torch))
      fail("LibTorch (" target ") does not belong into " own[2])
    if (target ~ /^tests\//) fail("the library includes its tests")
    if (target !~ /^hyperllm\//) next
    split(target, other, "/")
    if (!(other[2] in rank)) fail("includes the unknown folder " other[2])
    else if (rank[other[2]] > rank[own[2]]) fail(own[2] " must not include " target " (a higher layer)")
    if (own[2] == "stages" && other[2] == "stages" && own[3] != other[3])
      fail("stage " own[3] " includes stage " other[3])
  }
  END { exit bad }'
