// The flags of health checks.
#pragma once

#include "cli/flags.hpp"
#include "engine/health_record.hpp"
#include "mydocker/result.hpp"

#include <string>

namespace mydocker::cli {

class HealthFlags {
  public:
    void declare(FlagSet& app);
    // Errors: invalid, naming the flag.
    [[nodiscard]] Result<engine::HealthRequest> parse() const;

  private:
    std::string command_;
    std::string interval_;
    std::string timeout_;
    std::string start_period_;
    std::string start_interval_;
    std::string retries_;
    bool none_ = false;
};

} // namespace mydocker::cli
