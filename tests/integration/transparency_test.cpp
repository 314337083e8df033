// Through the relay a device and the remote broker see what they would see without it. Each scenario runs twice, once
// through the relay and once directly against a second, identical broker. All packets that anyone received must be
// identical, byte for byte.

#include <functional>

#include "tests/integration/harness/catch.h"
#include "tests/integration/harness/mosquitto_client.h"
#include "tests/integration/harness/world.h"

using namespace harness;

namespace {

const std::vector<std::string> clients = {"alpha", "beta"};

// Where a scenario runs: devices connect to `door`, the observer connects to the broker itself.
struct Stage {
  Endpoint door;
  Mosquitto& broker;

  Device enter(int number) const { return Device(device_identity("p256", number), door); }
  Device observer(int level = mqtt::v311) const {
    Device made(device_identity("p256", 99), broker.endpoint());
    made.join("observer", level);
    return made;
  }
};

using Transcript = std::vector<std::string>;
using Scenario = std::function<Transcript(const Stage&)>;

void same_through_the_relay(const Scenario& play, const WorldOptions& options = {}) {
  World world(options);
  // "alpha" and "beta" are devices 1 and 2 of type p256.
  for (size_t i = 0; i < clients.size(); ++i)
    world.give_key(clients[i], device_identity("p256", static_cast<int>(i) + 1));
  auto other = direct_remote(world.directory, {.passwords = options.remote_passwords, .more = options.remote_more});
  const auto relayed = play({world.relay().endpoint(), *world.remote});
  // If the devices were local, the test would prove nothing.
  REQUIRE(world.remote->connections_of("alpha") > 0);
  const auto direct = play({other->endpoint(), *other});
  REQUIRE_FALSE(direct.empty());
  CHECK(relayed == direct);
}

void add(Transcript& all, const Device& device) {
  all.insert(all.end(), device.transcript().begin(), device.transcript().end());
}

std::string property(uint8_t id, std::string_view value) {
  return std::string(1, static_cast<char>(id)) + std::string(value);
}

int any_level() { return GENERATE(mqtt::v31, mqtt::v311, mqtt::v5); }

}  // namespace

TEST_CASE("transparent: messages of QoS 0, 1 and 2 pass in both directions") {
  const int level = any_level();
  same_through_the_relay([level](const Stage& stage) {
    auto observer = stage.observer();
    auto device = stage.enter(1);
    device.join("alpha", level);
    for (int qos = 0; qos <= 2; ++qos) {
      const auto q = std::to_string(qos);
      REQUIRE(device.subscribe("any/down/" + q, qos) == qos);
      REQUIRE(observer.subscribe("any/up/" + q, qos) == qos);
      for (int i = 0; i < 20; ++i) {
        device.publish("any/up/" + q, "up " + std::to_string(i), qos);
        observer.publish("any/down/" + q, "down " + std::to_string(i), qos);
        CHECK(observer.next_message().payload == "up " + std::to_string(i));
        CHECK(device.next_message().payload == "down " + std::to_string(i));
      }
    }
    device.ping();
    Transcript all;
    add(all, device);
    add(all, observer);
    return all;
  });
}

TEST_CASE("transparent: the will of a device that vanishes is sent with its QoS and retain flag") {
  const int level = any_level();
  same_through_the_relay([level](const Stage& stage) {
    auto observer = stage.observer();
    REQUIRE(observer.subscribe("will/#", 2) == 2);
    auto device = stage.enter(1);
    const mqtt::Will will{.topic = "will/p256-1", .payload = std::string("gone\0!", 6), .qos = 2, .retain = true};
    REQUIRE(mqtt::connack_code(device.connect({.client_id = "alpha", .level = level, .will = will})) == 0);
    device.tls().vanish();
    const auto message = observer.next_message();
    CHECK(message.payload == will.payload);
    CHECK(message.qos == 2);
    auto later = stage.enter(2);
    later.join("beta", level);
    REQUIRE(later.subscribe("will/#", 1) == 1);
    CHECK(later.next_message().retain);
    Transcript all;
    add(all, device);
    add(all, observer);
    add(all, later);
    return all;
  });
}

