// Runs a seccomp program on one call, without a kernel: the instructions of classic BPF that such programs
// use. Throws what a kernel would refuse to load. Source: Linux, Documentation/networking/filter.rst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <span>
#include <stdexcept>

namespace mydocker::test {

// The action that the program returns for the call.
[[nodiscard]] inline std::uint32_t run_filter(std::span<const sock_filter> program,
                                              const seccomp_data& call) {
    std::uint32_t accumulator = 0;
    for (std::size_t at = 0; at < program.size(); ++at) {
        const sock_filter& step = program[at];
        bool taken = false;
        switch (step.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (step.k % sizeof accumulator != 0 || step.k + sizeof accumulator > sizeof call)
                throw std::runtime_error("load outside of seccomp_data");
            std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + step.k, sizeof accumulator);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= step.k;
            continue;
        case BPF_RET | BPF_K:
            return step.k;
        case BPF_JMP | BPF_JA:
            at += step.k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            taken = accumulator == step.k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            taken = accumulator >= step.k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            taken = accumulator > step.k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            taken = (accumulator & step.k) != 0;
            break;
        default:
            throw std::runtime_error("instruction that is not used here");
        }
        at += taken ? step.jt : step.jf;
    }
    throw std::runtime_error("fell off the end");
}

} // namespace mydocker::test
