#include "hyperllm/artifact/event_file.h"

#include <chrono>

#include "tests/support/events.h"
#include "tests/support/folder.h"

namespace hyperllm::artifact {
namespace {

using test::crc32c;
using test::Message;
using test::parse;
using test::read_events;

class EventFiles : public test::FolderTest {};

TEST_F(EventFiles, ReferenceCrc) { EXPECT_EQ(crc32c("123456789"), 0xe3069283U); }  // RFC 3720's check value

TEST_F(EventFiles, WhatIsWrittenIsRead) {
  EventFile file(folder_ / "phase2", 3);
  file.add(3, {{"train/loss", 1.5}, {"valid/recall@20", 0.125}});
  file.add(1'000'000, {{"train/loss", -2}});
  EXPECT_TRUE(file.path().filename().string().starts_with("events.out.tfevents.1")) << "seconds come next";
  const std::vector<Message> events = read_events(file.path());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].bytes.find(3)->second, "brain.Event:2");
  EXPECT_EQ(events[1].numbers.at(2), 3u);
  EXPECT_EQ(parse(events[1].bytes.find(7)->second).numbers.at(1), 1u) << "the session log's START";
  EXPECT_EQ(events[2].numbers.at(2), 3u);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(events[2].doubles.at(1), now, 60);
  const Message summary = parse(events[2].bytes.find(5)->second);
  ASSERT_EQ(summary.bytes.size(), 2u);
  auto value = summary.bytes.begin();
  EXPECT_EQ(parse(value->second).bytes.find(1)->second, "train/loss");
  EXPECT_EQ(parse(value->second).floats.at(2), 1.5f);
  EXPECT_EQ(parse((++value)->second).bytes.find(1)->second, "valid/recall@20");
  EXPECT_EQ(parse(value->second).floats.at(2), 0.125f);
  EXPECT_EQ(events[3].numbers.at(2), 1'000'000u);
}

TEST_F(EventFiles, EachStartHasAFileOfItsOwn) {
  const EventFile first(folder_, 0), second(folder_, 7);
  EXPECT_NE(first.path(), second.path());
  EXPECT_EQ(read_events(first.path()).size(), 2u);
  EXPECT_EQ(read_events(second.path())[1].numbers.at(2), 7u);
  put("file", "");
  test::expect_error(ErrorCode::kIo, {"file"}, [&] { EventFile(folder_ / "file", 0); });
}

}  // namespace
}  // namespace hyperllm::artifact
