# shellcheck shell=bash disable=SC2015
# Finds one pinned file and prints its path. Explanations go to standard error. wolfssl/fetch and httplib/fetch set the
# variables below, source this file and call fetch_pinned.
#
# Promise: the printed file has the pinned SHA-256, checked in this run, whatever its name and source. A file that the
# caller names is used or refused, never silently replaced from another source. Only the cache directory is written to,
# and files appear there complete or not at all.
#
# Sources, in this order:  cache     ${XDG_CACHE_HOME:-~/.cache}/mqtt-relay
#                          upstream  the project's release, by curl or wget
#                          apt       the Debian archive in this machine's apt sources
#                          and what the caller lists in $more_sources
#
# MQTT_RELAY_OFFLINE=1                     only the named file and the cache
# MQTT_RELAY_SKIP_SOURCES="cache upstream" leaves sources out
#
# The caller sets:
#   caller          prefix of messages
#   what            the file in words, such as "wolfSSL 5.9.2's release tarball"
#   kind            the caller's option for a named file: --$kind FILE
#   cmake_option    the CMake variable that names the file
#   pin url name    the file's SHA-256, its upstream address, its name in the cache
#   cached          glob: files in the cache that may be the pinned file
#   package suite   Debian's source package, and a suite that contains it
#   pool pool_pin   the original tarball's path in Debian's pool, and its SHA-256
#   more_sources    further sources: each is a function from_NAME in the caller
#   from_tarball    optional function: makes the pinned file $2 from the original tarball $1

: "${caller:?}" "${what:?}" "${kind:?}" "${cmake_option:?}" "${pin:?}" "${url:?}" "${name:?}" "${cached:?}"
: "${package:?}" "${suite:?}" "${pool:?}" "${pool_pin:?}" "${more_sources=}"

cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/mqtt-relay
tmp= # a directory in the cache, so that the last step of a download is a rename within one file system
why= # why the last source did not have the file

say() { echo "$caller: $*" >&2; }
die() { say "$@"; exit 1; }
sum_of() { sha256sum <"$1" | cut -d' ' -f1; }
has_sum() { [ -f "$1" ] && [ "$(sum_of "$1")" = "$2" ]; }
found() { say "$1 (SHA-256 as pinned)"; echo "$1"; exit 0; }

# A source exits with 0 when it has the file. Otherwise it leaves the reason in $why.
fail() { why=$1; return 1; }

# A download gets its final name only if its hash is right.
keep() {
  has_sum "$1" "$pin" ||
    { fail "found another file: $(stat -c %s "$1") bytes with SHA-256 $(sum_of "$1"), expected $pin"; return; }
  mv "$1" "$cache/$name" && found "$cache/$name"
}

# The same for the original tarball, which is or contains the pinned file.
keep_from_tarball() {
  has_sum "$1" "$pool_pin" ||
    { fail "found another tarball: $(stat -c %s "$1") bytes with SHA-256 $(sum_of "$1"), expected $pool_pin"; return; }
  if declare -F from_tarball >/dev/null; then
    from_tarball "$1" "$tmp/$name" || { fail "can't unpack ${1##*/}"; return; }
    keep "$tmp/$name"
  else
    keep "$1"
  fi
}

from_cache() {
  local file
  why="no $cached in $cache"
  for file in "$cache"/$cached; do
    [ -e "$file" ] || continue
    has_sum "$file" "$pin" && found "$file"
    why="$file has the wrong SHA-256"
    # A file with another name may be there for a reason of its own, and is not reported as corrupt.
    [ "$file" != "$cache/$name" ] || say "$file is corrupt: SHA-256 $(sum_of "$file"), pinned $pin. It will be replaced."
  done
}

from_upstream() {
  local part=$tmp/$name log=$tmp/upstream.log
  say "trying upstream: $url"
  # Bounded: 20 s to connect, and 30 s of stalling.
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 20 --speed-limit 1000 --speed-time 30 -o "$part" "$url" 2>"$log"
  elif command -v wget >/dev/null; then
    wget -nv --tries=1 --connect-timeout=20 --read-timeout=30 -O "$part" "$url" 2>"$log"
  else
    fail "neither curl nor wget is installed"; return
  fi || { fail "$(grep . "$log" | tail -n 1)"; return; }
  keep "$part"
}

# --- the Debian archive

# apt's own tools, with private directories for their state: they read the system's configuration and write nothing
# outside, no "apt-get update" is needed first, and no host is named here.

apt_options=() apt_quick=(-o APT::Sandbox::User=root -o Acquire::Retries=2
                          -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)
archives=()

