// The text under the options in the help of each of relayd's commands: examples and exit statuses. Lines of at most 80
// characters; with the options they fit a screen of 24 lines.
#pragma once

namespace relayd::admin {

inline constexpr char kInitNotes[] =
    "On a terminal it asks for the first three if they are not given. It copies\n"
    "certificates from outside /etc and /usr, and never touches a private key.\n"
    "\n"
    "Example: mqtt-relay init --remote broker.example --remote-ca ca.pem \\\n"
    "           --device-ca devices.pem\n"
    "\n"
    "Exit status: 0 written; 1 a file can't be written; 64 wrong command line, or an\n"
    "answer is missing; 78 an answer is wrong, or a file is in the way (--force).";

inline constexpr char kSizeNotes[] =
    "Reads no configuration. sizing.md says how it reckons.\n"
    "Example: mqtt-relay size --devices 1000000 --cores 8\n"
    "Exit status: 0 it fits; 1 the nodes are too few; 64 wrong command line.";

inline constexpr char kCheckNotes[] =
    "As root it checks each daemon as that daemon's user. It reads every key, asks\n"
    "keyd, and connects to the remote broker without a certificate. With --client it\n"
    "reads one key, and connects as that device, with keyd's signature.\n"
    "\n"
    "Example: mqtt-relay check --client sensor-17 --certificate sensor-17.crt\n"
    "\n"
    "Exit status: 0 no errors; 1 errors; 2 warnings, with --warnings-as-errors;\n"
    "64 wrong command line.";

inline constexpr char kConfigCheckNotes[] =
    "Reads the files with their drop-ins and the environment, as the daemons would,\n"
    "and says which of these win over a file. mqtt-relay check does more.\n"
    "\n"
    "Example: mqtt-relay config check relayd --config relayd.json\n"
    "\n"
    "Exit status: 0 understood; 1 errors; 64 wrong command line.";

inline constexpr char kConfigPrintNotes[] =
    "The installed file, with every other setting at its default, each explained.\n"
    "\n"
    "Example: mqtt-relay config print-default keyd | less\n"
    "\n"
    "Exit status: 0 printed; 64 wrong command line.";

inline constexpr char kConfigSchemaNotes[] =
    "JSON Schema 2020-12, for editors and validators. Comments must be removed from\n"
    "a file before a validator reads it.\n"
    "\n"
    "Example: mqtt-relay config schema relayd >relayd.schema.json\n"
    "\n"
    "Exit status: 0 printed; 64 wrong command line.";

inline constexpr char kVerifyNotes[] =
    "The same code judges as in a handshake.\n"
    "\n"
    "Example: mqtt-relay verify sensor-17.pem --as device\n"
    "\n"
    "Exit status: 0 accepted; 1 refused; 64 wrong command line; 78 the configuration\n"
    "or a file can't be used.";

inline constexpr char kRequestNotes[] =
    "Asks the running relayd through control_socket of the configuration. Only root\n"
    "and relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay status --json\n"
    "\n"
    "Exit status: 0 done; 64 wrong command line; 69 no relayd answers; 78 wrong\n"
    "configuration, or it has no control_socket.";

inline constexpr char kReloadNotes[] =
    "Like SIGHUP to relayd, but it waits for the outcome. If anything is wrong,\n"
    "nothing changes. Only root and relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay reload\n"
    "\n"
    "Exit status: 0 reloaded; 1 not, and it says why; 64 wrong command line;\n"
    "69 no relayd answers; 78 wrong configuration, or it has no control_socket.";

inline constexpr char kTopNotes[] =
    "Keys: s or 1 to 5 sorts, p pauses, + and - change the interval, h explains, q\n"
    "quits. Only root and relayd's user may ask.\n"
    "\n"
    "Examples: mqtt-relay top\n"
    "          mqtt-relay top --count 1 | jq .refused\n"
    "\n"
    "Exit status: 0 ended by q, ^C or --count; 1 the terminal can't show it; 64 wrong\n"
    "command line; 69 no relayd answers; 78 wrong configuration, or it has no\n"
    "control_socket.";

inline constexpr char kSessionsNotes[] =
    "A pipe gets a line of JSON for each session. `drop` ends one. Only root and\n"
    "relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay sessions --client 'sensor-*'\n"
    "\n"
    "Exit status: 0 all are listed; 1 a worker did not say all; 64 wrong command\n"
    "line; 69 no relayd answers; 78 wrong configuration, or it has no control_socket.";

inline constexpr char kSessionNotes[] =
    "The log and `sessions` have the ids. Only root and relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay session 5c0e91d30000a7f2\n"
    "\n"
    "Exit status: 0 shown; 1 there is no such session; 64 wrong command line; 69 no\n"
    "relayd answers; 78 wrong configuration, or it has no control_socket.";

inline constexpr char kTraceNotes[] =
    "Also catches the device's next connections. A pipe gets JSON lines. Never shows\n"
    "payloads or passwords. Only root and relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay trace sensor-17 --for 5m\n"
    "\n"
    "Exit status: 0 ended by ^C or --for; 1 a worker's trace ended before; 64 wrong\n"
    "command line; 69 no relayd answers; 78 wrong configuration, or it has no\n"
    "control_socket.";

inline constexpr char kExplainNotes[] =
    "From what relayd remembers, and keyd's audit if this user may read it, as root\n"
    "may. A pipe gets JSON. Only root and relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay explain sensor-17\n"
    "\n"
    "Exit status: 0 explained, also if nothing is known; 64 wrong command line; 69 no\n"
    "relayd answers; 78 wrong configuration, or it has no control_socket.";

inline constexpr char kDropNotes[] =
    "MQTT 5 devices get reason 0x98. The remote broker publishes their wills. Only\n"
    "root and relayd's user may ask. Its second name is disconnect.\n"
    "\n"
    "Examples: mqtt-relay drop sensor-17\n"
    "          mqtt-relay drop --session 5c0e91d30000a7f2\n"
    "\n"
    "Exit status: 0 ended; 1 there was no session; 64 wrong command line; 69 no\n"
    "relayd answers; 78 wrong configuration, or it has no control_socket.";

inline constexpr char kPauseNotes[] =
    "Paused, new connections wait in the kernel's queue (listener.backlog). /readyz\n"
    "answers 503 once every listener is paused. A pause survives a reload and a\n"
    "worker's death, not a restart. Only root and relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay pause --listener websocket\n"
    "\n"
    "Exit status: 0 done; 1 there is no such listener; 64 wrong command line; 69 no\n"
    "relayd answers; 78 wrong configuration, or it has no control_socket.";

inline constexpr char kLogLevelNotes[] =
    "Without a LEVEL it shows all. A level holds through reloads until it is taken\n"
    "back, its time is over, or relayd restarts. Lines before a device's CONNECT are\n"
    "no client's. keyd has its own level. Only root and relayd's user may ask.\n"
    "\n"
    "Example: mqtt-relay log-level debug --client sensor-17 --for 10m\n"
    "\n"
    "Exit status: 0 done; 1 relayd could not, and says why; 64 wrong command line;\n"
    "69 no relayd answers; 78 wrong configuration, or it has no control_socket.";

}  // namespace relayd::admin
