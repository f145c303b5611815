#!/bin/sh
# `hyperllm` stays free of LibTorch, which only hyperllm-train may load, and starts in 20 ms of processor time (of
# three means of ten the least, because the machine may be busy). Usage: light.sh PROGRAM
set -eu
program=$1
bad=0
loads=$(LD_TRACE_LOADED_OBJECTS=1 "$program")
for library in torch c10; do
  case $loads in *"lib$library"*) echo "$program loads lib$library: something that it links needs LibTorch"; bad=1 ;; esac
done
for option in --help --version; do
  least=$(for try in 1 2 3; do
    sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do "$1" "$2" >/dev/null; done; times' sh "$program" "$option" | tail -n 1 |
      sed 's/[ms]/ /g' | awk '{ print int(100 * (60 * ($1 + $3) + $2 + $4) + 0.5) }'
  done | sort -n | head -n 1)
  echo "$program $option: $least ms"
  [ "$least" -le 20 ] || { echo "that is more than 20 ms"; bad=1; }
done
exit $bad
