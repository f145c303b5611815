#!/bin/sh
# Lists the tests that the last ctest of a build folder skipped, by the reason that they gave.
# Usage: skipped.sh BUILD_FOLDER
set -eu
awk '
  /: Skipped$/ { getline reason }
  /^\[  SKIPPED \] [^ ]+ \(/ {
    if (!(reason in tests)) order[++reasons] = reason
    tests[reason] = tests[reason] "\n    " $4
    ++count
  }
  END {
    print count + 0, count == 1 ? "test was skipped" : "tests were skipped"
    for (i = 1; i <= reasons; ++i) print "  " order[i] ":" tests[order[i]]
  }' "$1/Testing/Temporary/LastTest.log"
