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
exec {report}>&1 {silence}>/dev/null  # where promises are reported, also while a command's output goes elsewhere
tell() {  # FORMAT ARGUMENT...
  # shellcheck disable=SC2059
  printf "$@" >&"$report"
}

promise() {
  finish_promise
  current=$1 since=${EPOCHREALTIME/./}
}
finish_promise() {
  [[ -n $current ]] || return 0
  local ms=$(((${EPOCHREALTIME/./} - since) / 1000))
  tell 'ok     %s (%d.%d s)\n' "$current" $((ms / 1000)) $((ms % 1000 / 100))
  current='' kept_promises=$((kept_promises + 1))
}
figure() { tell '       %s\n' "$*"; }

broken() {
  [[ $BASHPID == "$$" ]] || return 0  # a subshell's parent sees it, too
  trap - ERR
  local line=${BASH_LINENO[-2]}  # of the test itself
  tell 'BROKEN %s\n       line %s: %s\n' "$current" "$line" "$(sed -n "${line}s/^ *//p" "${0##*/}")"
  ! declare -F explain >/dev/null || explain 2>&1 | sed 's/^/       | /' >&"$report" || true
  exit 1
}
trap broken ERR

# refuses COMMAND...: it must fail.
refuses() {
  if "$@"; then
    figure "this succeeded, and must not: $*"
    return 1
  fi
}

# eventually COMMAND...: succeeds within patience seconds; looks again and again, ten times a second.
patience=${patience:-30}
eventually() {
  local until=$((SECONDS + patience))
  until report=$silence "$@" >/dev/null 2>&1; do
    if ((SECONDS >= until)); then
      figure "not within $patience s: $*"
      "$@" >&"$report" 2>&1
      return
    fi
    sleep 0.1
  done
}

# same FOUND EXPECTED
same() {
  [[ $1 == "$2" ]] || { tell '       found:    %s\n       expected: %s\n' "$1" "$2"; return 1; }
}

skip() { tell 'skipped: %s\n' "$*"; exit 77; }  # ctest's SKIP_RETURN_CODE

end_of_promises() {
  finish_promise
  tell '%d promises kept\n' "$kept_promises"
}
