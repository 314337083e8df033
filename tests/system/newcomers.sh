# Devices that come and go all the time, and how long the unluckiest one waited. Sourced, after scene.sh.
#
#   while_devices_come COMMAND...     runs that meanwhile; no newcomer may wait for a second

# Each line: when a new device began, and when it had its acknowledgement, in seconds. MQTT 3.1.1, as mosquitto_pub 2.0.11
# spins for ever if it is refused by MQTT 5 while it connects.
put_newcomers() {
  put /scene/newcomers <<END
#!/bin/bash
while [[ ! -e /scene/enough ]]; do
  began=\$EPOCHREALTIME
  if timeout 20 $(as_device mosquitto_pub sensor-2) -V mqttv311 -q 1 -t device/sensor-2/says -m newcomer
  then echo "\$began \$EPOCHREALTIME"; else echo "\$began failed"; fi
done >/scene/newcomers.log 2>>/scene/newcomers.errors
END
  box chmod +x /scene/newcomers
}

# longest_wait: of a newcomer, from its first try to its acknowledgement; how many were refused (who was in its handshake as relayd
# stopped is told "server unavailable"), how many were served.
longest_wait() {
  # shellcheck disable=SC2016 # awk's own
  box awk '/failed/ { if (!since) since = $1; failures++; next }
           { wait = $2 - (since ? since : $1); since = 0; if (wait > most) most = wait; served++ }
           END { printf "%.2f %d %d\n", most, failures, served }' /scene/newcomers.log
}
how_many_served() { box grep -vc failed /scene/newcomers.log || true; }
served() { (($(how_many_served) >= $1)); }

while_devices_come() {
  put_newcomers
  box rm -f /scene/enough /scene/newcomers.log
  service newcomers /scene/newcomers
  eventually served 5
  "$@" >"$box_work/log" 2>&1 || { cat "$box_work/log"; return 1; }
  eventually served $(($(how_many_served) + 5))
  box touch /scene/enough
  eventually refuses active newcomers
  local most failures count
  read -r most failures count <<<"$(longest_wait)"
  figure "newcomers served: $count, told to try again: $failures, the longest wait of one, all tries together: $most s"
  awk "BEGIN { exit !($most < 1) }"
}
