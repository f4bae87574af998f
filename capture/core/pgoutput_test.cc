#include "capture/core/pgoutput.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "capture/core/testing/wire.h"

namespace searchsync::capture::pgoutput {
namespace {

using Kind = Cell::Kind;

TEST(Decoder, BeginAndCommit) {
  Decoder decoder;
  const auto begin = decoder.decode(wire::begin(100, 5, 7));
  ASSERT_TRUE(begin);
  EXPECT_EQ(std::get<Begin>(*begin).commit_lsn.get(), 100u);
  EXPECT_EQ(std::get<Begin>(*begin).commit_us, 946'684'800'000'005);
  EXPECT_EQ(std::get<Begin>(*begin).xid, 7u);
  const auto commit = decoder.decode(wire::commit(100, 140));
  ASSERT_TRUE(commit);
  EXPECT_EQ(std::get<Commit>(*commit).end_lsn.get(), 140u);
}

TEST(Decoder, ARelation) {
  Decoder decoder;
  const std::string bytes =
      wire::relation(9, "public", "bugs", {{"id", 23, true}, {"title", 25, false}}, 'f');
  const auto message = decoder.decode(bytes);
  ASSERT_TRUE(message);
  const auto& relation = std::get<Relation>(*message);
  EXPECT_EQ(relation.id, 9u);
  EXPECT_EQ(relation.schema, "public");
  EXPECT_EQ(relation.name, "bugs");
  EXPECT_EQ(relation.identity, ReplicaIdentity::kFull);
  ASSERT_EQ(relation.columns.size(), 2u);
  EXPECT_TRUE(relation.columns[0].identity);
  EXPECT_EQ(relation.columns[1].name, "title");
  EXPECT_EQ(relation.columns[1].type, 25u);
}

TEST(Decoder, RowsKeepTheirCells) {
  Decoder decoder;
  const std::string bytes = wire::update(9, 'K', {wire::Cell::of("1"), wire::Cell::null()},
                                         {wire::Cell::of("2"), wire::Cell::unchanged()});
  const auto message = decoder.decode(bytes);
  ASSERT_TRUE(message);
  const auto& update = std::get<Update>(*message);
  EXPECT_EQ(update.old_form, OldForm::kKey);
  EXPECT_EQ(update.before[0], (Cell{Kind::kText, "1"}));
  EXPECT_EQ(update.before[1].kind, Kind::kNull);
  EXPECT_EQ(update.after[0].text, "2");
  EXPECT_EQ(update.after[1].kind, Kind::kUnchanged);
}

TEST(Decoder, TruncateAndMessages) {
  Decoder decoder;
  const auto truncate = decoder.decode(wire::truncate({9, 11}));
  ASSERT_TRUE(truncate);
  EXPECT_EQ(std::get<Truncate>(*truncate).relations[1], 11u);
  const std::string bytes = wire::message("searchsync", "a:1");
  const auto message = decoder.decode(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(std::get<LogicalMessage>(*message).transactional);
  EXPECT_EQ(std::get<LogicalMessage>(*message).content, "a:1");
}

std::vector<std::string> samples() {
  const wire::Row row = {wire::Cell::of("17"), wire::Cell::null(), wire::Cell::unchanged()};
  return {wire::begin(1, 2, 3),
          wire::commit(1, 2),
          wire::relation(9, "s", "t", {{"id", 23, true}}),
          wire::insert(9, row),
          wire::update(9, 'O', row, row),
          wire::remove(9, 'K', row),
          wire::truncate({1, 2}),
          wire::message("p", "content")};
}

TEST(Decoder, TornMessagesNameTheirPlace) {
  Decoder decoder;
  for (const std::string& bytes : samples()) {
    ASSERT_TRUE(decoder.decode(bytes)) << bytes[0];
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto torn = decoder.decode(std::string_view(bytes).substr(0, size));
      ASSERT_FALSE(torn) << bytes[0] << " of " << size;
      EXPECT_EQ(torn.error().code, ErrorCode::kMalformed);
      EXPECT_NE(torn.error().message.find("byte "), std::string::npos);
    }
  }
}

TEST(Decoder, HostileMessagesAreRefused) {
  Decoder decoder;
  EXPECT_FALSE(decoder.decode("?"));
  EXPECT_FALSE(decoder.decode(wire::relation(9, "s", "t", {}, 'x')));
  EXPECT_FALSE(decoder.decode("I" + wire::number(9, 4) + "K"));
  const std::string binary = "I" + wire::number(9, 4) + "N" + wire::number(1, 2) + "b";
  EXPECT_EQ(decoder.decode(binary).error().code, ErrorCode::kUnsupported);
  const std::string huge = "I" + wire::number(9, 4) + "N" + wire::number(1, 2) + "t" +
                           wire::number(0xFFFFFFFF, 4) + "abc";
  EXPECT_FALSE(decoder.decode(huge));
}

TEST(Decoder, DamagedMessagesAreDecodedOrRefused) {
  Decoder decoder;
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    std::vector<std::string> all = samples();
    std::string bytes = all[random() % all.size()];
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(1 + random() % bytes.size());
    // A copy of the exact size, so that reading past its end is noticed.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    (void)decoder.decode({exact.data(), exact.size()});
  }
}

}  // namespace
}  // namespace searchsync::capture::pgoutput
