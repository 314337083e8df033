"""What all measurements share: the programs, the certificates, the broker and the load generator."""

import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from subjects import KEYD_USER, Failure, own_address

KEYS_SETTLE_SECONDS = 2.1  # younger key files are read at each use, so that keyd misses no change (keyd/vault/key_store.h)
SERVES_SECONDS = 10


class World:
    """The folder, the certificates and the broker of one run. `devices` says how many there are with each kind of key;
    behind them are `warm_up` more of the kind P-256, which connect before anything is measured."""

    def __init__(self, programs, devices, warm_up):
        self.programs, self.devices, self.warm_up_devices = programs, devices, warm_up
        self.folder = Path(tempfile.mkdtemp(prefix="mqtt-relay-bench."))
        self.folder.chmod(0o711)
        self.pki = self.folder / "pki"
        self.pki.mkdir(mode=0o755)
        self.descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))
        self.address = own_address()
        self.port = 18883
        self.broker_process = None

    def start(self):
        self.make_certificates()
        with open(self.folder / "broker.log", "w") as log:
            self.broker_process = subprocess.Popen(
                [self.programs / "bench_broker", "--listen", f"{self.address}:0", "--certificate", self.pki / "server.pem",
                 "--key", self.pki / "server.key"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        port = self.broker_process.stdout.readline()
        if not port:
            raise Failure((self.folder / "broker.log").read_text().strip())
        self.broker = (self.address, int(port))
        time.sleep(KEYS_SETTLE_SECONDS)

    def make_certificates(self):
        subprocess.run([self.programs / "bench_pki", self.pki, self.address,
                        str(self.devices["P-256"] + self.warm_up_devices), str(self.devices["RSA"])], check=True)
        for role in ("server", "client.P-256", "client.RSA"):
            together = self.pki / f"{role}-with-key.pem"
            together.write_text((self.pki / f"{role}.pem").read_text() + (self.pki / f"{role}.key").read_text())
            together.chmod(0o600)
        shutil.copy(self.pki / "server.key", self.pki / "listener.key")
        if KEYD_USER:
            for path in (self.pki / "listener.key", self.pki / "keys", *(self.pki / "keys").iterdir()):
                os.chown(path, KEYD_USER, KEYD_USER)

    def free_address(self):
        self.port += 1
        return self.address, self.port

    def close(self):
        if self.broker_process:
            self.broker_process.stdin.close()
            self.broker_process.wait()
        shutil.rmtree(self.folder)

    def warm_up(self, subject):
        """A relay may listen a moment before it serves."""
        deadline = time.monotonic() + SERVES_SECONDS
        while True:
            try:
                with Load(subject, ["connect", "--devices", self.warm_up_devices], first=self.devices["P-256"]) as load:
                    return load.step()
            except Failure:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


class Load:
    """A run of the load generator against a subject. Each step is one pass of its work."""

    def __init__(self, subject, arguments, devices="P-256", first=0):
        world = subject.world
        command = [world.programs / "bench_load", *arguments, "--devices-file", world.pki / f"devices.{devices}",
                   "--first", first, "--relay", "{}:{}".format(*subject.address), "--broker", "{}:{}".format(*world.broker)]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(self.process.stderr.read().strip() or f"bench_load ended with status {self.process.wait()}")
        return json.loads(line)

    def ready(self):
        self.read()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def work(self):
        self.say("go")
        return self.read()

    def step(self):
        self.ready()
        return self.work()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
