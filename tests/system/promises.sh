# Promises, one after another, on something that lives on: sourced by the tests of this folder.
#
#   promise "keyd comes back after kill -9"
#   box systemctl kill -s KILL mqtt-keyd
#   eventually serves
#
# A promise is kept if every command until the next one succeeds. The first that does not ends the test: those after it
# would only say the same again. `explain`, if the test defines it, adds what an operator would look at.
set -Eeuo pipefail
export LC_ALL=C.UTF-8

current='' since=0 kept_promises=0

promise() {
  finish_promise
  current=$1 since=${EPOCHREALTIME/./}
}
finish_promise() {
  [[ -n $current ]] || return 0
  local ms=$(((${EPOCHREALTIME/./} - since) / 1000))
  printf 'ok     %s (%d.%d s)\n' "$current" $((ms / 1000)) $((ms % 1000 / 100))
  current='' kept_promises=$((kept_promises + 1))
}
figure() { printf '       %s\n' "$*"; }

broken() {  # LINE COMMAND
  [[ $BASHPID == "$$" ]] || return 0  # a subshell's parent sees it, too
  trap - ERR
  printf 'BROKEN %s\n       line %s: %s\n' "$current" "$1" "$2"
  ! declare -F explain >/dev/null || explain 2>&1 | sed 's/^/       | /' || true
  exit 1
}
trap 'broken "$LINENO" "$BASH_COMMAND"' ERR

# refuses COMMAND...: it must fail.
refuses() {
  if "$@"; then
    echo "       this succeeded, and must not: $*"
    return 1
  fi
}

# eventually COMMAND...: succeeds within patience seconds; looks again and again, ten times a second.
patience=${patience:-30}
eventually() {
  local until=$((SECONDS + patience))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= until)); then
      echo "       not within $patience s: $*"
      "$@"
      return
    fi
    sleep 0.1
  done
}

# same FOUND EXPECTED
same() {
  [[ $1 == "$2" ]] || { printf '       found:    %s\n       expected: %s\n' "$1" "$2"; return 1; }
}

skip() { echo "skipped: $*"; exit 77; }  # ctest's SKIP_RETURN_CODE

end_of_promises() {
  finish_promise
  echo "$kept_promises promises kept"
}
