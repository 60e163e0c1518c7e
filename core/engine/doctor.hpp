// `doctor`: what this host can and cannot do, each in words, with one remedy. Changes nothing.
#pragma once

#include "engine/engine.hpp"

#include <string>
#include <vector>

namespace mydocker::engine {

enum class Verdict {
    good,
    limited, // containers run, but something that one may ask for is not there
    bad,     // no container runs
};

struct Diagnosis {
    std::string subject; // "storage", "limits of memory"
    Verdict verdict = Verdict::good;
    std::string finding;
    std::string remedy; // one thing to do; empty: there is nothing to do
};

[[nodiscard]] std::vector<Diagnosis> diagnose(Engine& engine);

} // namespace mydocker::engine
