// A cgroup backend that keeps nothing and says what it was told.
#include "abi/echo.hpp"
#include "mydocker/export_cgroup_backend.hpp"

#include <array>

namespace {

using namespace mydocker;

constexpr std::array<OptionSpec, 0> kOptions{};

class Echo final : public CgroupBackend {
  public:
    static Result<std::unique_ptr<CgroupBackend>> open(Host) {
        return std::unique_ptr<CgroupBackend>(std::make_unique<Echo>());
    }

    [[nodiscard]] Result<CgroupTraits> probe() override {
        return CgroupTraits{true, {"memory", "pids"}, echo::some_mounts()};
    }
    [[nodiscard]] Result<Locator> locate(const CgroupName& name) override {
        return Locator("at:" + name.str());
    }
    [[nodiscard]] Status create(const Locator& locator, const Resources& resources) override {
        return fail(Code::conflict, locator.str() + " " + echo::to_text(resources));
    }
    // Two files to write to, or a directory.
    [[nodiscard]] Result<CgroupEntry> entry(const Locator& locator) override {
        CgroupEntry entry;
        if (locator.str() == "directory") {
            entry.directory.reset(::open("/", O_RDONLY | O_DIRECTORY)); // The engine sees to close-on-exec.
            return entry;
        }
        for (int i = 0; i < 2; ++i)
            entry.joins.emplace_back(::open("/dev/null", O_WRONLY | O_CLOEXEC));
        if (locator.str() == "both") entry.directory.reset(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        return entry;
    }
    [[nodiscard]] Status attach(const Locator&, pid_t pid) override {
        return fail(Code::not_found, std::to_string(pid));
    }
    [[nodiscard]] Status update(const Locator&, const Resources& resources) override {
        return fail(Code::conflict, echo::to_text(resources));
    }
    [[nodiscard]] Result<CgroupStats> stats(const Locator&) override { return echo::some_stats(); }
    [[nodiscard]] Status freeze(const Locator&) override { return {}; }
    [[nodiscard]] Status thaw(const Locator&) override { return {}; }
    [[nodiscard]] Status kill(const Locator&, int signal) override {
        return fail(Code::timeout, std::to_string(signal));
    }
    [[nodiscard]] Status processes(const Locator&, const ProcessVisitor& visit) override {
        for (const pid_t pid : {1, 4194304})
            if (auto done = visit(pid); !done) return done;
        return {};
    }
    [[nodiscard]] Result<UniqueFd> events(const Locator&) override {
        return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    [[nodiscard]] Status remove(const Locator&) override { return {}; }
    [[nodiscard]] Status list(std::string_view prefix, const LocatorVisitor& visit) override {
        return visit(Locator(std::string(prefix) + "/x"));
    }
};

} // namespace

MYDOCKER_EXPORT_CGROUP_BACKEND(Echo, "echo", "1.0.0", "says what it was told", kOptions);
