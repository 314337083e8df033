// MQTT.js as a device: subscribes, publishes COUNT messages at QoS 1 and 2 and waits for all of them.
//
// mqttjs_client.js HOST PORT CAFILE CERTIFICATE KEY CLIENT_ID TOPIC COUNT VERSION(4 or 5) TRANSPORT(tls or wss)
// Prints each payload that came back, in order of arrival.
'use strict'
const fs = require('fs')
const mqtt = require('mqtt')

const [host, port, ca, certificate, key, clientId, topic, count, version, transport] = process.argv.slice(2)
const fail = why => { console.error(String(why)); process.exit(1) }

const client = mqtt.connect({
  protocol: transport === 'wss' ? 'wss' : 'mqtts', path: '/mqtt', host, hostname: host, port: Number(port), clientId, protocolVersion: Number(version), reconnectPeriod: 0,
  ca: fs.readFileSync(ca), cert: fs.readFileSync(certificate), key: fs.readFileSync(key)
})
const received = []
const patience = setTimeout(() => fail(`only ${received.length} of ${count} messages came back`), 30000)

client.on('error', fail)
client.on('connect', () => client.subscribe(topic, { qos: 2 }, error => {
  if (error) fail(error)
  for (let number = 0; number < Number(count); number++) client.publish(topic, `message ${number}`, { qos: 1 + number % 2 })
}))
client.on('message', (_topic, payload) => {
  received.push(payload.toString())
  if (received.length < Number(count)) return
  clearTimeout(patience)
  client.end(false, () => console.log(received.join('\n')))
})
