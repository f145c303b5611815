#!/bin/sh
# ./quickstart and ./test say what is missing and what to do where they cannot install. Made-up commands stand
# before the real ones in PATH; nothing is installed. Usage: scripts.sh ROOT
set -eu
root=$1
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
failed=0

command() { # name body
  printf '#!/bin/sh\n%s\n' "$2" >"$bin/$1"
  chmod +x "$bin/$1"
}
# What the scripts need of the system, and nothing more.
for name in bash tail mktemp rm grep printf cat; do ln -s "$(which $name)" "$bin/$name"; done

expect() { # words-in-output
  code=0
  output=$(PATH=$bin bash -euo pipefail -c '. "$1/.ci/common.sh"; step packages install something' - "$root" 2>&1) ||
    code=$?
  case "$output" in *"$1"*) found=1 ;; *) found=0 ;; esac
  if [ $code != 1 ] || [ $found = 0 ]; then
    echo "FAILED: should exit 1 and say '$1'; it exited $code and said: $output"
    failed=1
  fi
}

command dpkg-query 'exit 1'
command id 'echo 1000'
expect "there is no apt-get here"
command apt-get 'echo "Could not resolve the mirror"; exit 100'
expect "As root: apt-get install --no-install-recommends something"
command sudo '"$@"'
expect "Check the network and the sources of apt"
expect "Could not resolve the mirror"
exit $failed
