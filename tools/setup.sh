# Sourced by tools/prunec, tools/prunec-opt and tools/test: installs what is missing, builds what
# has changed, and takes a few milliseconds when there is nothing to do.
#
# Everything goes to stderr, because the output of prunec belongs to whoever called it. A set-up
# that fails ends in exit code 70, which none of prunec's own failures uses.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python=$repository/.venv/bin/python
build_packages=(libprotobuf-c-dev libopenblas-dev libzip-dev libpng-dev libjpeg62-turbo-dev
  pkg-config)

fail() {
  printf '%s: error: %s\n' "${0##*/}" "$1" >&2
  exit 70
}

# run_quietly MESSAGE COMMAND...: shows the message on a terminal, and the command's output only
# when the command fails.
run_quietly() {
  local message=$1 log status=0
  shift
  if [ -t 2 ]; then printf '%s…\n' "$message" >&2; fi
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then cat "$log" >&2; fi
  rm -f "$log"
  return "$status"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "neither root nor sudo: run '$*' as root" >&2
    return 1
  fi
}

install_packages() {
  # A third-party source that cannot be reached fails the update, not necessarily the installation.
  as_root apt-get update || true
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

# ensure_packages PACKAGE...: installs the Debian packages that are not there yet.
ensure_packages() {
  # Where there is no dpkg the build itself says what it does not find.
  command -v dpkg-query >/dev/null || return 0
  local installed package missing=()
  installed=$(dpkg-query -W -f='|${Package} ${Status}|' "$@" 2>/dev/null) || true
  for package in "$@"; do
    [[ $installed == *"|$package install ok installed|"* ]] || missing+=("$package")
  done
  [ "${#missing[@]}" -eq 0 ] && return
  run_quietly "installing ${missing[*]}" install_packages "${missing[@]}" \
    || fail "cannot install ${missing[*]}"
}

can_make_environments() {
  "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

make_environment() {
  "$1" -m venv --clear "$repository/.venv" \
    && "$python" -m pip install --disable-pip-version-check -r "$repository/tools/requirements.txt"
}

# ensure_python: makes .venv from tools/requirements.txt, again when that file has changed.
ensure_python() {
  local requirements=$repository/tools/requirements.txt
  local installed=$repository/.venv/requirements.txt base=python3
  # -x follows the link: an environment whose interpreter was removed is made again.
  if [ -x "$python" ] && cmp -s "$requirements" "$installed"; then return; fi
  if ! can_make_environments "$base"; then
    # Debian keeps venv apart from Python, and what comes first on the path may not be Debian's.
    ensure_packages python3 python3-venv
    base=/usr/bin/python3
  fi
  run_quietly "making .venv" make_environment "$base" || fail "cannot make .venv"
  cp "$requirements" "$installed"
}

# build_product NAME: builds an executable in release mode unless no source is newer than the
# last build. The time of a build is kept in a file of its own, because a build that finds nothing
# to compile leaves the executable as old as it was.
build_product() {
  local product=$1
  local binary=$repository/.build/release/$product stamp=$repository/.build/$product.built
  local sources=("$repository/Package.swift" "$repository/Sources" "$repository/Passes")
  if [ -x "$binary" ] && [ -e "$stamp" ] \
    && [ -z "$(find "${sources[@]}" -newer "$stamp" -print -quit)" ]; then
    return
  fi
  # Taken before the build, so that a file saved while it runs is built the next time.
  mkdir -p "$repository/.build"
  touch "$stamp.$$"
  run_quietly "building $product" \
    swift build -c release --package-path "$repository" --product "$product" \
    || { rm -f "$stamp.$$"; fail "cannot build $product"; }
  mv "$stamp.$$" "$stamp"
}

# run_product NAME ARGUMENT...: becomes the executable, in the caller's folder.
run_product() {
  local product=$1
  shift
  ensure_packages "${build_packages[@]}"
  build_product "$product"
  exec "$repository/.build/release/$product" "$@"
}
