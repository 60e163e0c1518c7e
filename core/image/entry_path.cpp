#include "image/entry_path.hpp"

namespace mydocker::image {

Result<std::string> normalise_entry_path(std::string_view path) {
    if (path.find('\0') != std::string_view::npos) return fail(Code::invalid, "has a NUL byte in it");
    std::string clean;
    while (!path.empty()) {
        const auto slash = path.find('/');
        const std::string_view part = path.substr(0, slash);
        path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
        if (part.empty() || part == ".") continue;
        if (part == "..") {
            if (clean.empty()) return fail(Code::invalid, "leaves the image");
            const auto cut = clean.rfind('/');
            clean.resize(cut == std::string::npos ? 0 : cut);
            continue;
        }
        if (part.size() > kMaxComponentBytes) return fail(Code::invalid, "has a name of more than 255 bytes");
        if (!clean.empty()) clean += '/';
        clean += part;
        if (clean.size() > kMaxPathBytes) return fail(Code::invalid, "is longer than 4095 bytes");
    }
    return clean;
}

std::string shown(std::string_view bytes) {
    constexpr std::size_t kLongest = 200;
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text = "'";
    const auto add = [&](std::string_view part) {
        for (const char c : part) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte >= 0x20 && byte < 0x7f) {
                text += c;
            } else {
                text += "\\x";
                text += kDigits[byte >> 4U];
                text += kDigits[byte & 0xfU];
            }
        }
    };
    if (bytes.size() <= kLongest) {
        add(bytes);
    } else {
        add(bytes.substr(0, kLongest / 2));
        text += "...";
        add(bytes.substr(bytes.size() - kLongest / 2));
    }
    return text + "'";
}

PathParts split_path(std::string_view path) {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return {{}, path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

} // namespace mydocker::image
