# Sourced by scripts/demo and scripts/test: finds or installs what a build needs on a bare Debian or Ubuntu.
#
# Every function is idempotent and says one line about what it found or did. What is new enough is used as it is;
# what a person chose as their default (toolchain, Node.js) is never changed, only set for this run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
export HOME
target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$root/$target # as cargo reads it: all builds run in the root

# Oldest Node.js whose test runner does what the real-client tests ask of it.
node_min=18.19
# Taken from the npm registry where the distribution's Node.js is older than that (Ubuntu 22.04).
node_fallback=22
# Oldest Python that has a schemathesis in tests/openapi/requirements.txt.
python_min=3.10
# Oldest Go that builds what tests/deploy/go.mod names.
go_min=1.26
# Taken from the npm registry where apt has no Chromium (Ubuntu has it as a snap only).
chromium_fallback=147.0.0

say() { printf 'setup: %s\n' "$*"; }

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# newer_or_same 1.95.0 1.95: whether the first version is at least the second.
newer_or_same() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Runs a command quietly; shows what it printed only when it fails.
quietly() {
  local output
  output=$(mktemp)
  if "$@" >"$output" 2>&1 </dev/null; then
    rm -f "$output"
  else
    cat "$output" >&2
    rm -f "$output"
    return 1
  fi
}

