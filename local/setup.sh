#!/usr/bin/env bash
# Installs what the project needs into the checkout (.venv, .tools) and, if they are missing, MariaDB, its backup tool,
# Redis and the Core Rule Set from Debian's packages.
# If everything is installed, it does nothing and ends quickly. It needs root or sudo.
# `local/setup.sh ops` creates the environment of the operators' command only, `local/setup.sh docs` that of the
# documentation site only, `local/setup.sh judges` that of the tools that judge the template only.
# `local/setup.sh browser` installs Chromium, for the tests of the console, if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools
# An environment must not be recreated with its own Python.
for bin in .venv/bin .tools/sam/bin; do PATH=${PATH//"$PWD/$bin:"/}; done

say() { printf 'set-up: %s\n' "$*" >&2; }
die() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

ticker=
trap '[ -z "$ticker" ] || kill "$ticker" 2>/dev/null' EXIT
tick() { # tick WHAT: says every 15 seconds that it goes on
  local started=$SECONDS sleeping
  trap 'kill "$sleeping"; exit 0' TERM
  while true; do
    sleep 15 & sleeping=$!
    wait "$sleeping"
    say "$1: $((SECONDS - started)) s …"
  done
}
step() { # step WHAT COMMAND…: runs the command and says how long it took
  local what=$1 started=$SECONDS status=0
  shift
  say "$what …"
  tick "$what" & ticker=$!
  "$@" || status=$?
  kill "$ticker" && wait "$ticker" || true
  ticker=
  [ "$status" = 0 ] || return "$status"
  is_changed=yes
  say "$what took $((SECONDS - started)) s"
}
is_changed=

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "'$*' needs root; run make as root, or install sudo."; fi
}

apt_update() { # apt_update PACKAGE…: before they are installed
  command -v apt-get >/dev/null || die "install $* (this machine has no apt-get), then run make again."
  step "updating the list of Debian's packages" apt_get update || die "apt-get update failed; see .tools/apt.log."
}
apt_install() {
  apt_update "$@"
  # The package must not start a server: the project starts private servers in the checkout.
  step "installing $* from Debian's packages" apt_get install -y --no-install-recommends "$@" \
    || die "apt-get install $* failed; see .tools/apt.log."
}
apt_install_browser() {
  apt_update chromium
  step "installing Chromium from Debian's packages" apt_get_browser || die "apt-get install chromium failed; see .tools/apt.log."
}
# Without the parts for a window, which not every distribution has as a package, the tests need half the processor time.
apt_get_browser() {
  apt_get install -y --no-install-recommends chromium-headless-shell \
    || apt_get install -y --no-install-recommends chromium
}
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq "$@" >>.tools/apt.log 2>&1; }

find_python() { # the version of .python-version, else the newest installed one from 3.11 on
  local version candidate
  for version in "$(cat .python-version)" 3.14 3.12 3.11; do
    candidate=$(PYENV_VERSION= command -v "python$version" || true)
    if [ -n "$candidate" ] && "$candidate" -c '' 2>/dev/null; then echo "$candidate"; return; fi
    for candidate in "$HOME/.pyenv/versions/$version".*/bin/"python$version" "$HOME/.local/share/uv/python/cpython-$version"*/bin/"python$version"; do
      if [ -x "$candidate" ]; then echo "$candidate"; return; fi
    done
  done
}

if [ "${1:-}" = browser ]; then
  command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || apt_install_browser
  exit 0
fi

stamp() { cat "$@" local/setup.sh | sha256sum | cut -d' ' -f1; }

python=$(find_python)
if [ -z "$python" ]; then
  apt_install python3 python3-venv
  python=$(find_python)
  [ -n "$python" ] || die "Python 3.11 or newer is needed; install it and run make again."
fi
"$python" -c 'import venv, ensurepip' 2>/dev/null || apt_install "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"

install_uv() {
  "$python" -m venv .tools/uv \
    && .tools/uv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
}
if [ "$(cat .tools/uv/stamp 2>/dev/null)" != "$(stamp requirements/uv.txt)" ]; then
  rm -rf .tools/uv
  step "installing uv" install_uv
  stamp requirements/uv.txt >.tools/uv/stamp
fi
uv=$PWD/.tools/uv/bin/uv
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy

environment() { # environment FOLDER REQUIREMENTS
  if [ "$(cat "$1/stamp" 2>/dev/null)" != "$(stamp "$2")" ]; then
    rm -rf "$1"
    step "installing $(grep -c == "$2") packages into $1 with $("$python" --version)" install_packages "$1" "$2"
    stamp "$2" >"$1/stamp"
  fi
}
install_packages() {
  # sam build needs pip in the environment.
  "$uv" venv -q --seed --python "$python" "$1" \
    && "$uv" pip install -q --require-hashes --compile-bytecode --python "$1/bin/python" -r "$2"
}
case "${1:-}" in
  docs | judges)
    environment ".tools/$1" "requirements/$1.txt"
    exit 0
    ;;
esac
environment .tools/ops requirements/ops.txt
[ "${1:-}" != ops ] || exit 0
environment .venv requirements/dev.txt
environment .tools/sam requirements/sam.txt

required=$(cat .python-version)
installed=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$installed" = "$required" ] || say "Python $required is not installed; using $installed (AWS runs $required)."

# Debian keeps the server in /usr/sbin, which is not on every user's PATH.
PATH=$PATH:/usr/sbin
command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null || apt_install mariadb-server
# It copies a running server: the local stack's snapshots and new replicas.
command -v mariadb-backup >/dev/null || apt_install mariadb-backup
command -v valkey-server >/dev/null || command -v redis-server >/dev/null || apt_install redis-server
# The rules of the local firewall. A Python package has the engine that runs them.
[ -d /usr/share/modsecurity-crs/rules ] || apt_install modsecurity-crs
[ -z "$is_changed" ] || say "ready after $SECONDS s"
