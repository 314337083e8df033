# podman as it works on this machine: with its own storage, networks and names, without systemd and control groups. Sourced
# by container_test, in a mount namespace of its own.
#
#   pm COMMAND...        podman
#   in_net COMMAND...    in a network of its own, where podman may make bridges and forward ports
#   $work/bin            docker, podman and podman-compose for the commands of containers.md

own=(--root "$work/storage" --runroot "$work/run" --storage-driver overlay --cgroup-manager cgroupfs --events-backend none
     --runtime "$work/bin/crun")
pm() { podman "${own[@]}" "$@"; }

mkdir -p "$work/bin" /var/lib/cni
mount -t tmpfs none /var/lib/cni
mount -t tmpfs none /etc/cni/net.d
setpriv --pdeathsig KILL unshare --net sh -c 'ip link set lo up && exec sleep infinity' >"$work/network.log" 2>&1 &
network=$!
in_net() { nsenter --net="/proc/$network/ns/net" "$@"; }

# Without control groups, because this machine lets nobody load a device filter, and with its own limits, because raising
# them takes more than a container may have.
cat >"$work/bin/crun" <<'END'
#!/bin/bash
for ((i = 1; i < $#; i++)); do
  next=$((i + 1))
  case ${!i} in
    --bundle) file=${!next}/config.json without='.linux.resources, .linux.cgroupsPath, .process.rlimits' ;;
    --process) file=${!next} without=.rlimits ;;  # of exec
    *) continue ;;
  esac
  jq "del($without)" "$file" >"$file.new" && mv "$file.new" "$file"
done
exec /usr/bin/crun --cgroup-manager=disabled "$@"
END

# podman-compose 1.0.3 adds its own network to "network_mode: none". Health checks need systemd.
cat >"$work/bin/podman" <<END
#!/bin/bash
more=()
if [[ \$1 == run ]]; then
  more=(run --no-healthcheck)
  shift
elif [[ \$1 == build ]]; then
  more=(build --isolation chroot --network host --format docker --build-arg BASE=localhost/base
        -v /etc/resolv.conf:/etc/resolv.conf:ro -v "$work/apt:/etc/apt:ro")
  shift
fi
arguments=("\$@")
for ((i = 0; i < \$#; i++)); do
  case \${arguments[i]} in
    --net | --network-alias) [[ " \$* " != *" --network none "* ]] || unset "arguments[i]" "arguments[++i]" ;;
  esac
done
exec /usr/bin/podman ${own[*]} "\${more[@]}" "\${arguments[@]}"
END

cat >"$work/bin/docker" <<'END'
#!/bin/sh
[ "$1" != compose ] || { shift; exec podman-compose "$@"; }
exec podman "$@"
END
chmod +x "$work/bin"/*
