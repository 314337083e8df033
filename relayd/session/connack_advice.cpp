#include "relayd/session/connack_advice.h"

namespace relayd {

std::string_view advice_on_connack(uint8_t code) {
  switch (code) {
    case 0x01:
    case 0x84: return "the broker does not speak the device's version of MQTT: enable it there, or change the device's";
    case 0x02:
    case 0x85: return "the broker must allow this client id, and this certificate to use it";
    case 0x04:
    case 0x86: return "the broker checks user names or passwords: correct the device's, or let its certificate suffice";
    case 0x05:
    case 0x87:
      return "the broker must admit the device's certificate and its client id; the broker's log says which rule "
             "forbids it";
    case 0x03:
    case 0x88:
    case 0x89: return "the broker can't serve the device now; if that goes on, look at the broker";
    case 0x8A: return "the broker has banned the device: lift that there";
    case 0x8C: return "the broker does not know the device's authentication method: configure it there";
    case 0x90:
    case 0x99:
    case 0x9A:
    case 0x9B: return "the broker does not accept the device's will: change its topic, payload, retain or QoS";
    case 0x95:
      return "the device's CONNECT is larger than the broker allows: shorten its will, or raise the limit there";
    case 0x97:
    case 0x9F: return "the device, or all of this gateway, exceeds a limit of the broker: raise it there";
    case 0x9C:
    case 0x9D: return "the broker wants the device at another server: correct remote_host, if it is to stay so";
    default: return "the broker's log has the cause";
  }
}

}  // namespace relayd
