// A storage driver that keeps nothing and says what it was told; also the one that throws.
#include "abi/echo.hpp"
#include "mydocker/export_storage_driver.hpp"

#include <array>
#include <new>
#include <stdexcept>

namespace {

using namespace mydocker;

constexpr std::array<OptionSpec, 7> kOptions{{
    {"truth", OptionType::boolean, "true", "a boolean"},
    {"count", OptionType::integer, "-3", "an integer"},
    {"ratio", OptionType::floating, "0.5", "a number"},
    {"word", OptionType::string, "a b", "a string"},
    {"words", OptionType::list, "a,b", "a list"},
    {"bytes", OptionType::size, "10m", "a size"},
    {"time", OptionType::duration, "1m30s", "a duration"},
}};

class Echo final : public StorageDriver {
  public:
    static Result<std::unique_ptr<StorageDriver>> open(Host host) {
        host.log(LogLevel::info, "hello\nworld");
        return std::unique_ptr<StorageDriver>(new Echo(std::move(host)));
    }

    [[nodiscard]] Result<StorageTraits> probe() override {
        return StorageTraits{Whiteouts::aufs, 42, true, false, true};
    }
    // What the host said of itself.
    [[nodiscard]] Result<std::string> create_layer(const LayerId& id, LayerChain below) override {
        return fail(Code::exists,
                    echo::join(id, std::vector<LayerId>(below.begin(), below.end()), host_.data_dir(),
                               host_.run_dir()) +
                        echo::to_text(host_.options()) + (host_.cancelled() ? "cancelled" : "going on"),
                    EEXIST);
    }
    [[nodiscard]] Result<Usage> seal_layer(const LayerId&) override { return Usage{7, 8}; }
    // Its id says how to fail.
    [[nodiscard]] Status remove_layer(const LayerId& id) override {
        if (id.str() == "exception") throw std::runtime_error("a runtime error");
        if (id.str() == "bad_alloc") throw std::bad_alloc();
        if (id.str() == "int") throw 42;
        if (id.str() == "long") return fail(Code::io, "begin " + std::string(5000, 'x') + ": the cause", EIO);
        return {};
    }
    [[nodiscard]] Status create_rw(const RwId& id, LayerChain below, const RwOptions& options) override {
        return fail(Code::conflict, echo::join(id.str(), std::vector<LayerId>(below.begin(), below.end())) +
                                        echo::to_text(options));
    }
    [[nodiscard]] Result<std::vector<Mount>> mounts(const RwId&, Access access) override {
        if (access == Access::read_only) return fail(Code::denied, "read only");
        return echo::some_mounts();
    }
    [[nodiscard]] Status changes(const RwId&, const ChangeVisitor& visit) override {
        if (auto done = visit({ChangeKind::added, "/a", "/upper/a", false}); !done) return done;
        if (auto done = visit({ChangeKind::modified, "/b", "/upper/b", true}); !done) return done;
        return visit({ChangeKind::removed, "/c", "", false});
    }
    [[nodiscard]] Result<Usage> usage(const RwId&) override { return Usage{9, 10}; }
    [[nodiscard]] Status remove_rw(const RwId&) override { return {}; }
    [[nodiscard]] Status list(const StorageObjectVisitor& visit) override {
        return visit({StorageObjectKind::rw, "0123"});
    }
    [[nodiscard]] Result<std::uint64_t> sweep() override { return std::uint64_t{1} << 40U; }

  private:
    explicit Echo(Host host) : host_(std::move(host)) {}
    Host host_;
};

} // namespace

MYDOCKER_EXPORT_STORAGE_DRIVER(Echo, "echo", "1.0.0", "says what it was told", kOptions);
