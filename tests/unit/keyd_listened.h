// The listener's part of a device's handshake, taken from its messages without keyd's code.
#pragma once

#include <vector>

#include "catch.h"
#include "common/tls/sha2.h"
#include "keyd_handshakes.h"

namespace keyd_test {

// What the server signed, and its signature, taken from the messages without keyd's code.
struct Listened {
  explicit Listened(const witness::Recorded& recorded) {
    std::vector<uint8_t> before;
    for (size_t i = 0; i < recorded.messages.size(); i++) {
      const std::vector<uint8_t>& message = recorded.messages[i];
      before.insert(before.end(), message.begin(), message.end());
      if (recorded.hash_size > 0 && message[0] == 11) {
        content.resize(recorded.hash_size);
        REQUIRE(common::tls::sha2(before, content));
        const auto& verify = recorded.messages[i + 1];
        scheme = static_cast<ipc::Scheme>(verify[4] << 8 | verify[5]);
        signature.assign(verify.begin() + 8, verify.end());
        return;
      }
      if (recorded.hash_size == 0 && message[0] == 12) {
        for (const size_t hello : {size_t{0}, size_t{1}})
          content.insert(content.end(), recorded.messages[hello].begin() + 6, recorded.messages[hello].begin() + 38);
        const auto params = message.begin() + 4, end = params + 4 + message[7];
        content.insert(content.end(), params, end);
        scheme = static_cast<ipc::Scheme>(end[0] << 8 | end[1]);
        signature.assign(end + 4, message.end());
        return;
      }
    }
    FAIL("the server has signed nothing");
  }
  ipc::Scheme scheme{};
  std::vector<uint8_t> content, signature;
};

}  // namespace keyd_test
