#include "hyperllm/apps/cli.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <thread>

#include "hyperllm/apps/console.h"
#include "hyperllm/apps/pipeline.h"
#include "hyperllm/apps/recipe.h"
#include "hyperllm/apps/search.h"
#include "hyperllm/apps/signals.h"
#include "hyperllm/apps/train_program.h"
#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"

namespace hyperllm::apps {
namespace {

constexpr std::int64_t kNotGiven = std::numeric_limits<std::int64_t>::min();

struct Settings {
  std::int64_t threads = kNotGiven;
  bool quiet = false;
  bool verbose = false;
  std::string recipe;
  std::vector<std::string> overrides, only;
};

std::string flag_name(const std::string& field) {
  std::string flag = "--" + field;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string help_text(const Field& field) {
  std::string text = field.help;
  if (field.owner) text += " [" + field.owner->kind + " " + field.owner->name + "]";
  for (std::size_t i = 0; i < field.choices.size(); ++i) text += (i ? ", " : " (one of ") + field.choices[i];
  if (!field.choices.empty()) return text + ")";
  const std::string range = range_text(field.range);
  return range.empty() ? text : text + " (" + range + ")";
}

const char* type_name(const Field& field) {
  static const char* const kNames[] = {"", "N", "X", "TEXT", "PATH", "A,B,...", "N,M,..."};
  return kNames[field.target.index()];
}

// Values are checked by assign_field, the one place that recipes and --set go through too.
void add_flag(CLI::App& command, const Field& field) {
  const std::string flag = flag_name(field.name);
  CLI::Option* option = nullptr;
  if (std::holds_alternative<bool*>(field.target)) {
    option = command.add_flag_function(
        flag + ",!--no-" + flag.substr(2),
        [field](std::int64_t given) { assign_field(field, given > 0 ? "true" : "false"); }, help_text(field));
  } else {
    option = command.add_option_function<std::string>(
        flag, [field](const std::string& text) { assign_field(field, text); }, help_text(field));
    option->type_name(type_name(field))->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  if (const std::string text = field_text(field); !text.empty()) option->default_str(text);
}

// "--epochs N=3" and "--shuffle, --no-shuffle=true" instead of CLI11's own flag notation.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool positional) const override {
    std::string name = CLI::Formatter::make_option_name(option, positional);
    if (const std::size_t at = name.find("{false}"); at != std::string::npos) name.erase(at, 7);
    if (const std::size_t at = name.find(",--"); at != std::string::npos) name.insert(at + 1, " ");
    return name;
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = option->get_type_name().empty() ? "" : " " + option->get_type_name();
    if (!option->get_default_str().empty()) text += "=" + option->get_default_str();
    return text;
  }
};

class Program {
 public:
  Program(const std::vector<Stage>& stages, std::ostream& out, std::FILE* errors)
      : stages_(stages), out_(out), errors_(errors) {
    app_.name("hyperllm");
    app_.formatter(std::make_shared<HelpFormatter>());
    app_.get_formatter()->column_width(34);
    app_.require_subcommand(0, 1);  // call() and refuse_unknown() say it better
    app_.allow_extras();
    app_.fallthrough();
    app_.set_version_flag("--version", "hyperllm " HYPERLLM_VERSION);
    app_.add_option("--threads", settings_.threads, "Threads to use; 0: all cores")->type_name("N");
    app_.add_flag("--quiet,-q", settings_.quiet, "Say nothing but warnings, errors and results");
    app_.add_flag("--verbose,-v", settings_.verbose, "Say more");
    app_.footer("`hyperllm COMMAND --help` lists a command's options. Recipes: docs/recipes.md.");
    for (const Stage& stage : stages_) add_stage(stage);
    CLI::App* run = add_recipe_command("run", "Run the stages of a recipe, skipping what is up to date");
    add_recipe_command(
        "search",
        "Try settings of a recipe's runs on validation, as its [search] says; several processes "
        "share the work");
    run->add_option("--only", settings_.only,
                    "Of the recipe's runs those alone: 'hrcf-*', 'hgcf-base/seed-1'")
        ->type_name("RUN,...")
        ->delimiter(',')
        ->allow_extra_args(false);
  }

  int run(std::vector<std::string> arguments) {
    arguments_ = arguments;
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them off the end
    try {
      app_.parse(std::move(arguments));
      refuse_unknown();
      return call();
    } catch (const CLI::Success& wanted) {  // --help, --version
      return app_.exit(wanted, out_, out_);
    } catch (const CLI::ParseError& error) {
      return complain(std::string(error.what()) + "\n" + hint(), exit_status(ErrorCode::kInvalidArgument));
    } catch (const Error& error) {
      return complain(error.what(), exit_status(error.code()));
    } catch (
        const std::filesystem::filesystem_error& error) {  // a folder on the way that may not be searched
      return complain(
          error.path1().string() + ": " + error.code().message() + ". Check the path and who may read it.",
          exit_status(ErrorCode::kIo));
    } catch (const std::bad_alloc&) {
      return complain("out of memory.", 1);
    } catch (const std::exception& error) {
      return complain(std::string("unexpected: ") + error.what(), 1);
    }
  }

 private:
  void add_stage(const Stage& stage) {
    CLI::App* command = app_.add_subcommand(stage.name, stage.help);
    command->allow_extras();
    if (!stage.make) {
      command->preparse_callback(
          [this, name = stage.name](std::size_t) { become_train_program(arguments_, "`" + name + "`"); });
      calls_.push_back(nullptr);
      return;
    }
    calls_.push_back(stage.make());
    for (const Field& field : calls_.back()->fields()) add_flag(*command, field);
  }

