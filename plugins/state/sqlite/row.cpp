#include "row.hpp"

#include "state/common/rules.hpp"

#include <bit>
#include <cstring>
#include <string>

namespace mydocker::sqlite_state {
namespace {

enum Column : int { kSequence, kId, kName, kRevision, kSum, kDocument };

// FNV-1a (draft-eastlake-fnv) over words of 64 bits instead of bytes, in the machine's order: the document of
// ten thousand records is summed in a few milliseconds. Each step can be undone, so that a single word that
// differs always shows.
class Sum {
  public:
    void add(std::string_view bytes) {
        add(bytes.size()); // A byte that moves from one value to the next shows.
        for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t)))
            add(word(bytes.substr(0, sizeof(std::uint64_t))));
        add(word(bytes));
    }
    void add(std::uint64_t value) {
        constexpr std::uint64_t kPrime = 0x100000001b3;
        constexpr int kHalf = 32; // What a multiplication leaves in the upper half reaches the lower one.
        sum_ = std::rotl((sum_ ^ value) * kPrime, kHalf);
    }
    [[nodiscard]] std::uint64_t value() const { return sum_; }

  private:
    [[nodiscard]] static std::uint64_t word(std::string_view bytes) {
        std::uint64_t value = 0;
        if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
        return value;
    }

    std::uint64_t sum_ = 0xcbf29ce484222325;
};

[[nodiscard]] std::unexpected<Error> row_damaged(const std::string& which, const std::string& what) {
    return fail(Code::corrupt, "container " + which + ": record damaged (" + what + ")");
}

} // namespace

std::int64_t sum_of(std::int64_t sequence, const ContainerId& id, const ContainerName& name,
                    Revision revision, std::string_view document) {
    Sum sum;
    sum.add(static_cast<std::uint64_t>(sequence));
    sum.add(id.str());
    sum.add(name.str());
    sum.add(revision);
    sum.add(document);
    return static_cast<std::int64_t>(sum.value());
}

std::int64_t sequence_of(const Statement& statement) {
    return statement.integer(kSequence);
}

ContainerId id_of(const Statement& statement) {
    const std::string_view text = statement.text(kId);
    return state::is_id(text) ? ContainerId(text) : ContainerId();
}

std::unexpected<Error> no_id(std::int64_t sequence) {
    return row_damaged("number " + std::to_string(sequence), "its id is none");
}

Result<Row> read_row(const Statement& statement) {
    Row row{.sequence = sequence_of(statement), .record = {}};
    StoredRecord& record = row.record;
    record.id = id_of(statement);
    if (record.id.empty()) return no_id(row.sequence);
    const std::string_view name = statement.text(kName);
    if (!state::is_name(name)) return row_damaged(state::short_id(record.id), "its name is none");
    record.name = ContainerName(name);
    record.revision = static_cast<Revision>(statement.integer(kRevision));
    const std::string_view document = statement.blob(kDocument);
    const std::int64_t sum = sum_of(row.sequence, record.id, record.name, record.revision, document);
    if (sum != statement.integer(kSum))
        return row_damaged(state::short_id(record.id), "the sum does not fit the content");
    if (record.revision == kAnyRevision)
        return row_damaged(state::short_id(record.id), "there is no revision 0");
    record.document = document;
    return row;
}

} // namespace mydocker::sqlite_state
