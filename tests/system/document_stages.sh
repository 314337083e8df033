# What the documents' commands find when they are run: the operator's files, devices that connect, a broker that refuses.
# Sourced by documents_test after scene.sh; each function below "stages" is named by a comment in a document.

home=/home/alice
terminal=(env -i LANG=C.UTF-8 TERM=xterm SYSTEMD_PAGER=)
alice=("${terminal[@]}" "HOME=$home" USER=alice PATH=/usr/local/bin:/usr/bin:/bin setpriv --reuid alice --regid alice --init-groups)
root=("${terminal[@]}" HOME=/root USER=root PATH=/usr/sbin:/usr/bin:/sbin:/bin)
cloud=(-p NetworkNamespacePath=/run/netns/cloud)

make_authorities() {
  local make=$here/../pki/make name where file list revoked
  pki=$box_work/pki
  mkdir -p "$pki"/{site,cloud,new}
  {
    for name in site cloud new; do "$make" ca "$pki/$name"; done
    for name in sensor-17 sensor-18 pump-1 pump-2; do "$make" device "$pki/site" "$name" p256; done
    "$make" device "$pki/cloud" watcher p256
    for name in sensor-17 sensor-18; do
      for where in new cloud; do "$make" device "$pki/$where" "$name" p256; done
    done
    mkdir "$pki/renewed"  # later certificates of the same authorities
    cp "$pki"/site/{root,device-ca}.* "$pki/renewed/"
    for name in sensor-17 sensor-18; do "$make" device "$pki/renewed" "$name" p256; done
    for name in site new renewed; do
      mkdir "$pki/$name/top"  # the root has a list, too
      for file in pem key; do cp "$pki/$name/root.$file" "$pki/$name/top/device-ca.$file"; done
      for list in crl revoked; do
        if [[ $list == crl ]]; then revoked=(); else revoked=(sensor-18); fi
        "$make" crl "$pki/$name" "$pki/$name/$list.pem" "${revoked[@]}"
        "$make" crl "$pki/$name/top" "$pki/$name/top/crl.pem"
        cat "$pki/$name/top/crl.pem" >>"$pki/$name/$list.pem"
      done
    done
    for name in site new renewed; do
      "$make" server "$pki/$name" gateway p256 DNS:gateway,DNS:localhost,IP:127.0.0.1
    done
    for name in cloud new; do "$make" server "$pki/$name" broker p256 DNS:broker.example,DNS:mosquitto.example; done
    cat "$pki/site/root.pem" "$pki/cloud/root.pem" "$pki/new/root.pem" >"$pki/devices.pem"
  } >"$box_work/pki.log" 2>&1
  chmod -R a+rX "$pki"
}

stage_up() {
  make_authorities
  box_up operator --bind-ro="$packages:/packages" --bind-ro="$pki:/pki"
  box mkdir -p /scene
  put /etc/hosts <<END
127.0.0.1 localhost $(box hostname)
192.0.2.11 gateway
192.0.2.100 broker.example mosquitto.example proxy.example
END
  box sh -ec '
    useradd --create-home --shell /bin/bash --groups sudo alice
    echo "alice ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/alice
    echo "Defaults env_keep += SYSTEMD_PAGER" >>/etc/sudoers.d/alice
    ip netns add cloud
    ip link add uplink type veth peer name eth0 netns cloud
    ip address add 192.0.2.11/24 dev uplink
    ip link set uplink up
    ip -n cloud address add 192.0.2.100/24 dev eth0
    ip -n cloud link set eth0 up
    ip -n cloud link set lo up'
  files dist /packages
  put /scene/broker.conf <<'END'
listener 8883
cafile /pki/devices.pem
certfile /scene/broker.pem
keyfile /scene/broker.key
require_certificate true
use_identity_as_username true
acl_file /scene/broker.acl
user root
log_dest stdout
END
  printf 'pattern readwrite device/%%u/#\nuser watcher\ntopic read #\n' | put /scene/broker.acl
  printf '#!/bin/sh\ncase $1 in *keyd*) line=MQTT_KEYD_KEY_RATE=10/s ;; *) line=MQTT_RELAYD_WORKERS=2 ;; esac\n%s\n' \
    'printf "[Service]\nEnvironment=$line\n" >"$1"' | put /usr/bin/editor  # `systemctl edit` calls it
  box chmod +x /usr/bin/editor
  broker_with cloud
}

explain() {
  box systemctl --no-pager --failed
  for unit in mqtt-keyd.service mqtt-relayd.service broker watcher; do
    echo "--- $unit"
    box journalctl --no-pager -o cat -n 8 -u "$unit" | cut -c 1-600
  done
}

