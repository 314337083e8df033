"""What the bench measures: our relay, its peers, and no relay at all. Each peer has its best configuration for this task:
TLS 1.2 and 1.3 on both sides with AES-128-GCM and X25519, a client certificate demanded from the device and shown to the
broker, both chains verified, no session cache and no tickets (devices of this kind connect rarely, and ours has none)."""

import json
import os
import socket
import subprocess
import time
from contextlib import nullcontext

import measure

SUITES_12 = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
SUITES_13 = "TLS_AES_128_GCM_SHA256"
# Users without an account, as in packaging/quickstart: keyd and relayd are different users, so keyd asks for the proofs
# that it does not ask root for.
KEYD_USER, RELAY_USER = (64111, 64112) if os.geteuid() == 0 else (None, None)
START_SECONDS = 20


class Failure(Exception):
    pass


def own_address():
    pid = os.getpid()
    return f"127.{64 + (pid >> 16) % 64}.{(pid >> 8) % 256}.{pid % 256}"


class Subject:
    """A relay under test, with an address of its own. `world` has the folder, the certificates and the broker."""

    def __init__(self, world, name):
        self.world, self.name, self.processes = world, name, []
        self.address, self.account = world.free_address(), None
        self.tally = None  # counts.Tally, while it counts
        self.folder = world.folder / name.replace(" ", "-").replace("/", "-")
        self.folder.mkdir(mode=0o755, exist_ok=True)

    def start(self, threads, sessions, devices="P-256"):
        """With a worker or thread for each of `threads`; `devices` is the kind of the devices' keys."""
        self.account = measure.Account.make(self.folder.name)
        with self.account or nullcontext():
            self.launch(threads, sessions, devices)
        self.await_listener()

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        if self.account:
            self.account.close()
            self.account = None

    @staticmethod
    def processes_for(threads):
        """How many processes share the sessions."""
        return threads

    def pids(self):
        return [process.pid for process in self.processes]

    def spawn(self, command, user=None):
        """The process ends with this one, however that ends."""
        become = ["--reuid", user, "--regid", user, "--clear-groups"] if user else []
        words = [str(word) for word in ["setpriv", "--pdeathsig", "TERM", *become, *command]]
        with open(self.folder / (os.path.basename(command[0]) + ".log"), "w") as log:
            self.processes.append(subprocess.Popen(self.tally.command(words) if self.tally else words,
                                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def await_until(self, condition, what):
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if any(process.poll() is not None for process in self.processes) or time.monotonic() > deadline:
                raise Failure(f"{self.name}: {what}. It said:\n{self.said()}")
            time.sleep(0.01)

    def await_listener(self):
        def answers():
            try:
                socket.create_connection(self.address, 1).close()
                return True
            except OSError:
                return False
        self.await_until(answers, "it does not listen on {}:{}".format(*self.address))

    def said(self):
        lines = "".join(log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log"))).splitlines()
        return "\n".join("    " + line for line in [line for line in lines if '"level":"info"' not in line][-5:])


class Direct(Subject):
    """The load generator connects to the broker: what is there without a relay."""

    def start(self, threads, sessions, devices="P-256"):
        self.address = self.world.broker


class Ours(Subject):
    """keyd and relayd of a build, with the default configuration except the number of workers, and that connections per
    second are not limited."""

    def __init__(self, world, name, build):
        super().__init__(world, name)
        self.build = build

    def launch(self, threads, sessions, devices):
        world, sockets = self.world, self.folder
        keyd = {"private_keys_dir": str(world.pki / "keys"), "listener_keyfile": str(world.pki / "listener.key"),
                "socket": str(sockets / "keyd.sock"), "allowed_users": [str(RELAY_USER or os.geteuid())]}
        relayd = {"remote_host": world.broker[0], "remote_port": world.broker[1],
                  "remote": {"cacertfile": str(world.pki / "ca.pem")},
                  "listener": {"bind": "{}:{}".format(*self.address), "certfile": str(world.pki / "server.pem"),
                               "cacertfile": str(world.pki / "ca.pem"), "max_conn_rate": "infinity"},
                  "keyd_socket": str(sockets / "keyd.sock"), "workers": threads}
        (self.folder / "keyd.json").write_text(json.dumps(keyd, indent=2))
        (self.folder / "relayd.json").write_text(json.dumps(relayd, indent=2))
        if KEYD_USER:
            os.chown(self.folder, KEYD_USER, KEYD_USER)
        (self.folder / "keyd.sock").unlink(missing_ok=True)
        self.spawn([self.build / "bin/keyd", "--config", self.folder / "keyd.json"], KEYD_USER)
        self.await_until((self.folder / "keyd.sock").exists, "keyd does not serve")
        self.spawn([self.build / "bin/relayd", "--config", self.folder / "relayd.json"], RELAY_USER)


class Haproxy(Subject):
    @staticmethod
    def processes_for(threads):
        return 1

    def launch(self, threads, sessions, devices):
        world = self.world
        own, shown = world.pki / "server-with-key.pem", world.pki / f"client.{devices}-with-key.pem"
        config = self.folder / "haproxy.cfg"
        config.write_text(f"""global
  nbthread {threads}
  maxconn {min(sessions + 200, world.descriptors // 2 - 100)}
  tune.ssl.cachesize 0
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  ssl-default-bind-ciphers {SUITES_12}
  ssl-default-bind-ciphersuites {SUITES_13}
  ssl-default-bind-curves X25519:P-256
  ssl-default-server-options ssl-min-ver TLSv1.2 no-tls-tickets
  ssl-default-server-ciphers {SUITES_12}
  ssl-default-server-ciphersuites {SUITES_13}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen relay
  bind {self.address[0]}:{self.address[1]} ssl crt {own} ca-file {world.pki}/ca.pem verify required
  server broker {world.broker[0]}:{world.broker[1]} ssl crt {shown} ca-file {world.pki}/ca.pem verify required no-ssl-reuse
""")
        self.spawn(["/usr/sbin/haproxy", "-db", "-f", config])


class Nginx(Subject):

    def launch(self, threads, sessions, devices):
        world = self.world
        config = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
{user}
daemon off;
worker_processes {threads};
worker_rlimit_nofile {world.descriptors};
pid {self.folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {min(2 * sessions + 400, world.descriptors - 50)}; multi_accept on; }}
stream {{
  upstream broker {{ server {world.broker[0]}:{world.broker[1]} max_fails=0; }}
  server {{
    listen {self.address[0]}:{self.address[1]} ssl {"reuseport" if threads > 1 else ""} backlog=4096;
    ssl_certificate {world.pki}/server.pem;
    ssl_certificate_key {world.pki}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers {SUITES_12};
    ssl_conf_command Ciphersuites {SUITES_13};
    ssl_ecdh_curve X25519:P-256;
    ssl_session_cache off;
    ssl_session_tickets off;
    ssl_verify_client on;
    ssl_verify_depth 2;
    ssl_client_certificate {world.pki}/ca.pem;
    proxy_pass broker;
    proxy_timeout 1h;
    proxy_ssl on;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
    proxy_ssl_ciphers {SUITES_12};
    proxy_ssl_conf_command Ciphersuites {SUITES_13};
    proxy_ssl_certificate {world.pki}/client.{devices}.pem;
    proxy_ssl_certificate_key {world.pki}/client.{devices}.key;
    proxy_ssl_trusted_certificate {world.pki}/ca.pem;
    proxy_ssl_verify on;
    proxy_ssl_verify_depth 2;
    proxy_ssl_name localhost;
    proxy_ssl_session_reuse off;
  }}
}}
""")
        self.spawn(["/usr/sbin/nginx", "-p", self.folder, "-c", config])


class Stunnel(Subject):
    """Two services: stunnel has TLS on one side of a service only. It has a thread for each connection, twice."""

    @staticmethod
    def processes_for(threads):
        return 0.5  # four descriptors a session

    def launch(self, threads, sessions, devices):
        world = self.world
        middle = world.free_address()
        config = self.folder / "stunnel.conf"
        shared = f"""ciphers = {SUITES_12}
ciphersuites = {SUITES_13}
curves = X25519:P-256
sslVersionMin = TLSv1.2
options = NO_TICKET
sessionCacheSize = 1
verifyChain = yes
CAfile = {world.pki}/ca.pem
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
TIMEOUTidle = 3600
"""
        config.write_text(f"""foreground = yes
pid =
debug = err
[listener]
accept = {self.address[0]}:{self.address[1]}
connect = {middle[0]}:{middle[1]}
cert = {world.pki}/server.pem
key = {world.pki}/server.key
{shared}
[broker]
client = yes
accept = {middle[0]}:{middle[1]}
connect = {world.broker[0]}:{world.broker[1]}
cert = {world.pki}/client.{devices}.pem
key = {world.pki}/client.{devices}.key
{shared}
""")
        self.spawn(["/usr/bin/stunnel4", config])


PEERS = {"haproxy": Haproxy, "nginx": Nginx, "stunnel": Stunnel}
