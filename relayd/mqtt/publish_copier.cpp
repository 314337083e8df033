#include "relayd/mqtt/publish_copier.h"

#include <algorithm>

#include "relayd/mqtt/client_packets.h"

namespace mqtt {

void PublishCopier::feed(Bytes in, std::vector<std::uint8_t>& out) {
  while (!in.empty() && !flawed_) {
    if (skip_ > 0) {
      const auto count = std::min<std::size_t>(skip_, in.size());
      skip_ -= static_cast<std::uint32_t>(count);
      in = in.subspan(count);
    } else if (need_ > 0) {
      in = take_body(in, out);
    } else {
      const auto status = header_.push(in[0]);
      in = in.subspan(1);
      if (status == FixedHeader::Status::malformed) flawed_ = true;
      if (status != FixedHeader::Status::done) continue;
      begin_packet();
    }
  }
}

void PublishCopier::begin_packet() {
  const std::uint32_t remaining = header_.remaining();
  if (header_.type() != PacketType::publish) return end_packet(remaining);
  flawed_ = remaining == 0 || !flags_are_valid(version_, PacketType::publish, header_.flags());
  need_ = remaining <= most_ ? remaining : 1;
}

// A packet that is whole in `in` is copied from there.
Bytes PublishCopier::take_body(Bytes in, std::vector<std::uint8_t>& out) {
  const std::size_t missing = need_ - body_.size();
  if (in.size() < missing) {
    body_.insert(body_.end(), in.begin(), in.end());
    return {};
  }
  const Bytes taken = in.first(missing);
  if (body_.empty() && need_ == header_.remaining()) {
    try_body(taken, out);
  } else {
    body_.insert(body_.end(), taken.begin(), taken.end());
    try_body(body_, out);
  }
  return in.subspan(missing);
}

// Of a packet that is too large only the head is needed, because it may name an alias.
void PublishCopier::try_body(Bytes body, std::vector<std::uint8_t>& out) {
  const auto result = parse_publish(version_, header_.flags(), body, header_.remaining());
  if (std::holds_alternative<Flaw>(result)) {
    flawed_ = true;
    return;
  }
  if (const auto* more = std::get_if<NeedMore>(&result)) {
    need_ = more->total;
    flawed_ = need_ > kMaxHead && header_.remaining() > most_;
    return;
  }
  copy(std::get<Publish>(result), body, out);
  end_packet(header_.remaining() - static_cast<std::uint32_t>(body.size()));
}

void PublishCopier::copy(const Publish& publish, Bytes body, std::vector<std::uint8_t>& out) {
  std::string own;
  const std::string* topic = topic_of(publish, own);
  if (!topic) {
    ++counts_.unknown_alias;
    return;
  }
  Message message{.prefix = prefix_, .topic = *topic, .retain = publish.retain};
  if (publish.properties_at > 0) {
    const bool has_alias = publish.topic_alias != 0;
    const std::uint32_t end = has_alias ? publish.topic_alias_at : publish.payload_at;
    message.properties = body.subspan(publish.properties_at, end - publish.properties_at);
    if (has_alias) message.more_properties = body.subspan(end + 3, publish.payload_at - end - 3);
  }
  if (header_.remaining() > most_ || prefix_.size() + topic->size() > UINT16_MAX) {
    ++counts_.too_large;
    return;
  }
  message.payload = body.subspan(publish.payload_at);
  append_publish(out, message);
  ++counts_.copied;
}

// MQTT section 3.3.2.3.4: a topic with an alias replaces what the alias stood for. nullptr: not known here.
const std::string* PublishCopier::topic_of(const Publish& publish, std::string& own) {
  if (publish.topic_alias == 0) {
    own = publish.topic;
    return &own;
  }
  const auto known = aliases_.find(publish.topic_alias);
  if (publish.topic.empty()) return known == aliases_.end() ? nullptr : &known->second;
  own = publish.topic;
  if (known != aliases_.end()) {
    alias_bytes_ -= known->second.size();
    aliases_.erase(known);
  }
  if (alias_bytes_ + own.size() > kMaxAliases) return &own;
  alias_bytes_ += own.size();
  return &(aliases_[publish.topic_alias] = own);
}

void PublishCopier::end_packet(std::uint32_t to_skip) {
  header_.reset();
  std::vector<std::uint8_t>().swap(body_);  // an idle device keeps no memory
  need_ = 0;
  skip_ = to_skip;
}

}  // namespace mqtt
