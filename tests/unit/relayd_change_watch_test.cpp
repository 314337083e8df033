// reload_on_change: when files that relayd has read count as changed.
#include "relayd/supervisor/change_watch.h"

#include "catch.h"
#include "scratch_dir.h"

using relayd::ChangeWatch;
using unit::ScratchDir;

namespace {

struct Watched {
  ScratchDir scratch;
  std::string a = scratch.put("a.pem", "1"), b = scratch.put("b.pem", "1"), missing = scratch / "c.pem";
  ChangeWatch watch;
  Watched() { watch.have_read({a, b, missing}); }
};

}  // namespace

TEST_CASE("files that nobody touches never count as changed", "[reload-on-change]") {
  Watched files;
  for (uint64_t now = 0; now < 100'000; now += 1000) CHECK(files.watch.changed(now).empty());
}

TEST_CASE("a change counts once all files have been still for two seconds, and once only", "[reload-on-change]") {
  Watched files;
  files.scratch.put("a.pem", "2");  // by rename: another inode
  CHECK(files.watch.changed(10'000).empty());
  CHECK(files.watch.changed(11'000).empty());
  std::ofstream(files.b) << "22";  // in place
  CHECK(files.watch.changed(11'999).empty());
  CHECK(files.watch.changed(13'998).empty());
  CHECK(files.watch.changed(13'999) == files.a + ", " + files.b);
  CHECK(files.watch.changed(20'000).empty());
}

TEST_CASE("a file that appears, goes or gets another mode counts as changed", "[reload-on-change]") {
  Watched files;
  uint64_t now = 10'000;
  const auto seen = [&] {
    CHECK(files.watch.changed(now).empty());
    return files.watch.changed(now += 2000);
  };
  std::ofstream(files.missing) << "1";
  CHECK(seen() == files.missing);
  std::filesystem::remove(files.missing);
  CHECK(seen() == files.missing);
  chmod(files.a.c_str(), 0640);
  CHECK(seen() == files.a);
}

TEST_CASE("a change that a reload has read already does not count again, and one during it does",
          "[reload-on-change]") {
  Watched files;
  files.scratch.put("a.pem", "2");
  files.watch.about_to_read();
  files.scratch.put("b.pem", "2");  // relayd may have read either content
  files.watch.have_read({files.a, files.b});
  CHECK(files.watch.changed(10'000).empty());
  CHECK(files.watch.changed(12'000) == files.b);
}
