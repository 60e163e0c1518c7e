// What an image asks for, as plain values. All of it was written by strangers. Source: OCI
// image-spec, config.md.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mydocker::image {

struct HistoryEntry {
    std::string created;
    std::string created_by;
    std::string comment;
    bool empty_layer = false;
};

struct ImageConfig {
    std::string architecture; // GOARCH: "amd64"
    std::string os;
    std::string variant;
    std::string created; // RFC 3339, as written
    std::vector<std::string> env;
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::string user;
    std::string working_dir;
    std::string stop_signal;
    std::vector<std::pair<std::string, std::string>> labels; // never in our own name space
    std::vector<std::string> volumes;
    std::vector<std::string> exposed_ports;
    std::string healthcheck; // JSON, as written; empty: none
    std::vector<HistoryEntry> history;
};

} // namespace mydocker::image
