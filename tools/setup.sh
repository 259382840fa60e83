# Sourced by tools/prunec, tools/prunec-opt and tools/test: installs what is missing, builds what
# has changed, and takes a few milliseconds when there is nothing to do.
#
# Everything goes to stderr, because the output of prunec belongs to whoever called it. A set-up
# that fails ends in exit code 70, which none of prunec's own failures uses.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python=$repository/.venv/bin/python
# Seconds to wait for another apt-get.
lock_timeout=300
build_packages=(libprotobuf-c-dev libopenblas0-pthread libzip-dev libpng-dev libjpeg62-turbo-dev
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

# update_packages: brings the lists of packages up to date. apt-get waits for the lock of dpkg when it is told to, but not for that of
# the lists, which another apt-get holds as briefly.
update_packages() {
  local said start=$SECONDS
  while ! said=$(as_root env LC_ALL=C apt-get update 2>&1); do
    printf '%s\n' "$said"
    [[ $said == *'Could not get lock'* ]] && [ $((SECONDS - start)) -lt "$lock_timeout" ] || return
    sleep 1
  done
}

install_packages() {
  # A third-party source that cannot be reached fails the update, not necessarily the installation.
  update_packages || true
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout="$lock_timeout" install -y --no-install-recommends "$@"
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
  local base=$1 folder=$2 requirements=$3
  shift 3
  "$base" -m venv --clear "$folder" \
    && "$folder/bin/pip" install --disable-pip-version-check -r "$requirements" || return
  [ "$#" -eq 0 ] || "$folder/bin/pip" install --disable-pip-version-check --no-deps "$@"
}

# ensure_environment FOLDER REQUIREMENTS [PACKAGE...]: makes a Python environment, again when what it
# is made from has changed. The packages are installed without what they depend on.
ensure_environment() {
  local folder=$1 requirements=$2 wanted base=python3
  local installed=$folder/requirements.txt
  shift 2
  wanted=$(cat "$requirements" "$repository/tools/requirements.txt" && printf '%s\n' "$@")
  # -x follows the link: an environment whose interpreter was removed is made again.
  if [ -x "$folder/bin/python" ] && [ "$wanted" = "$(cat "$installed" 2>/dev/null)" ]; then
    return
  fi
  if ! can_make_environments "$base"; then
    # Debian keeps venv apart from Python, and what comes first on the path may not be Debian's.
    ensure_packages python3 python3-venv
    base=/usr/bin/python3
  fi
  local name=${folder#"$repository/"}
  run_quietly "making $name" make_environment "$base" "$folder" "$requirements" "$@" \
    || fail "cannot make $name"
  printf '%s\n' "$wanted" >"$installed"
}

# ensure_python: makes .venv from tools/requirements.txt.
ensure_python() {
  ensure_environment "$repository/.venv" "$repository/tools/requirements.txt"
}

# ensure_compare_environment: makes .cache/compare, which becomes the interpreter to use. The peers are
# installed without what they depend on, or they would replace a torch for CPU only by another.
ensure_compare_environment() {
  ensure_packages dataset-fashion-mnist
  ensure_environment "$repository/.cache/compare" "$repository/tools/requirements-compare.txt" \
    torch-pruning==1.6.1 onnxsim==0.8.1
  python=$repository/.cache/compare/bin/python
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
