# Checks promises one after another on a system that stays up. Sourced by the tests in this directory.
#
#   promise "keyd comes back after kill -9"
#   box systemctl kill -s KILL mqtt-keyd
#   eventually serves
#
# A promise is kept if every command up to the next promise succeeds. The first that fails ends the test, because later
# ones would only fail for the same reason. `explain`, if the test defines it, adds what an operator would look at.
set -Eeuo pipefail
export LC_ALL=C.UTF-8

current='' since=0 kept_promises=0
story=$PWD/${0##*/}  # the test, which sources this where it is
exec {report}>&1 {silence}>/dev/null  # where results are reported, even while a command's output goes elsewhere
tell() {  # FORMAT ARGUMENT...
  [[ ! -t $report ]] || printf '\e[K' >&"$report"  # a line of progress was here
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
  [[ $BASHPID == "$$" ]] || return 0  # its parent handles it, too
  trap - ERR
  local line=${BASH_LINENO[-2]}  # in the test itself
  tell 'BROKEN %s\n       line %s: %s\n' "$current" "$line" "$(sed -n "${line}s/^ *//p" "$story")"
  ! declare -F explain >/dev/null || explain 2>&1 | sed 's/^/       | /' >&"$report" || true
  exit 1
}
trap broken ERR

# refuses COMMAND...: COMMAND must fail.
refuses() {
  if "$@"; then
    figure "this succeeded, and must not: $*"
    return 1
  fi
}

# eventually COMMAND...: repeats COMMAND ten times a second; it must succeed within $patience seconds.
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
