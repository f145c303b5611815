#!/bin/sh
# Each path that README.md, CONTRIBUTING.md and docs/ name exists: targets of links, and words in `code` that
# start with a folder or script of this repository. NAME, <x>, * and $ mark placeholders. Usage: doc_paths.sh ROOT
set -eu
cd "$1"
status=0
for file in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md docs/*/*.md; do
  [ -e "$file" ] || continue
  awk -v file="$file" '
    function check(path, from) {
      sub(/[#:?].*$/, "", path); sub(/[.,;)]+$/, "", path); sub(/\/$/, "", path)
      if (path == "" || path ~ /[*<>$|{]/ || path ~ /(^|\/)[A-Z][A-Z]+($|\/)/) return
      print FNR " " from path
    }
    /^```/ { fence = !fence; next }
    fence {
      n = split($0, words, /[ \t]+/)
      for (i = 1; i <= n; ++i) if (words[i] ~ /^(\.\/)?(docs|experiments|examples|tests)\//) check(words[i], "")
      next
    }
    {
      folder = file; if (!sub(/[^\/]*$/, "", folder)) folder = ""
      rest = $0
      while (match(rest, /\]\([^)]*\)/)) {
        link = substr(rest, RSTART + 2, RLENGTH - 3)
        if (link !~ /^(https?:|mailto:|#)/) check(link, folder)
        rest = substr(rest, RSTART + RLENGTH)
      }
      rest = $0
      while (match(rest, /`[^`]*`/)) {
        code = substr(rest, RSTART + 1, RLENGTH - 2)
        n = split(code, words, /[ \t]+/)
        for (i = 1; i <= n; ++i)
          if (words[i] ~ /^(\.\/)?(hyperllm|tests|docs|experiments|cmake|benchmarks|examples|fuzz|\.ci)\// ||
              words[i] ~ /^\.\/[a-z]+$/ || words[i] ~ /^[A-Za-z_]+\.md$/) {
            sub(/^\.\//, "", words[i])
            check(words[i], words[i] ~ /\// || words[i] !~ /\.md$/ ? "" : (file ~ /^docs\// && words[i] !~ /^[A-Z]+\.md$/ ? folder : ""))
          }
        rest = substr(rest, RSTART + RLENGTH)
      }
    }' "$file" | while read -r line path; do
    [ -e "$path" ] || { echo "$file:$line: names '$path', which does not exist"; echo x >&3; }
  done 3>"${TMPDIR:-/tmp}/doc_paths.$$"
  [ -s "${TMPDIR:-/tmp}/doc_paths.$$" ] && status=1
  rm -f "${TMPDIR:-/tmp}/doc_paths.$$"
done
exit $status
