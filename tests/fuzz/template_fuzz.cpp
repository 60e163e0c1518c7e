// Any bytes as a template: no crash, and what is accepted runs over a value or says why not.
#include "cli/template.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace mydocker;
    // One element a list: nested ranges must not take for ever.
    static const auto kValue =
        json::parse(R"({"A":"text","B":[1],"C":{"D":true,"E":null},"Labels":{"k":"v"},"N":-7,"F":0.5})");
    const auto parsed = cli::Template::parse(std::string_view(reinterpret_cast<const char*>(data), size));
    if (parsed && kValue) (void)parsed->run(*kValue);
    return 0;
}