TEST_CASE("transparent: retained messages pass, with their retain flag") {
  const int level = any_level();
  same_through_the_relay([level](const Stage& stage) {
    auto device = stage.enter(1);
    device.join("alpha", level);
    device.publish("any/kept", "kept", 1, true);
    device.publish("any/not-kept", "not kept", 1, false);
    auto other = stage.enter(2);
    other.join("beta", level);
    REQUIRE(other.subscribe("any/#", 1) == 1);
    const auto message = other.next_message();
    CHECK(message.payload == "kept");
    CHECK(message.retain);
    device.publish("any/kept", "", 1, true);  // deletes the retained message
    CHECK(other.next_message().payload.empty());
    other.ping();
    Transcript all;
    add(all, device);
    add(all, other);
    return all;
  });
}

TEST_CASE("transparent: user name and password reach the remote") {
  const int level = any_level();
  same_through_the_relay(
      [level](const Stage& stage) {
        auto device = stage.enter(1);
        const mqtt::Connect good{.client_id = "alpha", .level = level, .username = "somebody", .password = "s3cret"};
        CHECK(mqtt::connack_code(device.connect(good)) == 0);
        CHECK(stage.broker.user_of("alpha") == "somebody");
        device.disconnect();
        auto again = stage.enter(1);
        auto bad = good;
        bad.password = "wrong";
        CHECK(mqtt::connack_code(again.connect(bad)) == (level == mqtt::v5 ? 0x87 : 5));
        CHECK(again.tls().read_to_end().leftover.empty());
        Transcript all;
        add(all, device);
        add(all, again);
        return all;
      },
      {.remote_passwords = "somebody:s3cret\nobserver:none\n"});
}

TEST_CASE("transparent: a persistent session holds the messages that came while the device was away") {
  const int level = any_level();
  same_through_the_relay([level](const Stage& stage) {
    auto observer = stage.observer();
    mqtt::Connect connect{.client_id = "alpha", .level = level, .clean = false};
    if (level == mqtt::v5)
      connect.properties = property(0x11, std::string("\0\0\x0e\x10", 4));  // session expiry: one hour
    Transcript all;
    {
      auto device = stage.enter(1);
      const auto answer = device.connect(connect);
      CHECK_FALSE(mqtt::session_present(answer));
      REQUIRE(device.subscribe("any/one", 1) == 1);
      REQUIRE(device.subscribe("any/two", 2) == 2);
      device.disconnect();
      stage.broker.wait_gone("alpha");
      add(all, device);
    }
    for (int i = 0; i < 10; ++i) {
      observer.publish("any/one", "one " + std::to_string(i), 1);
      observer.publish("any/two", "two " + std::to_string(i), 2);
    }
    auto device = stage.enter(1);
    CHECK(mqtt::connack_code(device.connect(connect)) == 0);
    for (int i = 0; i < 10; ++i) {
      CHECK(device.next_message().payload == "one " + std::to_string(i));
      CHECK(device.next_message().payload == "two " + std::to_string(i));
    }
    device.ping();
    add(all, device);
    return all;
  });
}

