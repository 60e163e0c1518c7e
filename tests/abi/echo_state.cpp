// A state store that keeps nothing and says what it was told.
#include "abi/echo.hpp"
#include "mydocker/export_state_store.hpp"

#include <array>

namespace {

using namespace mydocker;

constexpr std::array<OptionSpec, 0> kOptions{};

class Echo final : public StateStore {
  public:
    static Result<std::unique_ptr<StateStore>> open(Host) {
        return std::unique_ptr<StateStore>(std::make_unique<Echo>());
    }

    [[nodiscard]] Result<StateTraits> probe() override { return StateTraits{true}; }
    [[nodiscard]] Result<Revision> reserve(const ContainerId& id, const ContainerName& name,
                                           std::string_view document) override {
        return fail(Code::exists, id.str() + name.str() + std::string(document));
    }
    [[nodiscard]] Result<StoredRecord> load(const ContainerId& id) override {
        if (id.str() == "other") return StoredRecord{ContainerId("abc"), ContainerName("n"), 1, "{}"};
        if (id.str() == "large") return StoredRecord{id, ContainerName("n"), 1, std::string(2U << 20U, 'x')};
        return StoredRecord{id, ContainerName("web"), 77, std::string("a\0b", 3)};
    }
    [[nodiscard]] Result<ContainerId> resolve(std::string_view name_or_prefix) override {
        return ContainerId("id-of-" + std::string(name_or_prefix));
    }
    [[nodiscard]] Result<Revision> save(const ContainerId& id, std::string_view document,
                                        Revision expected) override {
        if (id.str() == "zero") return Revision{0};
        return expected + document.size();
    }
    [[nodiscard]] Result<Revision> rename(const ContainerId&, const ContainerName& name) override {
        return name.str().size();
    }
    [[nodiscard]] Status remove(const ContainerId&, Revision expected) override {
        return fail(Code::conflict, std::to_string(expected));
    }
    [[nodiscard]] Status list(const RecordVisitor& visit) override {
        const StoredRecord good{ContainerId("a"), ContainerName("web"), 5, "doc"};
        if (auto done = visit({good.id, good}); !done) return done;
        return visit({ContainerId("b"), fail(Code::corrupt, "record 'b' is damaged at byte 117", EIO)});
    }
};

} // namespace

MYDOCKER_EXPORT_STATE_STORE(Echo, "echo", "1.0.0", "says what it was told", kOptions);
