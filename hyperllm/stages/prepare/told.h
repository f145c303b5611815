// What `prepare` tells people of their data.
#pragma once

#include <string>

#include "hyperllm/base/progress.h"
#include "hyperllm/data/dataset.h"
#include "hyperllm/importers/raw.h"

namespace hyperllm::stages::prepare {

// A line of one file: how it was read and what was left out; warnings of ratings that may not be some.
void tell_import(const importers::FileReport& report, const Context& context);

// The first rows of each file, one column below the other.
std::string first_rows(const importers::RawInteractions& raw);

// Warns of ids that pandas, and so RecBole, reads as missing, and of those that begin with a quote.
void warn_about_ids(const data::Dataset& dataset, const Context& context);

}  // namespace hyperllm::stages::prepare
