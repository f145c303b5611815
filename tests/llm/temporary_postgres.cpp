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
    const fs::path programmes = find_programmes();
    if (programmes.empty()) return;
    std::string folder = (fs::temp_directory_path() / "hyperllm_pg_XXXXXX").string();
    if (!::mkdtemp(folder.data())) return;
    folder_ = folder;
    owner_ = ::getpid();
    // The server refuses to run as root.
    if (::geteuid() == 0) {
      user_ = "runuser -u postgres -- ";
      if (shell("chown postgres " + folder) != 0) return;
    }
    programmes_ = programmes;
    if (shell(user_ + (programmes / "initdb").string() + " -A trust -U hyperllm -D " + folder + "/data") != 0)
      return;
    const std::string settings = "-c listen_addresses= -c fsync=off -c unix_socket_directories=" + folder;
    if (shell(user_ + (programmes / "pg_ctl").string() + " -w -D " + folder + "/data -l " + folder +
              "/log -o '" + settings + "' start") != 0)
      return;
    url_ = "postgresql://hyperllm@/postgres?host=" + folder;
  }
  ~Server() {
    if (folder_.empty() || ::getpid() != owner_) return;
    if (!url_.empty())
      shell(user_ + (programmes_ / "pg_ctl").string() + " -m immediate -D " + folder_.string() +
            "/data stop");
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  const std::string& url() const { return url_; }

 private:
  static int shell(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()); }

  static fs::path find_programmes() {
    std::error_code none;
    for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none))
      if (fs::exists(version.path() / "bin" / "initdb")) return version.path() / "bin";
    return {};
  }

  fs::path folder_, programmes_;
  std::string user_, url_;
  pid_t owner_ = 0;
};

}  // namespace

std::string temporary_postgres() {
  static const Server server;
  return server.url();
}

}  // namespace hyperllm::testing_support
