// Any bytes as an image name: no crash, and a name that is accepted survives being written and read.
#include "image/reference.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace mydocker::image;
    const auto reference = parse_reference(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!reference) return 0;
    const auto again = parse_reference(reference->familiar());
    if (!again || *again != *reference) std::abort();
    return 0;
}