  CLI::App* add_recipe_command(const std::string& name, const std::string& help) {
    CLI::App* command = app_.add_subcommand(name, help);
    command->allow_extras();
    command->add_option("recipe", settings_.recipe, "The recipe (TOML)")->required()->type_name("FILE");
    command->add_option("--set", settings_.overrides, "Override a value of the recipe: section.key=value")
        ->type_name("S.K=V")
        ->allow_extra_args(false);
    return command;
  }

  CLI::App* chosen() const {
    const auto commands = app_.get_subcommands();
    return commands.empty() ? nullptr : commands.front();
  }

  std::string hint() const {
    const CLI::App* command = chosen();
    return "`hyperllm " + (command ? command->get_name() + " " : std::string()) +
           "--help` lists what there is.";
  }

  void refuse_unknown() const {
    const std::vector<std::string> extras = app_.remaining(true);
    if (extras.empty()) return;
    const std::string word = extras.front().substr(0, extras.front().find('='));
    std::vector<std::string> known;
    for (const CLI::App* app :
         {static_cast<const CLI::App*>(&app_), static_cast<const CLI::App*>(chosen())}) {
      if (!app) continue;
      for (const CLI::Option* option : app->get_options())
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      if (app == &app_ && !chosen())
        for (const CLI::App* command : app->get_subcommands({})) known.push_back(command->get_name());
    }
    const std::string near = nearest_word(word, known);
    throw Error(ErrorCode::kInvalidArgument,
                "unknown " + std::string(word.starts_with("-") ? "option" : "argument") + " '" + word + "'" +
                    (near.empty() ? "." : "; did you mean '" + near + "'?") + "\n" + hint());
  }

  std::optional<Recipe> chosen_recipe() const {
    const std::string command = chosen() ? chosen()->get_name() : "";
    if (command != "run" && command != "search") return std::nullopt;
    Recipe recipe = load_recipe(settings_.recipe, settings_.overrides);
    if (trains(recipe) && !find_stage(stages_, "train").make)
      become_train_program(arguments_, settings_.recipe + ", which trains,");
    return recipe;
  }

  int call() {
    const std::optional<Recipe> recipe = chosen_recipe();
    const Verbosity verbosity = settings_.quiet     ? Verbosity::kQuiet
                                : settings_.verbose ? Verbosity::kVerbose
                                                    : Verbosity::kNormal;
    Console console(errors_, ::isatty(::fileno(errors_)) == 1, verbosity);
    const StopOnSignals stop([&] {
      console.message(Level::kWarning, "stopping at the next safe point; once more to quit at once");
    });
    const Context context{&console, stop.token()};
    HYPERLLM_CHECK(chosen(), ErrorCode::kInvalidArgument, "which command? " + hint());
    const std::string name = chosen()->get_name();
    if (recipe) {
      set_threads(recipe->threads);
      if (name == "run")
        run_recipe(*recipe, settings_.only, stages_, context, out_);
      else
        run_search(*recipe, stages_, context, out_);
    } else {
      set_threads(0);
      for (std::size_t i = 0; i < stages_.size(); ++i)
        if (stages_[i].name == name) run_or_keep(name, *calls_[i], context);
    }
    out_.flush();
    HYPERLLM_CHECK(out_.good(), ErrorCode::kIo, "cannot write the results to standard output.");
    return 0;
  }

  void run_or_keep(const std::string& stage, StageCall& call, const Context& context) const {
    if (call.keeps_result() && is_up_to_date(stage, call))
      context.info(stage + ": up to date");
    else
      run_stage(stage, call, context, out_);
  }

  void set_threads(std::int64_t otherwise) const {
    const std::int64_t threads = settings_.threads != kNotGiven ? settings_.threads : otherwise;
    // Some more than there are processors do no harm, and a recipe may come from another machine.
    const std::int64_t processors = std::max(1U, std::thread::hardware_concurrency());
    const std::int64_t most = std::clamp<std::int64_t>(4 * processors, 16, kMostThreads);
    HYPERLLM_CHECK(threads >= 0 && threads <= most, ErrorCode::kInvalidArgument,
                   "threads: expected 0 (all cores) to " + std::to_string(most) + " on this machine's " +
                       std::to_string(processors) + " processors, got " + std::to_string(threads) + ".");
    set_num_threads(static_cast<int>(threads));
  }

  int complain(const std::string& message, int status) const {
    std::fprintf(errors_, "hyperllm: error: %s\n", message.c_str());
    return status;
  }

  const std::vector<Stage>& stages_;
  std::ostream& out_;
  std::FILE* errors_;
  std::vector<std::string> arguments_;
  CLI::App app_{"Recommenders in hyperbolic space, enhanced by what a language model knows"};
  Settings settings_;
  std::vector<std::unique_ptr<StageCall>> calls_;
};

}  // namespace

int run_command(const std::vector<std::string>& arguments, const std::vector<Stage>& stages,
                std::ostream& out, std::FILE* errors) {
  return Program(stages, out, errors).run(arguments);
}

int run_program(int argc, char** argv, const std::vector<Stage>& stages) {
  // A write beyond a limit on the size of files then fails with a reason, instead of ending the program.
  std::signal(SIGXFSZ, SIG_IGN);
  return run_command({argv + 1, argv + argc}, stages, std::cout, stderr);
}

}  // namespace hyperllm::apps