# ---- parts of a stage

# files NAME SOURCE [NAME SOURCE]...: puts files into alice's home.
files() {
  while [[ $# -gt 0 ]]; do
    box sh -ec 'rm -rf "$1/$2"; mkdir -p "$(dirname "$1/$2")"; cp -r "$3" "$1/$2"; chown -R alice:alice "$1/$2"' sh "$home" "$1" "$2"
    shift 2
  done
}

in_cloud() { box systemd-run --quiet --unit="$1" --collect "${cloud[@]}" -p Restart=on-failure -p RestartSec=200ms -- stdbuf -oL "${@:2}"; }
from_cloud() { box ip netns exec cloud "$@"; }
cloud_serves() { from_cloud bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null; }
gone() { [[ $(of_unit "$1" ActiveState) == inactive ]]; }
end_service() {
  box systemctl stop "$1" 2>/dev/null || true
  eventually gone "$1"
}

# broker_with PKI [CONFIGURATION]: the remote broker, with a certificate of that authority.
broker_with() {
  end_service watcher
  end_service broker
  box cp "/pki/$1/broker.pem" "/pki/$1/broker.key" /scene/
  in_cloud broker mosquitto -c "${2:-/scene/broker.conf}"
  eventually cloud_serves 8883
  [[ -z ${2:-} ]] || return 0
  in_cloud watcher mosquitto_sub -h broker.example -p 8883 --cafile "/pki/$1/root.pem" --cert /pki/cloud/watcher.pem \
    --key /pki/cloud/watcher.key -i watcher -q 1 -v -t '#' -d
  eventually logged watcher SUBACK
}

of_device() {  # mosquitto_pub|mosquitto_sub ID PKI [PKI of the gateway's certificate]
  echo "$1 -h gateway -p 8883 --cafile /pki/${gateway_of:-site}/root.pem --cert /pki/${3:-site}/$2.pem --key /pki/${3:-site}/$2.key -i $2"
}
# publishes ID [PKI]: one message as a device with the certificate of that authority.
publishes() {
  # shellcheck disable=SC2046 # words
  box timeout 20 $(of_device mosquitto_pub "$1" "${2:-site}") -V mqttv5 -q 1 -t "${topic:-device/$1/says}" -m "${text:=hello}"
}
# serves ID [PKI]: the message arrives at the remote broker under the device's name.
serves() {
  text=$RANDOM
  publishes "$@" && eventually arrived "device/$1/says" "$text"
}
refused() { refuses publishes "$@" >"$box_work/refused" 2>&1; }

set_relayd() { box mkdir -p /etc/mqtt-relay/relayd.json.d; put /etc/mqtt-relay/relayd.json.d/stage.json <<<"$1"; }
set_keyd() { box mkdir -p /etc/mqtt-relay/keyd.json.d; put /etc/mqtt-relay/keyd.json.d/stage.json <<<"$1"; }
reload_relayd() { box systemctl reload mqtt-relayd; }

key() { box install -o mqtt-keyd -m 600 "/pki/${2:-site}/$1.key" "/etc/mqtt-relay/keys/$1.pem"; }

# A gateway as it is after operating.md's "The first device".
configured_gateway() {
  gateway_of=site
  fresh_machine
  install_deb "$(the_deb)" >"$box_work/apt" 2>&1
  box mqtt-relay init --remote broker.example --remote-ca /pki/cloud/root.pem --device-ca /pki/site/root.pem \
    --listener-certificate /pki/site/gateway.pem >"$box_work/init"
  box install -o mqtt-keyd -m 600 /pki/site/gateway.key /etc/mqtt-relay/listener.key
  key sensor-17
  box systemctl start mqtt-relayd
}

# ---- stages

fresh_machine() {
  local service
  for service in stay-sensor-17 stay-sensor-18 chatty keyd-by-hand; do end_service $service; done  # of the document before
  if box dpkg -s mqtt-relay >/dev/null 2>&1; then
    box apt-get purge -y mqtt-relay >"$box_work/apt" 2>&1
  fi
  box rm -rf /etc/mqtt-relay /var/log/mqtt-keyd
  broker_with cloud
  files gateway.pem /pki/site/gateway.pem gateway.key /pki/site/gateway.key remote-ca.pem /pki/cloud/root.pem \
    device-ca.pem /pki/site/root.pem sensor-17.pem /pki/site/sensor-17.pem sensor-17.key /pki/site/sensor-17.key \
    sensor-18.key /pki/site/sensor-18.key sensor-18.pem /pki/site/sensor-18.pem
}

# connected ID [PKI]: it has an established session.
connected() {
  end_service "stay-$1"
  # shellcheck disable=SC2046
  service "stay-$1" $(of_device mosquitto_sub "$1" "${2:-site}") -V mqttv311 -q 1 -d -t "device/$1/commands"
  eventually logged_now "stay-$1" SUBACK
}
logged_now() { grep -qF -- "$2" <(box journalctl --no-pager -o cat -u "$1" "_SYSTEMD_INVOCATION_ID=$(of_unit "$1" InvocationID)"); }
# chatty ID: it publishes ten times a second, in one session.
chatty() {
  end_service "stay-$1"
  end_service chatty
  put /scene/chatty <<<"while echo hello && sleep 0.1; do :; done | $(of_device mosquitto_pub "$1" site) -l -q 1 -t device/$1/says"
  service chatty bash /scene/chatty
}

first_key_used() { serves "$1"; files new.key "/pki/renewed/$1.key"; }
new_key_used() { refused "$1" && serves "$1" renewed; }

revoked() {
  box install -m 644 /pki/site/crl.pem /etc/mqtt-relay/crl.pem
  set_relayd '{ "listener": { "crlfile": "/etc/mqtt-relay/crl.pem" } }'
  reload_relayd
  connected "$1" renewed
  files crl.pem /pki/renewed/revoked.pem
}

day_to_day() {
  refused sensor-18 renewed
  end_service stay-sensor-18
  connected sensor-17
  files new-keys/pump-1.pem /pki/site/pump-1.key
}

new_keys() {
  box install -D -m 600 /pki/renewed/sensor-17.key /root/new-keys/sensor-17.pem
  box install -D -m 644 /pki/renewed/sensor-17.pem /root/new-keys/sensor-17.crt
  box sh -c "echo pump-1 >$home/retired.txt"
}

vault_and_ssh() {
  serves sensor-17 renewed
  refuses box test -e /etc/mqtt-relay/keys/pump-1.pem
  printf '#!/bin/sh\ncat /pki/site/sensor-17.key\n' | put /usr/local/bin/vault
  box chmod +x /usr/local/bin/vault
  files keys/pump-2.pem /pki/site/pump-2.key keys/sensor-17.pem /pki/site/sensor-17.key
  ssh_to_gateway
}
ssh_to_gateway() {
  box sh -ec 'mkdir -p /run/sshd; systemctl start ssh
    for user in alice root; do
      home=$(eval echo ~$user)
      install -d -m 700 -o $user -g $user $home/.ssh
    done
    cd ~alice/.ssh
    [ -e id_ed25519 ] || ssh-keygen -q -t ed25519 -N "" -f id_ed25519
    cat /etc/ssh/ssh_host_ed25519_key.pub | sed "s/^/gateway /" >known_hosts
    cp id_ed25519.pub authorized_keys
    cp id_ed25519.pub ~root/.ssh/authorized_keys
    chown -R alice:alice .'
}

proxy() {
  end_service "stay-sensor-17"
  put /scene/tinyproxy.conf <<<$'Port 3128\nListen 192.0.2.100\nBasicAuth gateway PASSWORD\nConnectPort 8883\nLogLevel Info'
  in_cloud tinyproxy tinyproxy -d -c /scene/tinyproxy.conf
  eventually from_cloud bash -c 'exec 3<>/dev/tcp/192.0.2.100/3128'
  set_relayd '{ "remote": { "proxy": { "type": "http", "host": "proxy.example", "port": 3128,
    "credentials_file": "/etc/mqtt-relay/proxy" } } }'
}