# Whether as_root will work. On a terminal sudo asks for the password here, where its question can be seen.
can_be_root() {
  [ "$(id -u)" -eq 0 ] && return
  have sudo || return
  if [ -t 0 ]; then sudo -v; else sudo -n true 2>/dev/null; fi
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_lists_fresh=no

# Brings apt's package lists up to date, once per run.
apt_update() {
  have apt-get || fail "cannot install $*: this is not a Debian or Ubuntu" "install it by hand, then run this again"
  can_be_root || fail "missing: $*; you are neither root nor allowed to use sudo here" \
    "ask an administrator to run: apt-get install $*" "then run this again"
  [ "$apt_lists_fresh" = yes ] && return
  quietly as_root apt-get update || fail "apt-get update failed: is there a network?"
  apt_lists_fresh=yes
}

# --no-remove: what is installed is somebody's choice, and never goes away to make room.
apt_try() {
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-remove --no-install-recommends "$@"
}

apt_install() {
  apt_update "$@"
  say "installing $* with apt"
  apt_try "$@" || fail "apt-get install $* failed, see above"
}

# The version that apt would install, without epoch and revision; nothing when it has none.
apt_candidate() {
  apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([0-9]*:\)\{0,1\}\([0-9][0-9.]*\).*/\2/p'
}

# A C compiler for the crates that bring their own C (SQLite, AWS-LC), and what fetches the rest.
setup_build_tools() {
  local missing=()
  have gcc || missing+=(gcc)
  have g++ || missing+=(g++)
  have make || missing+=(make)
  [ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
  have git || missing+=(git)
  have curl || missing+=(curl)
  [ -s /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  say "C compiler: $(gcc --version | head -n 1)"
}

rust_min() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml"; }

# Whether the Rust on PATH is new enough and whole.
rust_fits() {
  local version
  version=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || return
  newer_or_same "${version:-0}" "$(rust_min)" && cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1
}

# rustup: Debian 13 and Ubuntu 24.04 have it as a package; elsewhere its own installer brings it.
install_rustup() {
  apt_update rustup
  if [ -n "$(apt_candidate rustup)" ] && apt_try rustup; then
    say "installed rustup with apt"
    return
  fi
  local installer
  installer=$(mktemp)
  say "installing rustup into ${CARGO_HOME:-$HOME/.cargo} with the installer of sh.rustup.rs"
  quietly curl --proto '=https' --tlsv1.2 -sSf -o "$installer" https://sh.rustup.rs ||
    fail "cannot fetch the Rust installer" "install Rust $(rust_min) or newer with rustfmt and clippy by hand, then run this again"
  quietly sh "$installer" -y --no-modify-path --profile minimal --default-toolchain none || fail "the Rust installer failed, see above"
  rm -f "$installer"
}

# Puts rustup's toolchain of that version first on PATH, before any cargo of the distribution that knows nothing of rustup.
use_toolchain() {
  local cargo
  # Asked first, because `rustup which` would install what is missing, in silence.
  [[ $(rustup toolchain list 2>/dev/null) == *"$1-"* ]] || return
  cargo=$(rustup which --toolchain "$1" cargo 2>/dev/null) || return
  export RUSTUP_TOOLCHAIN=$1 PATH=${cargo%/*}:$PATH
}

setup_rust() {
  local min
  min=$(rust_min)
  # An earlier run, or a person, may have put rustup here without telling the shell.
  export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  if ! rust_fits && ! { use_toolchain "$min" && rust_fits; }; then
    have rustup || install_rustup
    say "installing Rust $min with rustup (for this repository only: the default toolchain stays as it is)"
    quietly rustup toolchain install "$min" --no-self-update --profile minimal --component rustfmt --component clippy ||
      fail "rustup could not install Rust $min, see above"
    use_toolchain "$min" && rust_fits || fail "Rust $min was installed, but does not run: try 'cargo +$min clippy --version'"
  fi
  say "Rust: $(rustc --version)"
}

# What counts instructions, allocations and system calls.
setup_counting() {
  local missing=()
  have valgrind || missing+=(valgrind)
  have strace || missing+=(strace)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  say "$(valgrind --version), $(strace --version | head -n 1)"
}

node_fits() {
  local version
  version=$(node --version 2>/dev/null) || return
  newer_or_same "${version#v}" "$node_min" && have npm
}

# The npm package of the Node.js binary, and an npm that runs on it, kept under the target folder.
install_node_from_npm() {
  local arch
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *)
      fail "Node.js $node_min or newer is needed, and apt has only $(apt_candidate nodejs)" \
        "install a newer one by hand and put it first on PATH, then run this again"
      ;;
  esac
  have npm || apt_install nodejs npm
  say "this distribution's Node.js is older than $node_min: taking $node_fallback from npm into ${1#"$root"/}"
  quietly npm install --prefix "$1" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
    "node-linux-$arch@$node_fallback" npm@10 || fail "npm could not fetch Node.js $node_fallback, see above"
  mkdir -p "$1/bin"
  ln -sf "../node_modules/node-linux-$arch/bin/node" "$1/bin/node"
  ln -sf ../node_modules/npm/bin/npm-cli.js "$1/bin/npm"
}

setup_node() {
  local own=$target/tools/node
  if ! node_fits && [ -x "$own/bin/node" ]; then
    PATH=$own/bin:$PATH
  fi
  if ! node_fits; then
    apt_update nodejs npm
    if ! have node && newer_or_same "$(apt_candidate nodejs)" "$node_min"; then
      apt_install nodejs npm
    elif ! have npm && newer_or_same "$(node --version 2>/dev/null | tr -d v)" "$node_min"; then
      apt_install npm
    else
      install_node_from_npm "$own"
      PATH=$own/bin:$PATH
    fi
  fi
  export PATH
  hash -r
  node_fits || fail "Node.js $node_min or newer with npm is needed for the real-client tests; found $(node --version 2>&1 || true)" \
    "install it by hand and put it first on PATH, then run this again"
  say "Node.js: $(node --version), npm $(npm --version 2>/dev/null)"
}

# setup_packages FOLDER NAME: what the tests in that folder need from npm, in exactly the versions of its lock file.
setup_packages() {
  local folder=$root/$1
  local stamp=$folder/node_modules/.installed-package-lock.json
  if ! cmp -s "$folder/package-lock.json" "$stamp"; then
    say "fetching the $2 with npm"
    (cd "$folder" && quietly npm ci --ignore-scripts --no-audit --no-fund) || fail "npm ci in $1 failed, see above"
    cp "$folder/package-lock.json" "$stamp"
  fi
  say "$2: as in $1/package-lock.json"
}

setup_clients() { setup_packages tests/clients "real clients"; }

# schemathesis, in exactly the versions and with the hashes of its requirements, in a folder of its own.
setup_descriptions() {
  local own=$target/tools/schemathesis wanted=$root/tests/openapi/requirements.txt version
  have python3 || apt_install python3
  version=$(python3 -c 'import platform; print(platform.python_version())')
  newer_or_same "$version" "$python_min" || fail "Python $python_min or newer is needed for the tests of the API's description; found $version" \
    "install it by hand and put it first on PATH, then run this again"
  if ! cmp -s "$wanted" "$own/installed.txt"; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    say "fetching schemathesis with pip into ${own#"$root"/}"
    rm -rf "$own"
    quietly python3 -m venv "$own" || fail "python3 -m venv failed, see above"
    quietly "$own/bin/pip" install --disable-pip-version-check --require-hashes -r "$wanted" || fail "pip could not fetch schemathesis, see above"
    cp "$wanted" "$own/installed.txt"
  fi
  say "$("$own/bin/schemathesis" --version), Python $version"
}

go_fits() {
  local version
  version=$(GOTOOLCHAIN=local go version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p')
  newer_or_same "${version:-0}" "$go_min"
}

# helm, and what loads a compose file as docker does, in exactly the versions of tests/deploy/go.sum. Go comes from PyPI where there is none, and goes again.
build_deploy_tools() {
  local own=$1 go_home=
  if ! go_fits; then
    say "fetching Go with pip, to build helm"
    go_home=$(mktemp -d)
    quietly python3 -m venv "$go_home" || fail "python3 -m venv failed, see above"
    quietly "$go_home/bin/pip" install --disable-pip-version-check --require-hashes -r "$root/tests/deploy/go-requirements.txt" ||
      fail "pip could not fetch Go, see above" "install Go $go_min or newer by hand and put it first on PATH, then run this again"
  fi
  say "building helm with go into ${own#"$root"/}"
  (
    cd "$root/tests/deploy"
    export PATH=${go_home:+$go_home/bin:}$PATH GOTOOLCHAIN=local GOFLAGS="-mod=readonly -buildvcs=false" CGO_ENABLED=0
    # helm says which Kubernetes it was made for as its own releases do: by these two.
    of_helm=helm.sh/helm/v3/pkg/chartutil.k8sVersion
    quietly go build -trimpath -ldflags "-s -w -X ${of_helm}Major=1 -X ${of_helm}Minor=37" -o "$own/bin/helm" helm.sh/helm/v3/cmd/helm &&
      quietly go build -trimpath -ldflags '-s -w' -o "$own/bin/compose" .
  ) || fail "go could not build what tests/deploy/go.mod names, see above"
  [ -z "$go_home" ] || rm -rf "$go_home"
}

# Debian's caddy, unpacked and not installed: it would serve at once.
fetch_caddy() {
  local own=$1 folder
  apt_update caddy
  [ -n "$(apt_candidate caddy)" ] || return 0
  folder=$(mktemp -d)
  if (cd "$folder" && quietly apt-get download caddy && quietly dpkg -x caddy_*.deb unpacked); then
    mv "$folder/unpacked/usr/bin/caddy" "$own/bin/caddy"
  fi
  rm -rf "$folder"
}

# What renders and checks the files in deploy/, in a folder of its own.
setup_deploy() {
  local own=$target/tools/deploy wanted
  wanted=$(cd "$root/tests/deploy" && sha256sum requirements.txt go-requirements.txt compose.go go.mod go.sum)
  have systemd-analyze || apt_install systemd
  if [ "$(cat "$own/installed.txt" 2>/dev/null)" != "$wanted" ]; then
    have python3 || apt_install python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    say "fetching what checks deploy/ with pip into ${own#"$root"/}"
    rm -rf "$own"
    quietly python3 -m venv "$own" || fail "python3 -m venv failed, see above"
    quietly "$own/bin/pip" install --disable-pip-version-check --require-hashes -r "$root/tests/deploy/requirements.txt" ||
      fail "pip could not fetch what checks deploy/, see above"
    build_deploy_tools "$own"
    fetch_caddy "$own"
    printf '%s\n' "$wanted" >"$own/installed.txt"
  fi
  say "helm as in tests/deploy/go.mod, $("$own/bin/hadolint" --version), $(systemd-analyze --version | head -n 1)"
}

# What cuts the power of a file system, and makes networks of their own. The tests that need them say so where they may not be used.
setup_faults() {
  local missing=() PATH=$PATH:/usr/sbin:/sbin
  have xfs_io || missing+=(xfsprogs)
  have mkfs.ext4 || missing+=(e2fsprogs)
  have losetup || missing+=(mount)
  have ip || missing+=(iproute2)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  say "faults: $(xfs_io -V), $(ip -V)"
}

# The database of the cluster store. Its tests start servers of their own, and take one that TEST_DATABASE_URL names for those that need not stop it.
setup_postgres() {
  local found
  found=$(find_postgres)
  if [ -z "$found" ]; then
    apt_install postgresql
    found=$(find_postgres)
    [ -n "$found" ] || fail "PostgreSQL was installed, but is not in /usr/lib/postgresql" "look for it with: dpkg -L postgresql"
  fi
  say "$("$found/postgres" --version)"
  # Beside it, the pooler that people put before it. Its place is not on everybody's PATH.
  if [ ! -x /usr/sbin/pgbouncer ]; then
    apt_install pgbouncer
    [ -x /usr/sbin/pgbouncer ] || fail "PgBouncer was installed, but is not in /usr/sbin" "look for it with: dpkg -L pgbouncer"
  fi
  say "$(/usr/sbin/pgbouncer --version | head -n 1)"
}

# The newest server that Debian's packages brought; where only the client is installed, there is none.
find_postgres() {
  find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1 | sed 's|/initdb$||'
}

# The first Chromium on PATH that runs. On Ubuntu there can be one that only says how to get another.
find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome-stable google-chrome; do
    have "$name" && "$name" --version >/dev/null 2>&1 || continue
    command -v "$name"
    return
  done
  return 1
}

# The npm package that carries a Chromium without a window, unpacked under the target folder.
install_chromium_from_npm() {
  CHROMIUM=$1/chromium
  "$CHROMIUM" --version >/dev/null 2>&1 && return
  apt_install libnss3 libexpat1
  say "this distribution has no Chromium package: taking one from npm into ${1#"$root"/}"
  mkdir -p "$1"
  quietly npm install --prefix "$1" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts "@sparticuz/chromium@$chromium_fallback" ||
    fail "npm could not fetch Chromium, see above"
  (cd "$1" && TMPDIR=$1 quietly node --input-type=module -e 'import chromium from "@sparticuz/chromium"; await chromium.executablePath()') ||
    fail "Chromium could not be unpacked, see above"
  "$CHROMIUM" --version >/dev/null 2>&1 ||
    fail "the Chromium of npm does not run here: name another one with CHROMIUM=/path/to/it" "then run this again"
}

# A real Chromium (CHROMIUM names another), at least one font, and what drives it.
setup_browser() {
  if [ -n "${CHROMIUM:-}" ]; then
    "$CHROMIUM" --version >/dev/null 2>&1 || fail "CHROMIUM=$CHROMIUM does not run"
  elif ! CHROMIUM=$(find_chromium); then
    apt_update chromium
    if [ -n "$(apt_candidate chromium)" ]; then
      apt_install chromium
      CHROMIUM=$(find_chromium) || fail "Chromium was installed, but does not run: try 'chromium --version'"
    else
      install_chromium_from_npm "$target/tools/chromium" # Ubuntu's apt has it as a snap only
    fi
  fi
  export CHROMIUM
  [ -n "$(find /usr/share/fonts /usr/local/share/fonts -name '*.[ot]tf' -print -quit 2>/dev/null)" ] || apt_install fonts-dejavu-core
  setup_packages tests/browser "browser tests"
  say "Chromium: $("$CHROMIUM" --version 2>/dev/null) ($CHROMIUM)"
}
