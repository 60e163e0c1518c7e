// The cgroup backend "v2": cgroups in the one tree of cgroup v2, devices filtered by BPF.
#pragma once

#include "hierarchy.hpp"

#include <array>
#include <memory>
#include <optional>

namespace mydocker::cgroup_v2 {

inline constexpr std::array<OptionSpec, 0> kOptions{};

// The tree is found at the first call that needs it and kept open. Controllers are enabled on the way
// down as limits need them, and stay enabled at the root.
class CgroupV2 final : public CgroupBackend {
  public:
    [[nodiscard]] static Result<std::unique_ptr<CgroupBackend>> open(Host host);
    explicit CgroupV2(Host host) : host_(std::move(host)) {}

    [[nodiscard]] Result<CgroupTraits> probe() override;
    [[nodiscard]] Result<Locator> locate(const CgroupName& name) override;
    [[nodiscard]] Status create(const Locator& locator, const Resources& resources) override;
    // A directory from Linux 5.7 on, else a join.
    [[nodiscard]] Result<CgroupEntry> entry(const Locator& locator) override;
    [[nodiscard]] Status attach(const Locator& locator, pid_t pid) override;
    [[nodiscard]] Status update(const Locator& locator, const Resources& resources) override;
    [[nodiscard]] Result<CgroupStats> stats(const Locator& locator) override;
    [[nodiscard]] Status freeze(const Locator& locator) override;
    [[nodiscard]] Status thaw(const Locator& locator) override;
    [[nodiscard]] Status kill(const Locator& locator, int signal) override;
    [[nodiscard]] Status processes(const Locator& locator, const ProcessVisitor& visit) override;
    // An inotify descriptor: wakes also when the memory limit is reached without a kill.
    [[nodiscard]] Result<UniqueFd> events(const Locator& locator) override;
    [[nodiscard]] Status remove(const Locator& locator) override;
    [[nodiscard]] Status list(std::string_view prefix, const LocatorVisitor& visit) override;

  private:
    [[nodiscard]] Result<const Hierarchy*> hierarchy();
    [[nodiscard]] Result<Place> place(const Locator& locator);

    Host host_;
    std::optional<Hierarchy> hierarchy_;
};

} // namespace mydocker::cgroup_v2