rotated_audit() {
  serves sensor-17
  logged tinyproxy broker.example:8883
  end_service tinyproxy
  set_relayd '{}'
  reload_relayd
  box logrotate --force /etc/logrotate.d/mqtt-relay
}

refused_at_broker() {
  box sed 's/use_identity_as_username true/allow_anonymous false/' /scene/broker.conf | grep -v acl_file | put /scene/refusing.conf
  broker_with cloud /scene/refusing.conf
  refused "$1"
}

# The same package, called 0.1.0.
earlier_version() {
  broker_with cloud
  mkdir "$box_work/root/scene/unpacked"
  dpkg-deb -R "$packages"/mqtt-relay_*.deb "$box_work/unpacked"
  sed -i 's/^Version: .*/Version: 0.1.0-1/' "$box_work/unpacked/DEBIAN/control"
  dpkg-deb --root-owner-group -Znone -b "$box_work/unpacked" "$box_work/earlier.deb" >"$box_work/dpkg"
  put /scene/earlier.deb <"$box_work/earlier.deb"
  box apt-get install -y --allow-downgrades /scene/earlier.deb >"$box_work/apt" 2>&1
  serves sensor-17
}

no_units() {
  same "$(box dpkg-query -W -f '${Version}' mqtt-relay)" "$(dpkg-deb -f "$packages"/mqtt-relay_*.deb Version)"
  serves sensor-17
  box systemctl stop mqtt-relayd.socket mqtt-relayd mqtt-keyd.socket mqtt-keyd
  files listener.key /pki/site/gateway.key
}
keyd_in_the_foreground() {
  service keyd-by-hand setpriv --reuid mqtt-keyd --regid mqtt-keyd --clear-groups mqtt-keyd --config /etc/mqtt-relay/keyd.json
  eventually box test -S /run/mqtt-keyd/sign.sock
}

