# A booted Debian: systemd as PID 1 in a container, over a read-only root, with no network but its own loopback. Sourced
# after promises.sh.
#
#   box_up bookworm [nspawn's options]     boots; the box is removed when the test ends, however it ends
#   box COMMAND...                         runs a command in it as root
#   box_as USER COMMAND...
#   box_down                               powers it off as an operator would; fails if that hangs

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
box_nspawn='' box_pid=''

# The test runs in its own namespaces. However it ends, its processes and mounts end with it, and this process, which
# stays outside, removes the rest.
box_outside() {
  local inside='' status=0
  [[ $(id -u) == 0 ]] || skip "booting a system needs root"
  [[ -w /sys/fs/cgroup ]] || skip "booting a system needs control groups that can be written to"
  unshare --mount --pid --fork --mount-proc true 2>/dev/null || skip "booting a system needs namespaces of its own"
  box_sweep
  box_work=$(mktemp -d "${TMPDIR:-/tmp}/mqtt-relay-box.XXXXXX")
  chmod 755 "$box_work"
  exec 8>"$box_work/lock"
  flock 8  # held as long as one of its processes lives
  trap '[[ -z $inside ]] || kill -KILL "$inside"' TERM INT HUP
  MQTT_RELAY_BOX=$box_work setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
    bash "$here/${0##*/}" "$@" &
  inside=$!
  wait "$inside" || status=$?
  box_put_away "$box_work"
  exit "$status"
}

box_put_away() {  # FOLDER, and its control groups
  local group
  for group in /sys/fs/cgroup{,/unified,/systemd}/"${1##*/}"; do
    # They are empty only a moment after the last process has died.
    for _ in {1..50}; do
      [[ -d $group ]] || break
      find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || sleep 0.1
    done
  done
  rm -rf "$1"
}

# Removes the leftovers of tests that were killed together with their outer process: no process holds their lock.
box_sweep() {
  local lock
  for lock in "${TMPDIR:-/tmp}"/mqtt-relay-box.*/lock; do
    if [[ -e $lock && -n $(find "$lock" -mmin +1) ]] && flock --nonblock "$lock" true; then
      box_put_away "${lock%/lock}"
    fi
  done
}

[[ -n ${MQTT_RELAY_BOX:-} ]] || box_outside "$@"
box_work=$MQTT_RELAY_BOX  # for the test's files; removed when it ends
box_name=${box_work##*/}

box_up() {
  local suite=$1 root nspawn
  shift
  root=$("$here/roots" "$suite")
  nspawn=$("$here/roots" nspawn)
  mkdir "$box_work"/{up,work,root}
  mount -t overlay overlay -o "lowerdir=$root,upperdir=$box_work/up,workdir=$box_work/work" "$box_work/root"
  # Its own control group in each hierarchy that nspawn uses, so that two boxes do not share one.
  local hierarchy groups=()
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [[ ! -e $hierarchy/cgroup.procs ]] || groups+=("$hierarchy/$box_name")
  done
  mkdir -p "${groups[@]}"
  # By default nspawn denies what our units ask for: locked memory, Landlock, BPF (IPAddressDeny=).
  local flags=(--capability=all
               "--system-call-filter=@memlock @keyring bpf landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret"
               --register=no --keep-unit --boot --private-network --resolv-conf=off --timezone=off --link-journal=no
               --console=read-only)
  (
    for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs" || true; done
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec setsid "$nspawn" -q -D "$box_work/root" -M "$box_name" "${flags[@]}" "$@" \
      systemd.show_status=0 systemd.log_target=journal
  ) >"$box_work/console" 2>&1 </dev/null &
  box_nspawn=$!
  eventually box_started
  box_booted || { sed 's/^/       | /' "$box_work/console" >&"$report"; return 1; }
}

box_booted() {
  box_pid=$(pgrep -o -P "$box_nspawn") && [[ $(cat "/proc/$box_pid/comm") == systemd ]] &&
    [[ $(box systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]
}
box_started() { box_off || box_booted; }

box() {
  nsenter -t "$box_pid" -m -u -i -n -p -C -r -w -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
}
box_as() { box setpriv --reuid "$1" --regid "$1" --init-groups "${@:2}"; }

box_off() { ! kill -0 "$box_nspawn" 2>/dev/null; }
box_down() {
  box systemctl poweroff --no-block
  eventually box_off
}