TEST_CASE("transparent: MQTT 5 properties pass in every packet") {
  same_through_the_relay([](const Stage& stage) {
    auto observer = stage.observer(mqtt::v5);
    REQUIRE(observer.subscribe("any/#", 2) == 2);
    REQUIRE(observer.subscribe("will/#", 2) == 2);
    auto device = stage.enter(1);
    const auto connect_properties = property(0x11, std::string("\0\0\0\x3c", 4)) +  // session expiry
                                    property(0x21, mqtt::number(7)) +               // receive maximum
                                    property(0x22, mqtt::number(5)) +               // topic alias maximum
                                    property(0x27, std::string("\0\x0f\0\0", 4)) +  // maximum packet size
                                    property(0x17, std::string("\x01")) +           // request problem information
                                    mqtt::user_property("of", "connect");
    const mqtt::Will will{.topic = "will/p256-1",
                          .payload = "gone",
                          .qos = 1,
                          .properties = property(0x01, std::string("\x01")) + property(0x03, mqtt::text("text/plain")) +
                                        mqtt::user_property("of", "will")};
    REQUIRE(mqtt::connack_code(device.connect(
                {.client_id = "alpha", .level = mqtt::v5, .will = will, .properties = connect_properties})) == 0);
    const auto publish_properties = property(0x01, std::string("\x01")) +                       // payload is text
                                    property(0x02, std::string("\0\0\x01\0", 4)) +              // message expiry
                                    property(0x03, mqtt::text("application/json")) +            // content type
                                    property(0x08, mqtt::text("any/answers")) +                 // response topic
                                    property(0x09, mqtt::text(std::string("\0\xff\x01", 3))) +  // correlation data
                                    mqtt::user_property("a", "1") + mqtt::user_property("a", "2");
    for (int qos = 0; qos <= 2; ++qos) {
      device.publish("any/thing", "{}", qos, false, publish_properties);
      const auto message = observer.next_message();
      CHECK(message.properties.find(mqtt::user_property("a", "1") + mqtt::user_property("a", "2")) !=
            message.properties.npos);
    }
    // Subscription identifier 5 and "no local", as raw bytes, because Device cannot express them.
    device.tls().send(mqtt::packet(0x82, mqtt::number(77) + mqtt::variable_length(2) + "\x0b\x05" +
                                             mqtt::text("any/mine") + static_cast<char>(2 | 4)));
    std::vector<std::string> raw;
    raw.push_back(mqtt::describe(device.tls().read_packet()));  // SUBACK
    observer.publish("any/mine", "down", 1, false, publish_properties);
    raw.push_back(mqtt::describe(device.tls().read_packet()));  // PUBLISH
    CHECK(raw[1].substr(0, 7) == "PUBLISH");
    observer.next_message();  // its own copy
    // DISCONNECT with "disconnect with will", a reason string and a user property.
    const auto reason = property(0x1f, mqtt::text("good night")) + mqtt::user_property("of", "disconnect");
    device.tls().send(mqtt::disconnect(mqtt::v5, "\x04" + mqtt::variable_length(reason.size()) + reason));
    CHECK(observer.next_message().payload == "gone");
    CHECK(device.tls().read_to_end().leftover.empty());
    Transcript all = raw;
    add(all, device);
    add(all, observer);
    return all;
  });
}

TEST_CASE("transparent: a message of 5 MiB passes in each direction") {
  same_through_the_relay([](const Stage& stage) {
    std::string up(5 << 20, '\0'), down(5 << 20, '\0');
    for (size_t i = 0; i < up.size(); ++i) {
      up[i] = static_cast<char>(i * 2654435761u >> 13);
      down[i] = static_cast<char>(i * 40503u >> 7);
    }
    auto observer = stage.observer();
    auto device = stage.enter(1);
    device.join("alpha");
    REQUIRE(observer.subscribe("any/up", 1) == 1);
    REQUIRE(device.subscribe("any/down", 2) == 2);
    device.publish("any/up", up, 1);
    CHECK((observer.next_message().payload == up));
    observer.publish("any/down", down, 2);
    CHECK((device.next_message().payload == down));
    device.ping();
    Transcript all;
    add(all, device);
    add(all, observer);
    return all;
  });
}

TEST_CASE("transparent: mosquitto's own clients see the same through the relay") {
  same_through_the_relay([](const Stage& stage) {
    const auto client = [&](const std::string& program, int number, std::vector<std::string> more) {
      more.insert(more.end(), {"-V", "5"});
      return ProcessOptions{.argv = mosquitto_client(program, stage.door, device_identity("p256", number),
                                                     clients.at(static_cast<size_t>(number - 1)), more)};
    };
    Process subscriber(client("mosquitto_sub", 2, {"-t", "any/#", "-q", "2", "-C", "3", "-F", "%t %q %r %l %P %p"}));
    stage.broker.log().wait_text("Sending SUBACK to beta");
    for (const char* qos : {"0", "1", "2"}) {
      const auto sent = run(client("mosquitto_pub", 1,
                                   {"-t", "any/thing", "-q", qos, "-m", "hello", "-D", "publish", "user-property",
                                    "name", "value", "-D", "publish", "content-type", "text"}));
      INFO(sent.err);
      CHECK(sent.status.code == 0);
    }
    CHECK(subscriber.wait().code == 0);
    const auto lines = subscriber.out().lines();
    REQUIRE(lines.size() == 3);
    CHECK(lines[2].find("any/thing 2 0 5") == 0);
    return lines;
  });
}