new_listener_certificate() { files new.key /pki/renewed/gateway.key new.pem /pki/renewed/gateway.pem; }

new_device_ca() {
  shows_certificate /pki/renewed/gateway.pem
  serves sensor-17
  box install -m 644 /pki/site/crl.pem /etc/mqtt-relay/crl.pem
  set_relayd '{ "listener": { "crlfile": "/etc/mqtt-relay/crl.pem" } }'
  reload_relayd
  refused sensor-17 new
  files old-ca.pem /pki/site/root.pem new-ca.pem /pki/new/root.pem old-crl.pem /pki/site/crl.pem new-crl.pem /pki/new/crl.pem \
    sensor-17-new.pem /pki/new/sensor-17.pem
}
shows_certificate() {  # FILE
  same "$(box sh -c 'openssl s_client -connect gateway:8883 </dev/null 2>&1 | openssl x509 -noout -serial')" \
    "$(box openssl x509 -noout -serial -in "$1")"
}

both_serve() {
  serves sensor-17
  key sensor-17 new
  serves sensor-17 new
  key sensor-17
}

new_broker_ca() { files old-ca.pem /pki/cloud/root.pem new-ca.pem /pki/new/root.pem; }

certificate_of_the_cloud() {
  broker_with new
  serves sensor-17
  files sensor-17-chain.pem /pki/cloud/sensor-17.pem sensor-17-cloud.key /pki/cloud/sensor-17.key
}

new_crl() {
  set_keyd '{ "bind_device": { "cacertfile": "/etc/mqtt-relay/device-ca.pem" } }'
  set_relayd '{ "remote": { "certificate": "file", "certs_dir": "/etc/mqtt-relay/certs" },
    "listener": { "crlfile": "/etc/mqtt-relay/crl.pem" } }'
  box systemctl restart mqtt-keyd
  reload_relayd
  serves sensor-17
  cat "$pki/site/revoked.pem" "$pki/new/crl.pem" >"$box_work/root/scene/crl.pem"
  files crl.pem /scene/crl.pem
}

# "For every broker" has just put a public root in place.
files_in_place() { box install -m 644 /pki/cloud/root.pem /etc/mqtt-relay/remote-ca.pem; }

mosquitto_runs() {
  files_in_place
  box install -d /etc/mosquitto/certs
  box cp /pki/cloud/broker.pem /etc/mosquitto/certs/server.pem
  box cp /pki/cloud/broker.key /etc/mosquitto/certs/server.key
  box cp /pki/site/root.pem /etc/mosquitto/certs/device-ca.pem
  box chown -R mosquitto /etc/mosquitto/certs
  broker_with cloud /etc/mosquitto/mosquitto.conf
}

metrics_on() {
  set_relayd "{ \"metrics\": { \"bind\": \"$1\" } }"
  box systemctl restart mqtt-relayd
  ssh_to_gateway
}

one_of_several() {
  metrics_on 192.0.2.11:9464
  files mqtt-relay_new.deb "$(the_deb)"
}

closed_further() { box install -m 644 /pki/site/crl.pem /etc/mqtt-relay/crl.pem; }

# ---- what must hold after a document's last command

after_README() { serves sensor-17; }
after_certificates() { serves sensor-17; }
after_brokers() {
  topic=devices/sensor-17/says publishes sensor-17
  eventually logged broker "as sensor-17 (p5, c1, k60, u'sensor-17')"
}
after_hardening() {
  serves sensor-17
  refused pump-1
}
after_scale-out() { serves sensor-17; }