# Sets apt_options, and archives: the base addresses of the Debian archives in this machine's apt sources.
apt_setup() {
  command -v apt-get >/dev/null || { fail "this machine has no apt"; return; }
  mkdir -p "$tmp"/apt/{etc,state/lists/partial,cache/archives/partial}
  apt_options=("${apt_quick[@]}" -o Dir::State="$tmp/apt/state" -o Dir::State::lists="$tmp/apt/state/lists"
               -o Dir::Cache="$tmp/apt/cache")
  # With an empty state, apt prints the address of every index. If another project's repository is among them, it costs
  # a "not found".
  mapfile -t archives < <(apt-get "${apt_options[@]}" update --print-uris 2>/dev/null |
                          sed -nE "s#^'([^']*)/dists/[a-z]+/InRelease'.*#\1#p" | sort -u)
  [ ${#archives[@]} -gt 0 ] || fail "this machine's apt has no Debian archive in its sources"
}

# apt_source SUITE OPTION…: downloads the package's source of SUITE into $tmp/SUITE, verified with the suite's signed
# index.
apt_source() {
  local suite=$1 archive key options
  shift
  mkdir -p "$tmp/$suite"
  key=$(find /usr/share/keyrings -name 'debian-archive-keyring.*' 2>/dev/null | sort | head -n 1)
  options=("${apt_options[@]}" -o Dir::Etc::sourcelist="$tmp/apt/etc/$suite.list" -o Dir::Etc::sourceparts=-)
  for archive in "${archives[@]}"; do
    echo "deb-src ${key:+[signed-by=$key] }$archive $suite main" >"$tmp/apt/etc/$suite.list"
    apt-get "${options[@]}" update && (cd "$tmp/$suite" && apt-get "${options[@]}" source "$@" "$package") && return
  done >"$tmp/apt.log" 2>&1
  fail "$(grep -m 1 ^E: "$tmp/apt.log" || tail -n 1 "$tmp/apt.log")"
}

from_apt() {
  local archive files
  say "trying the Debian archive of this machine's apt"
  apt_setup || return
  # By its path in the pool: this needs no index, and the file may stay there longer than its version stays in the
  # suite.
  for archive in "${archives[@]}"; do
    /usr/lib/apt/apt-helper "${apt_quick[@]}" download-file "$archive/pool/main/$pool" "$tmp/${pool##*/}" \
      "SHA256:$pool_pin" >"$tmp/apt.log" 2>&1 && keep_from_tarball "$tmp/${pool##*/}"
  done
  say "not in the archive's pool; trying the source index of $suite (some megabytes)"
  # --tar-only, so that a missing .dsc does no harm.
  apt_source "$suite" --download-only --tar-only || return
  files=("$tmp/$suite/$package"_*.orig.tar.*)
  keep_from_tarball "${files[0]}" || why="$suite has ${files[0]##*/}: $why"
}

take_named() {
  [ -f "$1" ] || die "the named $kind $1 is not there, or not a file. Name $what, or none."
  has_sum "$1" "$pin" && found "$(realpath "$1")"
  die "the named $kind $1 is not $what:
  found   SHA-256 $(sum_of "$1")
  pinned  SHA-256 $pin
What to do: name the file that $url gives, or none (cmake -U $cmake_option) to have it found."
}

# fetch_pinned [--$kind FILE]
fetch_pinned() {
  local source skip tried=()
  if [ $# -gt 0 ]; then
    [ $# -eq 2 ] && [ "$1" = "--$kind" ] || die "usage: $0 [--$kind FILE]"
    take_named "$2"
  fi
  [ -n "${XDG_CACHE_HOME:-}${HOME:-}" ] ||
    die "neither HOME nor XDG_CACHE_HOME is set, so there is no cache folder. Set one, or name the $kind: cmake -D$cmake_option=FILE"
  skip=${MQTT_RELAY_SKIP_SOURCES:-}
  [ -z "${MQTT_RELAY_OFFLINE:-}" ] || skip+=" upstream apt $more_sources"
  for source in cache upstream apt $more_sources; do
    why=
    if [[ " $skip " == *" $source "* ]]; then
      why="left out by MQTT_RELAY_OFFLINE or MQTT_RELAY_SKIP_SOURCES"
    else
      if [ "$source" != cache ] && [ -z "$tmp" ]; then
        mkdir -p "$cache" && tmp=$(mktemp -d "$cache/part.XXXXXX") ||
          die "can't write to the cache folder $cache. Set XDG_CACHE_HOME, or name the $kind: cmake -D$cmake_option=FILE"
        trap 'rm -rf "$tmp"' EXIT
      fi
      "from_$source"
      say "$source: $why"
    fi
    tried+=("$(printf '  %-9s %s' "$source" "$why")")
  done

  say "can't find $what. Tried:"
  printf '%s\n' "${tried[@]}" >&2
  cat >&2 <<END
What to do: where there is a network, fetch
  $url
(SHA-256 $pin), then put it into
  $cache/$name
or name it: cmake -D$cmake_option=FILE
END
  exit 1
}
