// From ranges of numbers to a binary tree of comparisons:
//
//   load number ── ≥ 170? ── ≥ 250? ── … ── return
//                        └── …
//
// A comparison for each call would be four times as long, and take the kernel four times as long to load.
#include "runtime/seccomp_bpf.hpp"

#include <bit>
#include <cassert>

namespace mydocker::runtime::bpf {
namespace {

static_assert(std::endian::native == std::endian::little, "the lower half of an argument comes first");

constexpr std::size_t kLongestJump = 255;

// A binary search over ranges, then one piece of code for each fate among them. Jumps go forward only, and
// no further than kLongestJump.
class Block {
  public:
    Block(std::span<const Range> ranges, std::span<const Program> fates)
        : fates_(fates),
          exits_(fates.size()) {
        if (ranges.size() == 1) {
            program_ = fates[ranges.front().fate];
            return;
        }
        add_node(ranges);
        for (std::size_t fate = 0; fate < exits_.size(); ++fate)
            add_exit(fate);
        assert(program_.size() <= kLongestJump);
    }
    [[nodiscard]] const Program& program() const { return program_; }

  private:
    enum class Side { below, from }; // of a comparison
    struct Jump {
        std::size_t at = 0;
        Side side = Side::below;
    };

    // NOLINTNEXTLINE(misc-no-recursion): as deep as the logarithm of the number of ranges.
    void add_node(std::span<const Range> ranges) {
        const std::size_t middle = ranges.size() / 2;
        const std::size_t at = program_.size();
        program_.push_back(jump(BPF_JGE, ranges[middle].first, 0, 0));
        add_side({at, Side::below}, ranges.first(middle));
        add_side({at, Side::from}, ranges.subspan(middle));
    }
    // NOLINTNEXTLINE(misc-no-recursion)
    void add_side(Jump from, std::span<const Range> ranges) {
        if (ranges.size() == 1) {
            exits_[ranges.front().fate].push_back(from);
        } else {
            land(from);
            add_node(ranges);
        }
    }
    void add_exit(std::size_t fate) {
        if (exits_[fate].empty()) return;
        for (const Jump& from : exits_[fate])
            land(from);
        append(program_, fates_[fate]);
    }
    // The next instruction is where the jump goes.
    void land(Jump from) {
        const auto distance = static_cast<std::uint8_t>(program_.size() - from.at - 1);
        sock_filter& comparison = program_[from.at];
        (from.side == Side::below ? comparison.jf : comparison.jt) = distance;
    }

    std::span<const Program> fates_;
    Program program_;
    std::vector<std::vector<Jump>> exits_; // by fate
};

// Whether every jump within a block of these is short enough.
bool fits(std::span<const Range> ranges, std::span<const Program> fates) {
    if (ranges.size() == 1) return true;
    std::vector<bool> seen(fates.size());
    std::size_t size = ranges.size() - 1;
    for (const Range& range : ranges) {
        if (!seen[range.fate]) size += fates[range.fate].size();
        seen[range.fate] = true;
    }
    return size <= kLongestJump;
}

} // namespace

sock_filter load(std::uint32_t offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}

sock_filter mask(std::uint32_t bits) {
    return BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits);
}

sock_filter give(std::uint32_t action) {
    return BPF_STMT(BPF_RET | BPF_K, action);
}

sock_filter allow() {
    return give(SECCOMP_RET_ALLOW);
}

sock_filter refuse(int error) {
    return give(SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA));
}

sock_filter jump(std::uint16_t condition, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
    assert(if_true <= kLongestJump && if_false <= kLongestJump);
    return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K), value,
                    static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_false));
}

sock_filter skip(std::size_t count) {
    return BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(count));
}

void append(Program& program, const Program& more) {
    program.insert(program.end(), more.begin(), more.end());
}

void add_range(std::vector<Range>& ranges, std::uint32_t first, std::size_t fate) {
    if (!ranges.empty() && ranges.back().fate == fate) return;
    if (!ranges.empty() && ranges.back().first == first) ranges.pop_back();
    if (ranges.empty() || ranges.back().fate != fate) ranges.push_back({first, fate});
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the logarithm of the number of ranges.
Program search(std::span<const Range> ranges, std::span<const Program> fates) {
    if (fits(ranges, fates)) return Block(ranges, fates).program();
    const std::size_t middle = ranges.size() / 2;
    const Program below = search(ranges.first(middle), fates);
    Program program{jump(BPF_JGE, ranges[middle].first, 0, 1), skip(below.size())};
    append(program, below);
    append(program, search(ranges.subspan(middle), fates));
    return program;
}

} // namespace mydocker::runtime::bpf
