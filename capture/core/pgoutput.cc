#include "capture/core/pgoutput.h"

#include "capture/core/bytes_reader.h"

namespace searchsync::capture::pgoutput {
namespace {

using postgres::Lsn;

// PostgreSQL counts microseconds from 2000-01-01.
int64_t unix_us(uint64_t postgres_us) {
  constexpr uint64_t kOffsetUs = 946'684'800'000'000;
  return static_cast<int64_t>(postgres_us + kOffsetUs);  // unsigned: hostile values wrap
}

Result<void> read_tuple(BytesReader& reader, std::vector<Cell>& cells) {
  cells.clear();
  const size_t count = reader.u16();
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    const uint8_t kind = reader.u8();
    if (!reader.ok()) break;
    switch (kind) {
      case 'n':
        cells.push_back({Cell::Kind::kNull, {}});
        break;
      case 'u':
        cells.push_back({Cell::Kind::kUnchanged, {}});
        break;
      case 't': {
        const uint32_t size = reader.u32();
        cells.push_back({Cell::Kind::kText, reader.take(size)});
        break;
      }
      case 'b':
        return fail(ErrorCode::kUnsupported, "pgoutput sent a value in binary form, unasked");
      default:
        return reader.malformed(fmt::format("unknown kind of value 0x{:02x}", kind));
    }
  }
  if (!reader.ok()) return reader.malformed("the row ends early");
  return {};
}

Result<Message> read_relation(BytesReader& reader, std::vector<RelationColumn>& columns) {
  Relation relation;
  relation.id = reader.u32();
  relation.schema = reader.text();
  relation.name = reader.text();
  const uint8_t identity = reader.u8();
  const size_t count = reader.u16();
  columns.clear();
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    RelationColumn column;
    column.identity = (reader.u8() & 1) != 0;
    column.name = reader.text();
    column.type = reader.u32();
    reader.u32();  // the type's modifier
    columns.push_back(column);
  }
  if (!reader.ok()) return reader.malformed("the relation ends early");
  if (identity != 'd' && identity != 'n' && identity != 'f' && identity != 'i') {
    return reader.malformed(fmt::format("unknown replica identity 0x{:02x}", identity));
  }
  relation.identity = static_cast<ReplicaIdentity>(identity);
  relation.columns = columns;
  return relation;
}

Result<Message> read_insert(BytesReader& reader, std::vector<Cell>& after) {
  const uint32_t relation = reader.u32();
  if (reader.u8() != 'N') return reader.malformed("an insert has a new row");
  RETURN_IF_ERROR(read_tuple(reader, after));
  return Insert{relation, after};
}

Result<Message> read_update(BytesReader& reader, std::vector<Cell>& before,
                            std::vector<Cell>& after) {
  Update update;
  update.relation = reader.u32();
  before.clear();
  uint8_t kind = reader.u8();
  if (kind == 'K' || kind == 'O') {
    update.old_form = kind == 'K' ? OldForm::kKey : OldForm::kFull;
    RETURN_IF_ERROR(read_tuple(reader, before));
    kind = reader.u8();
  }
  if (kind != 'N') return reader.malformed("an update has a new row");
  RETURN_IF_ERROR(read_tuple(reader, after));
  update.before = before;
  update.after = after;
  return update;
}

Result<Message> read_delete(BytesReader& reader, std::vector<Cell>& before) {
  Delete removed;
  removed.relation = reader.u32();
  const uint8_t kind = reader.u8();
  if (kind != 'K' && kind != 'O') return reader.malformed("a delete has an old row");
  removed.old_form = kind == 'K' ? OldForm::kKey : OldForm::kFull;
  RETURN_IF_ERROR(read_tuple(reader, before));
  removed.before = before;
  return removed;
}

Result<Message> read_truncate(BytesReader& reader, std::vector<uint32_t>& relations) {
  const size_t count = reader.u32();
  reader.u8();  // CASCADE, RESTART IDENTITY: the relations named are all that were emptied
  relations.clear();
  for (size_t i = 0; i < count && reader.ok(); ++i) relations.push_back(reader.u32());
  if (!reader.ok()) return reader.malformed("the truncate ends early");
  return Truncate{relations};
}

Result<Message> read_logical_message(BytesReader& reader) {
  LogicalMessage message;
  message.transactional = (reader.u8() & 1) != 0;
  reader.u64();  // its place
  message.prefix = reader.text();
  message.content = reader.take(reader.u32());
  if (!reader.ok()) return reader.malformed("the message ends early");
  return message;
}

}  // namespace

Result<Message> Decoder::decode(std::string_view bytes) {
  BytesReader reader(bytes);
  switch (const uint8_t kind = reader.u8()) {
    case 'B': {
      Begin begin;
      begin.commit_lsn = Lsn(reader.u64());
      begin.commit_us = unix_us(reader.u64());
      begin.xid = reader.u32();
      if (!reader.ok()) return reader.malformed("the begin ends early");
      return begin;
    }
    case 'C': {
      Commit commit;
      reader.u8();  // flags, none so far
      commit.commit_lsn = Lsn(reader.u64());
      commit.end_lsn = Lsn(reader.u64());
      reader.u64();  // the time, as in the begin
      if (!reader.ok()) return reader.malformed("the commit ends early");
      return commit;
    }
    case 'R':
      return read_relation(reader, columns_);
    case 'I':
      return read_insert(reader, after_);
    case 'U':
      return read_update(reader, before_, after_);
    case 'D':
      return read_delete(reader, before_);
    case 'T':
      return read_truncate(reader, relations_);
    case 'M':
      return read_logical_message(reader);
    case 'O':
    case 'Y':
      return Ignored{};
    default:
      if (!reader.ok()) return reader.malformed("empty");
      return reader.malformed(fmt::format("unknown message 0x{:02x}", kind));
  }
}

}  // namespace searchsync::capture::pgoutput
