// Flags that limit resources, and their conversion. What the kernel would clamp or misread in silence is
// an error here that names flag and value.
#pragma once

#include "cli/flags.hpp"
#include "mydocker/cgroup_backend.hpp"
#include "mydocker/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mydocker::cli {

class ResourceFlags {
  public:
    // What the flags are for: a new container; or one that is there and has limits already.
    enum class Purpose : std::uint32_t { creation, change };

    void declare(FlagSet& app, Purpose purpose = Purpose::creation);
    // Errors: invalid.
    [[nodiscard]] Result<Resources> parse(Purpose purpose = Purpose::creation) const;
    [[nodiscard]] bool is_any_given() const;

  private:
    [[nodiscard]] Status parse_memory(Resources& to, Purpose purpose) const;
    [[nodiscard]] Status parse_cpu(Resources& to) const;
    [[nodiscard]] Status parse_cpu_time(Resources& to) const;
    [[nodiscard]] Status parse_io(Resources& to) const;

    std::string memory_;
    std::string memory_swap_;
    std::string memory_reservation_;
    std::string cpu_shares_;
    std::string cpus_;
    std::string cpu_quota_;
    std::string cpu_period_;
    std::string cpuset_cpus_;
    std::string cpuset_mems_;
    std::string pids_limit_;
    std::string io_weight_;
    std::vector<std::string> read_bps_;
    std::vector<std::string> write_bps_;
    std::vector<std::string> read_iops_;
    std::vector<std::string> write_iops_;
};

// In bytes.
[[nodiscard]] std::int64_t machine_memory();

// A whole number in range, decimal, nothing around it. Errors: invalid, naming flag and value.
[[nodiscard]] Result<std::int64_t> parse_number(std::string_view flag, std::string_view text,
                                                std::int64_t least, std::int64_t most);

} // namespace mydocker::cli
