// A PostgreSQL server of the test's own, on a Unix socket in a temporary folder.
#pragma once

#include <string>

namespace hyperllm::testing_support {

// The URL of a database that lives until the process ends; "" where the server's programs are not
// installed. Started once a process. Throws where they are, but do not run.
std::string temporary_postgres();

}  // namespace hyperllm::testing_support
