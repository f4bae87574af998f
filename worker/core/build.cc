#include "worker/core/build.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <vector>

#include "worker/core/convert.h"
#include "worker/core/tuple.h"

namespace searchsync::worker {
namespace {

using model::BindingId;
using model::BindingKind;
using model::FieldLayout;

bool is_null(std::string_view fragment) {
  return fragment.empty() || fragment == "null";
}

std::optional<double> number_of(std::string_view fragment) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(fragment.data(), fragment.data() + fragment.size(), value);
  if (error != std::errc() || end != fragment.data() + fragment.size()) return std::nullopt;
  return value;
}

// Whether a fragment is a quoted ISO 8601 time, whose fraction is there only when it is not zero.
bool is_time(std::string_view f) {
  return f.size() >= 21 && f[5] == '-' && f[8] == '-' && f[11] == 'T' && f[14] == ':' &&
         f[17] == ':';
}

int sign(int value) {
  return (value > 0) - (value < 0);
}

int compare_times(std::string_view a, std::string_view b) {
  constexpr size_t kSeconds = 20;  // the quote, the date, the time to the second
  if (const int order = a.substr(0, kSeconds).compare(b.substr(0, kSeconds))) return sign(order);
  const auto fraction = [](std::string_view f) {
    auto rest = f.substr(kSeconds);
    if (rest.empty() || rest.front() != '.') return std::string_view();
    return rest.substr(1, rest.find_first_not_of("0123456789", 1) - 1);
  };
  return sign(fraction(a).compare(fraction(b)));
}

struct ChildRow {
  std::string key;
  uint8_t side = 0;
  std::string tuple;
};

}  // namespace

int compare_fragments(std::string_view a, std::string_view b) {
  if (is_null(a) || is_null(b)) return static_cast<int>(is_null(a)) - static_cast<int>(is_null(b));
  if (a.front() != '"' && b.front() != '"') {
    const auto x = number_of(a), y = number_of(b);
    if (x && y && *x != *y) return *x < *y ? -1 : 1;
    if (x && y) return 0;
  }
  if (is_time(a) && is_time(b)) return compare_times(a, b);
  std::string x, y;
  append_scalar_text(a, x);
  append_scalar_text(b, y);
  return sign(x.compare(y));
}

struct Builder::Impl {
  // The rows in view at one level, by context.
  struct View {
    std::vector<std::string> bytes;
    std::vector<TupleView> tuples;
    std::vector<bool> present;
  };

  const model::Pipeline& pipeline;
  RowReader* rows = nullptr;
  bool waiting = false;
  std::deque<View> views;                       // one a nesting level; kept for their buffers
  std::vector<std::vector<ChildRow>> children;  // by BindingId
  std::string key;

  explicit Impl(const model::Pipeline& p) : pipeline(p), views(2), children(p.bindings.size()) {}

  bool resolve(BindingId level_id, uint8_t side, View& view);
  void write_object(const model::ObjectLayout& layout, const View& view, std::string& out);
  void write_array(BindingId id, std::string& out);
  void collect_children(std::string_view root);
};

// Finds the rows of all contexts of a level; context 0 is in place. False if the element, or the
// document, is excluded.
bool Builder::Impl::resolve(BindingId level_id, uint8_t side, View& view) {
  const auto& contexts = pipeline.levels[level_id].contexts;
  view.bytes.resize(contexts.size());
  view.tuples.resize(contexts.size());
  view.present.assign(contexts.size(), false);
  view.present[0] = true;
  view.tuples[0].parse(view.bytes[0]);
  bool excluded = false;
  for (size_t i = 1; i < contexts.size(); ++i) {
    const auto& context = contexts[i];
    const auto& parent = pipeline.binding(contexts[context.parent].binding);
    const auto& from = context.far ? parent.sides[1 - side] : parent.lookups[context.lookup].from;
    Known known = Known::kAbsent;
    if (view.present[context.parent] && key_text(view.tuples[context.parent], from, key)) {
      known = rows->lookup(context.binding, key, view.bytes[i]);
    }
    if (known == Known::kUnknown) waiting = true;
    if (known == Known::kAbsent && context.on_missing == model::OnMissing::kExclude)
      excluded = true;
    if (known == Known::kPresent) {
      view.present[i] = true;
      view.tuples[i].parse(view.bytes[i]);
    }
  }
  return !excluded;
}

void Builder::Impl::collect_children(std::string_view root) {
  for (auto& rows_of_binding : children) rows_of_binding.clear();
  rows->children(
      root, [this](BindingId id, uint8_t side, std::string_view child, std::string_view tuple) {
        children[id].push_back({std::string(child), side, std::string(tuple)});
      });
  for (BindingId id = 0; id < children.size(); ++id) {
    const auto& order_by = pipeline.binding(id).order_by;
    std::ranges::sort(children[id], [&order_by](const ChildRow& a, const ChildRow& b) {
      TupleView x, y;
      x.parse(a.tuple);
      y.parse(b.tuple);
      for (const auto& order : order_by) {
        int compared = compare_fragments(x.slot(order.slot), y.slot(order.slot));
        if (order.direction == model::Direction::kDescending) compared = -compared;
        if (compared != 0) return compared < 0;
      }
      return std::tie(a.key, a.side) < std::tie(b.key, b.side);
    });
  }
}

void Builder::Impl::write_array(BindingId id, std::string& out) {
  out += '[';
  bool first = true;
  View& view = views[1];
  for (auto& child : children[id]) {
    view.bytes.resize(pipeline.levels[id].contexts.size());
    view.bytes[0] = child.tuple;
    if (!resolve(id, child.side, view)) continue;
    if (!first) out += ',';
    first = false;
    write_object(pipeline.levels[id].layout, view, out);
  }
  out += ']';
}

void Builder::Impl::write_object(const model::ObjectLayout& layout, const View& view,
                                 std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& field : layout.fields) {
    if (!first) out += ',';
    first = false;
    out += field.label;
    switch (field.kind) {
      case FieldLayout::Kind::kScalar: {
        const auto fragment = view.present[field.context]
                                  ? view.tuples[field.context].slot(field.slot)
                                  : std::string_view();
        out += fragment.empty() ? std::string_view("null") : fragment;
        break;
      }
      case FieldLayout::Kind::kObject:
        write_object(field.object.front(), view, out);
        break;
      case FieldLayout::Kind::kArray:
        write_array(field.array, out);
        break;
    }
  }
  out += '}';
}

Builder::Builder(const model::Pipeline& pipeline) : impl_(std::make_unique<Impl>(pipeline)) {}
Builder::~Builder() = default;

Built Builder::build(std::string_view root, RowReader& rows, std::string& out) {
  auto& impl = *impl_;
  auto& view = impl.views[0];
  const size_t start = out.size();
  const BindingId id = impl.pipeline.root;
  view.bytes.resize(impl.pipeline.levels[id].contexts.size());
  switch (rows.root(root, view.bytes[0])) {
    case Known::kUnknown:
      return Built::kWaiting;
    case Known::kAbsent:
      return Built::kNone;
    case Known::kPresent:
      break;
  }
  impl.rows = &rows;
  impl.waiting = false;
  const bool included = impl.resolve(id, 0, view);
  if (included) {
    impl.collect_children(root);
    impl.write_object(impl.pipeline.levels[id].layout, view, out);
  }
  if (included && !impl.waiting) return Built::kDocument;
  out.resize(start);
  return impl.waiting ? Built::kWaiting : Built::kNone;
}

}  // namespace searchsync::worker
