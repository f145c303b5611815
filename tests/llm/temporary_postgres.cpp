#include "tests/llm/temporary_postgres.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace hyperllm::testing_support {
namespace {

namespace fs = std::filesystem;

class Server {
 public:
  Server() {
    const fs::path programs = find_programs();
    if (programs.empty()) return;
    std::string folder = (fs::temp_directory_path() / "hyperllm_pg_XXXXXX").string();
    if (!::mkdtemp(folder.data())) throw std::runtime_error("cannot make " + folder);
    folder_ = folder;
    owner_ = ::getpid();
    // The server refuses to run as root.
    if (::geteuid() == 0) {
      user_ = "runuser -u postgres -- ";
      need("chown postgres " + folder);
    }
    programs_ = programs;
    need(user_ + (programs / "initdb").string() + " -A trust -U hyperllm -D " + folder + "/data");
    const std::string settings = "-c listen_addresses= -c fsync=off -c unix_socket_directories=" + folder;
    need(user_ + (programs / "pg_ctl").string() + " -w -t 240 -D " + folder + "/data -l " + folder +
         "/log -o '" + settings + "' start");
    url_ = "postgresql://hyperllm@/postgres?host=" + folder;
  }
  ~Server() {
    if (folder_.empty() || ::getpid() != owner_) return;
    if (!url_.empty())
      shell(user_ + (programs_ / "pg_ctl").string() + " -m immediate -D " + folder_.string() + "/data stop");
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  const std::string& url() const { return url_; }

 private:
  static int shell(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()); }

  // Where the programs are, a server that does not start must not pass for one that is not installed.
  static void need(const std::string& command) {
    if (shell(command) != 0) throw std::runtime_error("PostgreSQL is installed, but this failed: " + command);
  }

  static fs::path find_programs() {
    std::error_code none;
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none))
      if (fs::exists(version.path() / "bin" / "initdb")) return version.path() / "bin";
    return {};
  }

  fs::path folder_, programs_;
  std::string user_, url_;
  pid_t owner_ = 0;
};

}  // namespace

std::string temporary_postgres() {
  static const Server server;
  return server.url();
}

}  // namespace hyperllm::testing_support
