#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/node.h"

namespace searchsync::model {

// Builds a Node from the events of a parser, within limits. A key is a scalar like any other: in a
// mapping, every other value is one. Not thread-safe.
class TreeBuilder {
 public:
  struct Limits {
    size_t nodes = 0;
    size_t text_bytes = 0;  // of all keys and scalars
    int depth = 0;
  };
  struct Problem {
    Position position;
    std::string message;
  };

  explicit TreeBuilder(Limits limits) : limits_(limits) {}

  void scalar(Node node);
  // A whole tree that was built before; paid for in full.
  void copy(const Node& node);
  void begin_sequence(Position position);
  void begin_mapping(Position position);
  // Returns what ended, or null where it was a key or what a fatal problem left over.
  const Node* end();
  // In place of a key: the value that follows is merged into the mapping, as YAML's `<<`.
  void merge_key();
  bool awaits_key() const;

  // The tree, once every begin has its end; the builder is then empty, with its limits as used so
  // far.
  Node take();

  // Pays for `node` as if it were added once more. False, and a fatal problem, if that is too much.
  bool charge(const Node& node);

  // Problems found so far; after a fatal one, do not go on.
  const std::vector<Problem>& problems() const { return problems_; }
  bool failed() const { return failed_; }
  void add_problem(Position position, std::string message);
  void fail(Position position, std::string message);

 private:
  struct Frame {
    Node node;
    std::optional<Node> key;  // of a mapping: read, its value is to come
    bool merging = false;     // of a mapping: the value to come is merged
    std::vector<Node> merged;
  };

  const Node* place(Node node);
  const Node* place_in_mapping(Frame& frame, Node node);
  void begin(Node node);
  void finish_mapping(Frame& frame);
  bool pay(size_t text_bytes, Position position);

  const Limits limits_;
  size_t nodes_ = 0;
  size_t text_bytes_ = 0;
  std::vector<Frame> frames_;
  Node root_;
  std::vector<Problem> problems_;
  bool failed_ = false;
};

}  // namespace searchsync::model
