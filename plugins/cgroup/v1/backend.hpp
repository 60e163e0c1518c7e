// The cgroup backend "v1": one cgroup of the same name in every v1 hierarchy that is mounted here.
#pragma once

#include "hierarchies.hpp"

#include <array>
#include <memory>
#include <optional>

namespace mydocker::cgroup_v1 {

inline constexpr std::array<OptionSpec, 0> kOptions{};

// The hierarchies are found at the first call that needs them and kept open. Hugepage limits on a host
// whose hugetlb controller is on the v2 hierarchy are `unsupported`.
class CgroupV1 final : public CgroupBackend {
  public:
    [[nodiscard]] static Result<std::unique_ptr<CgroupBackend>> open(Host host);
    explicit CgroupV1(Host host) : host_(std::move(host)) {}

    [[nodiscard]] Result<CgroupTraits> probe() override;
    [[nodiscard]] Result<Locator> locate(const CgroupName& name) override;
    [[nodiscard]] Status create(const Locator& locator, const Resources& resources) override;
    // The join descriptors are `tasks` files: writing "0" moves the one thread that writes.
    [[nodiscard]] Result<CgroupEntry> entry(const Locator& locator) override;
    [[nodiscard]] Status attach(const Locator& locator, pid_t pid) override;
    [[nodiscard]] Status update(const Locator& locator, const Resources& resources) override;
    [[nodiscard]] Result<CgroupStats> stats(const Locator& locator) override;
    [[nodiscard]] Status freeze(const Locator& locator) override;
    [[nodiscard]] Status thaw(const Locator& locator) override;
    [[nodiscard]] Status kill(const Locator& locator, int signal) override;
    [[nodiscard]] Status processes(const Locator& locator, const ProcessVisitor& visit) override;
    // An eventfd: fires just before a kill, and when the cgroup is removed.
    [[nodiscard]] Result<UniqueFd> events(const Locator& locator) override;
    [[nodiscard]] Status remove(const Locator& locator) override;
    [[nodiscard]] Status list(std::string_view prefix, const LocatorVisitor& visit) override;

  private:
    // A cgroup that exists in name, and where to look for it.
    struct Target {
        const Hierarchies& hierarchies;
        std::string name;
    };
    [[nodiscard]] Result<const Hierarchies*> hierarchies();
    [[nodiscard]] Result<Target> target(const Locator& locator);
    [[nodiscard]] Result<Place> freezer(const Locator& locator, std::string_view verb);

    Host host_;
    std::optional<Hierarchies> hierarchies_;
};

} // namespace mydocker::cgroup_v1
