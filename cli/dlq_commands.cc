#include "cli/dlq_commands.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "operator/dlq/desk.h"

namespace searchsync::cli {
namespace {

constexpr size_t kLimit = 100;
constexpr size_t kLimitMax = 10'000;
constexpr const char* kPosition = "Where it is in the dead-letter topic, as `list` shows it: 0/17";

struct Options {
  std::string output = "table";
  std::string binding;
  std::vector<std::string> positions;
  size_t limit = kLimit;
  bool all = false;
};

// "-" stands for documents, which several bindings make.
std::optional<std::string> binding_of(const Options& options) {
  if (options.binding.empty()) return std::nullopt;
  return options.binding == "-" ? "" : options.binding;
}

Result<dlq::Selection> selection_of(const Options& options) {
  const int chosen = (options.all ? 1 : 0) + (options.binding.empty() ? 0 : 1) +
                     (options.positions.empty() ? 0 : 1);
  if (chosen != 1) {
    return fail(
        ErrorCode::kInvalidArgument,
        "say which dead letters: positions, --binding NAME or --all, and one of these only");
  }
  dlq::Selection selection{.places = {}, .binding = binding_of(options)};
  for (const auto& position : options.positions) {
    ASSIGN_OR_RETURN(auto place, dead_letters::parse_place(position));
    selection.places.push_back(place);
  }
  return selection;
}

Result<Said> list(dlq::Desk& desk, const Options& options) {
  ASSIGN_OR_RETURN(const auto listing, desk.list(binding_of(options), options.limit));
  return Said{.text = options.output == "json" ? to_json(listing) : to_table(listing)};
}

Result<Said> show(dlq::Desk& desk, const Options& options) {
  ASSIGN_OR_RETURN(const auto place, dead_letters::parse_place(options.positions.front()));
  ASSIGN_OR_RETURN(const auto letter, desk.show(place));
  return Said{.text = options.output == "json" ? to_json(letter) : to_text(letter)};
}

Result<Said> replay(dlq::Desk& desk, const Options& options) {
  ASSIGN_OR_RETURN(const auto selection, selection_of(options));
  ASSIGN_OR_RETURN(const auto replayed, desk.replay(selection));
  Said said;
  size_t done = 0;
  size_t older = 0;
  size_t kept = 0;
  for (const auto& [place, kind, why] : replayed.outcomes) {
    switch (kind) {
      case dlq::Outcome::Kind::kReplayed:
        ++done;
        break;
      case dlq::Outcome::Kind::kOlder:
        ++older;
        said.text += fmt::format("{}: nothing to do: {}\n", to_string(place), why);
        break;
      case dlq::Outcome::Kind::kKept:
        ++kept;
        said.text += fmt::format("{}: not replayed: {}\n", to_string(place), why);
        break;
    }
  }
  said.text +=
      fmt::format("{} replayed, {} older than what is there, {} not replayed\n", done, older, kept);
  if (replayed.left > 0) {
    said.text += fmt::format("{} more than go at one time: run it again\n", replayed.left);
  }
  said.whole = kept == 0 && replayed.left == 0;
  return said;
}

Result<Said> drop(dlq::Desk& desk, const Options& options) {
  ASSIGN_OR_RETURN(const auto selection, selection_of(options));
  ASSIGN_OR_RETURN(const auto dropped, desk.drop(selection));
  return Said{.text = fmt::format("{} dropped\n", dropped)};
}

void add_output(CLI::App& command, Options& options) {
  command.add_option("-o,--output", options.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

void add_selection(CLI::App& command, Options& options) {
  command.add_option("POSITION", options.positions, kPosition);
  command.add_option("--binding", options.binding, "All of a binding; \"-\": of whole documents");
  command.add_flag("--all", options.all, "All of the index");
}

}  // namespace

void add_dlq_commands(CLI::App& dlq, const DlqCommands& commands) {
  const auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* about, const std::string& footer, auto act) {
    auto* command = dlq.add_subcommand(name, about);
    commands.add_subject(*command);
    command->footer(fmt::format(fmt::runtime(footer), fmt::arg("called", commands.called),
                                fmt::arg("subject", commands.subject)));
    command->callback([options, act, open = commands.open, chosen = commands.chosen] {
      chosen([options, act, open]() -> Result<Said> {
        ASSIGN_OR_RETURN(const auto desk, open());
        return act(*desk, *options);
      });
    });
    return command;
  };
  dlq.require_subcommand(1);
  auto* listing =
      add("list", "One line for each that is not dealt with, the newest first",
          "Examples:\n"
          "  {called} list {subject}\n"
          "  {called} list {subject} --binding run-bug -o json | jq '.letters[].reason'",
          list);
  listing->add_option("--binding", options->binding, "Only of this; \"-\": of whole documents");
  listing->add_option("--limit", options->limit, "At most so many lines")
      ->check(CLI::Range(size_t{1}, kLimitMax))
      ->capture_default_str();
  add_output(*listing, *options);
  auto* showing = add("show", "All of one: where it came from, the reason, what was refused",
                      "Example:\n"
                      "  {called} show {subject} 0/17",
                      show);
  showing->add_option("POSITION", options->positions, kPosition)->required()->expected(1);
  add_output(*showing, *options);
  add_selection(
      *add("replay", "Try again, when the cause is mended. What is newer wins: nothing goes back",
           "A source's record is read again from its topic and takes its place among the\n"
           "changes of its row; a document is built and written again, as it is now. What\n"
           "is replayed is no longer listed; if it is refused again, it is listed anew.\n"
           "Exit code 1 if some could not be replayed; each says why, and stays.\n"
           "\n"
           "Examples:\n"
           "  {called} replay {subject} 0/17 0/18\n"
           "  {called} replay {subject} --all",
           replay),
      *options);
  add_selection(*add("drop", "Leave them out for good: they are no longer listed or counted",
                     "A binding that halted at errors.maxDeadLetters goes on within seconds.\n"
                     "\n"
                     "Examples:\n"
                     "  {called} drop {subject} 0/17\n"
                     "  {called} drop {subject} --binding run-bug",
                     drop),
                *options);
}

}  // namespace searchsync::cli
