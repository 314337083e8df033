# A gateway in a box with its surroundings: the remote broker, real devices and their certificates. Sourced after
# promises.sh and box.sh.
#
#   scene_up bookworm       boots a box with /packages (dist) and /pki, and starts the remote broker
#   configure               configures it as an operator would: mqtt-relay init, certificates, keys
#   device ID TOPIC TEXT    publishes one QoS 1 message as a device, through relayd
#   arrived TOPIC TEXT      whether the remote broker received it
#
# The remote broker takes a client's name from its certificate and lets it write only below device/NAME/, so a message
# there was sent under that device's identity.

packages=${MQTT_RELAY_PACKAGES:?"the folder with the packages: packaging/build deb --out FOLDER"}

make_pki() {
  local make=$here/../pki/make
  pki=$box_work/pki
  mkdir -p "$pki"
  {
    "$make" ca "$pki"
    for name in sensor-1 sensor-2 keyless watcher; do "$make" device "$pki" "$name" p256; done
    for name in listener remote; do "$make" server "$pki" "$name" p256 DNS:localhost,IP:127.0.0.1; done
  } >/dev/null
  chmod -R a+rX "$pki"
}

scene_up() {  # SUITE [nspawn's options]
  make_pki
  box_up "$@" --bind-ro="$packages:/packages" --bind-ro="$pki:/pki"
  box mkdir -p /scene
  put /scene/remote.conf <<'END'
listener 8884 127.0.0.1
cafile /pki/root.pem
certfile /pki/remote.pem
keyfile /pki/remote.key
require_certificate true
use_identity_as_username true
acl_file /scene/remote.acl
user root
log_dest stdout
END
  put /scene/remote.acl <<'END'
pattern readwrite device/%u/#
user watcher
topic read #
END
  service remote mosquitto -c /scene/remote.conf
  eventually port_open 8884
  service watcher mosquitto_sub -h localhost -p 8884 --cafile /pki/root.pem --cert /pki/watcher.pem --key /pki/watcher.key \
    -i watcher -q 1 -v -t '#' -d
  eventually logged watcher SUBACK
}

# put FILE: writes standard input to FILE in the box.
put() { box sh -c "cat >'$1'"; }
# service NAME COMMAND...: runs COMMAND as a service of the box until the box ends. Its output is line-buffered, because
# tests wait for lines.
service() { box systemd-run --quiet --unit="$1" --collect -p Restart=on-failure -p RestartSec=200ms -- stdbuf -oL "${@:2}"; }
logged() { grep -qF -- "$2" <(box journalctl --no-pager -o cat -u "$1"); }
port_open() { box bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null; }
active() { box systemctl is-active --quiet "$@"; }
of_unit() { box systemctl show "$1" -p "$2" --value; }  # UNIT PROPERTY

install_deb() { box apt-get install -y --no-install-recommends "$@"; }
the_deb() { (cd "$packages" && for deb in mqtt-relay_*.deb; do echo "/packages/$deb"; done); }

configure() {
  box mqtt-relay init --remote localhost:8884 --remote-ca /pki/root.pem --device-ca /pki/root.pem \
    --listener-certificate /pki/listener.pem
  box install -o mqtt-keyd -m 600 /pki/listener.key /etc/mqtt-relay/listener.key
  add_key sensor-1
  add_key sensor-2
}
add_key() { box install -o mqtt-keyd -m 600 "/pki/$1.key" "/etc/mqtt-relay/keys/$1.pem"; }

as_device() {  # mosquitto_pub|mosquitto_sub ID OPTION...
  echo "$1 -V mqttv5 -h localhost -p 8883 --cafile /pki/root.pem --cert /pki/$2.pem --key /pki/$2.key -i $2"
}
device() {
  # shellcheck disable=SC2046 # words
  timeout 20 nsenter -t "$box_pid" -m -u -i -n -p -C -r -w -- $(as_device mosquitto_pub "$1") -q 1 -t "$2" -m "$3"
}
arrived() { logged watcher "$1 $2"; }

# works ID TEXT: a device's message arrives under the device's name.
works() {
  device "$1" "device/$1/says" "$2" && eventually arrived "device/$1/says" "$2"
}

# stay ID: an established session, in which the device subscribes to its commands. commanded ID TEXT: a command sent through
# the remote broker reaches it. MQTT 3.1.1, because mosquitto_sub 2.0.11 spins after an MQTT 5 DISCONNECT.
stay() {
  # shellcheck disable=SC2046
  service "stay-$1" $(as_device mosquitto_sub "$1") -V mqttv311 -q 1 -d -t "device/$1/commands"
  eventually logged "stay-$1" SUBACK
}
commanded() { eventually commanded_now "$@"; }
commanded_now() {
  box mosquitto_pub -h localhost -p 8884 --cafile /pki/root.pem --cert "/pki/$1.pem" --key "/pki/$1.key" -i "$1-console" \
    -q 1 -t "device/$1/commands" -m "$2"
  logged "stay-$1" "$2"
}
never_disconnected() { [[ $(box journalctl --no-pager -o cat -u "stay-$1" | grep -c 'sending CONNECT') == 1 ]]; }

hit() { box bash -c "kill -$*"; }  # SIGNAL PID...
children() { box cat "/proc/$1/task/$1/children"; }
failed_units() { box systemctl list-units --failed --no-legend --plain 'mqtt-*'; }
main_pid() { of_unit "$1" MainPID; }
other_pid() { [[ $(main_pid "$1") != "$2" && $(main_pid "$1") != 0 ]] && active "$1"; }  # UNIT FORMER-PID

explain() {
  box systemctl --no-pager --failed
  for unit in mqtt-keyd.service mqtt-relayd.service remote watcher stay-sensor-1; do
    echo "--- $unit"
    box journalctl --no-pager -o cat -n 12 -u "$unit" | cut -c 1-600
  done
}
