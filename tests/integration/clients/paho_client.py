"""Eclipse Paho as a device: subscribes, publishes COUNT messages at QoS 1 and 2 and waits for all of them.

paho_client.py HOST PORT CAFILE CERTIFICATE KEY CLIENT_ID TOPIC COUNT VERSION(4 or 5) TRANSPORT(tls or wss)
Prints each payload that came back, in order of arrival.
"""
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

host, port, ca, certificate, key, client_id, topic, count, version, transport = sys.argv[1:]
everything = threading.Event()
received = []


def on_connect(client, _userdata, _flags, code, _properties=None):
    if code != 0:
        sys.exit(f"refused: {code}")
    client.subscribe(topic, qos=2)


def on_subscribe(client, *_):
    for number in range(int(count)):
        client.publish(topic, f"message {number}", qos=1 + number % 2)


def on_message(_client, _userdata, message):
    received.append(message.payload.decode())
    if len(received) == int(count):
        everything.set()


client = mqtt.Client(client_id, protocol=int(version), transport="websockets" if transport == "wss" else "tcp")
client.tls_set(ca, certificate, key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect(host, int(port))
client.loop_start()
arrived = everything.wait(30)
client.disconnect()
client.loop_stop()
print("\n".join(received))
sys.exit(0 if arrived else f"only {len(received)} of {count} messages came back")
