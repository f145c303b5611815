# Shared by ./quickstart and ./test: Debian packages, steps with their times. Sourced by bash.

# What building and running needs; docs/architecture.md says why each.
packages=(g++ cmake ninja-build pkg-config libtorch-dev libopenblas-dev libhwy-dev libeigen3-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libxxhash-dev libzip-dev zlib1g-dev libbz2-dev liblzma-dev libzstd-dev
  libcurl4-openssl-dev libsqlite3-dev libpq-dev libfmt-dev)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# fail PROBLEM REMEDY...: the end of a script, with what its log says last.
fail() {
  tail -n 20 "$log" >&2
  printf 'error: %s\n' "$@" >&2
  exit 1
}

step_names=()
step_seconds=()
# step NAME COMMAND...: says what happens and keeps how long it took.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '\n== %s\n' "$name" >&2
  "$@"
  step_names+=("$name")
  step_seconds+=($((SECONDS - start)))
}

print_times() {
  printf '\nWhere the time went:\n' >&2
  local i
  for i in "${!step_names[@]}"; do printf '  %5d s  %s\n' "${step_seconds[$i]}" "${step_names[$i]}" >&2; done
  printf '  %5d s  in all\n' "$SECONDS" >&2
}

# install PACKAGE...: only what is missing; asks for no root where nothing is.
install() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ ${#missing[@]} = 0 ]; then
    echo "all installed" >&2
    return
  fi
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}" \
    "there is no apt-get here. Install what docs/architecture.md lists, then: cmake --preset release && cmake --build --preset release"
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "missing: ${missing[*]}" \
    "installing needs root, and there is no sudo. As root: apt-get install --no-install-recommends ${missing[*]}"
  echo "installing: ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  local call=(apt-get install -y -q --no-install-recommends "${missing[@]}")
  if ! as_root "${call[@]}" >"$log" 2>&1; then
    as_root apt-get update -q >>"$log" 2>&1 || true
    as_root "${call[@]}" >>"$log" 2>&1 ||
      fail "could not install ${missing[*]}" "Check the network and the sources of apt, then start this again."
  fi
}

# Without OpenBLAS as the active BLAS, LibTorch's dense products are tens of times slower.
check_blas() {
  local active
  active=$(readlink -f "/usr/lib/$(gcc -print-multiarch)/libblas.so.3")
  case $active in
    *openblas*) echo "BLAS: OpenBLAS ($active)" >&2 ;;
    *) echo "warning: the active BLAS is $active, which is slow. Choose OpenBLAS:" \
      "update-alternatives --config libblas.so.3-$(gcc -print-multiarch)" >&2 ;;
  esac
}

configure() {
  cmake --preset "$1" >"$log" 2>&1 ||
    fail "cmake could not configure build/$1" "If the repository has moved, remove build/$1 and start this again."
}

# build PRESET [TARGET]: the whole log only if something fails.
build() {
  cmake --build --preset "$1" ${2:+--target "$2"} >"$log" 2>&1 ||
    { grep -A 20 -m 1 'FAILED' "$log" >&2 || tail -n 40 "$log" >&2; exit 1; }
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
