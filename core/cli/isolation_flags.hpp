// Flags for what a container may do, and for names and addresses in it: capabilities, security options,
// limits of a process, shared memory, hosts and resolvers.
#pragma once

#include "cli/flags.hpp"
#include "engine/request.hpp"
#include "mydocker/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mydocker::cli {

class IsolationFlags {
  public:
    void declare(FlagSet& app);
    // Sets what was asked for. Errors: invalid, naming flag and value.
    [[nodiscard]] Status parse(engine::CreateRequest& to) const;

  private:
    [[nodiscard]] Status parse_capabilities(engine::CreateRequest& to) const;
    [[nodiscard]] Status parse_security(engine::CreateRequest& to) const;
    [[nodiscard]] Status parse_addresses(engine::CreateRequest& to) const;

    std::vector<std::string> cap_add_;
    std::vector<std::string> cap_drop_;
    std::vector<std::string> security_;
    std::vector<std::string> ulimits_;
    std::vector<std::string> hosts_;
    std::vector<std::string> dns_;
    std::vector<std::string> dns_search_;
    std::vector<std::string> dns_options_;
    std::string umask_;
    std::string shm_size_;
};

// "NAME=SOFT[:HARD]", as "nofile=1024:2048"; -1: no limit.
[[nodiscard]] Result<engine::Ulimit> parse_ulimit(const std::string& text);
// docker's word for the address of the host, as seen from the container.
inline constexpr std::string_view kHostGateway = "host-gateway";
// "HOST:ADDRESS", the address IPv4, IPv6 with or without brackets, or kHostGateway.
[[nodiscard]] Result<engine::ExtraHost> parse_host(const std::string& text);
// Puts the address that the network has for it in place of kHostGateway. Errors: unsupported: it has none.
[[nodiscard]] Status find_gateway(engine::CreateRequest& to);
// A capability with or without "CAP_", in any case, or ALL.
[[nodiscard]] Result<std::string> parse_capability(const std::string& text);

} // namespace mydocker::cli
