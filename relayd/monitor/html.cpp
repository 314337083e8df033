#include "relayd/monitor/html.h"

namespace relayd::monitor {
namespace {

// Cut between UTF-8 characters (RFC 3629).
std::string_view cut(std::string_view text) {
  if (text.size() <= Html::kLongestText) return text;
  size_t end = Html::kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end--;
  return text.substr(0, end);
}

}  // namespace

Html& Html::raw(std::string_view markup) {
  out_ += markup;
  return *this;
}

void Html::escape(std::string_view text) {
  const std::string_view kept = cut(text);
  for (const char c : kept) {
    switch (c) {
      case '&': out_ += "&amp;"; break;
      case '<': out_ += "&lt;"; break;
      case '>': out_ += "&gt;"; break;
      case '"': out_ += "&quot;"; break;
      case '\'': out_ += "&#39;"; break;
      default: out_ += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
    }
  }
  if (kept.size() < text.size()) out_ += "…";
}

Html& Html::text(std::string_view text) {
  escape(text);
  return *this;
}

Html& Html::open(std::string_view tag, Attributes attributes) {
  (out_ += '<') += tag;
  for (const auto& [name, value] : attributes) {
    ((out_ += ' ') += name) += "=\"";
    escape(value);
    out_ += '"';
  }
  out_ += '>';
  return *this;
}

Html& Html::close(std::string_view tag) {
  ((out_ += "</") += tag) += ">\n";
  return *this;
}

Html& Html::element(std::string_view tag, std::string_view content, Attributes attributes) {
  return open(tag, attributes).text(content).close(tag);
}

}  // namespace relayd::monitor
