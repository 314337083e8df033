# Devices that keep connecting and leaving, and the longest time that one of them waited. Sourced after scene.sh.
#
#   while_devices_come COMMAND...     runs COMMAND meanwhile; every newcomer must be served within a second

# Each log line has two times in seconds: a new device's start and its acknowledgement. MQTT 3.1.1, because
# mosquitto_pub 2.0.11 spins forever if an MQTT 5 CONNECT is refused.
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

# longest_wait: prints a newcomer's longest wait from its first try to its acknowledgement, the number of refusals (a
# device in its handshake when relayd stops gets server unavailable), and the number served.
longest_wait() {
  # awk's own variables
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
  figure "newcomers served: $count, refused attempts: $failures, longest wait of one over all its attempts: $most s"
  awk "BEGIN { exit !($most < 1) }"
}
