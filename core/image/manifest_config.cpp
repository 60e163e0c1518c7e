// The image configuration document: parsed with limits, and written for images of our own making.
#include "base/json.hpp"
#include "image/config_asked.hpp"
#include "image/entry_path.hpp"
#include "image/manifest.hpp"

#include <algorithm>
#include <optional>

namespace mydocker::image {

namespace {

// Labels under these names are ours to set; an image's word for them must have no effect.
constexpr std::string_view kReservedLabels[] = {"io.mydocker.", "mydocker."};
constexpr std::size_t kMaxItems = 100'000;

std::unexpected<Error> wrong_member(std::string_view key, std::string_view what) {
    return fail(Code::corrupt, "member '" + std::string(key) + "' " + std::string(what));
}

// Reads members; remembers the first complaint, so that a list of reads stays a list.
class Members {
  public:
    explicit Members(const json::Value& object) : object_(object) {}

    [[nodiscard]] const json::Value* find(std::string_view key) const {
        const json::Value* value = object_.find(key);
        return value != nullptr && !value->is_null() ? value : nullptr;
    }
    void text(std::string_view key, std::string& to) {
        const json::Value* value = find(key);
        if (value == nullptr) return;
        const std::string* string = value->if_string();
        if (string == nullptr) return complain(key, "is no text");
        if (string->find('\0') != std::string::npos) return complain(key, "holds a NUL byte");
        to = *string;
    }
    void texts(std::string_view key, std::vector<std::string>& to) {
        const json::Value* value = find(key);
        if (value == nullptr) return;
        const json::Array* list = value->if_array();
        if (list == nullptr || list->size() > kMaxItems) return complain(key, "is no list of texts");
        for (const json::Value& item : *list) {
            const std::string* string = item.if_string();
            if (string == nullptr) return complain(key, "holds something that is no text");
            if (string->find('\0') != std::string::npos) return complain(key, "holds a NUL byte");
            to.push_back(*string);
        }
    }
    // The keys of an object: how volumes and ports are written.
    void keys(std::string_view key, std::vector<std::string>& to) {
        const json::Value* value = find(key);
        if (value == nullptr) return;
        const json::Object* members = value->if_object();
        if (members == nullptr) return complain(key, "is no object");
        for (const auto& [name, ignored] : *members)
            to.push_back(name);
    }
    void complain(std::string_view key, std::string_view what) {
        if (!error_) error_ = wrong_member(key, what).error();
    }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  private:
    const json::Value& object_;
    std::optional<Error> error_;
};

Status read_labels(Members& members, ConfigDocument& document) {
    const json::Value* value = members.find("Labels");
    if (value == nullptr) return {};
    const json::Object* labels = value->if_object();
    if (labels == nullptr) return wrong_member("Labels", "is no object");
    for (const auto& [key, item] : *labels) {
        const std::string* text = item.if_string();
        if (text == nullptr) return wrong_member("Labels", "holds something that is no text");
        const std::string& name = key;
        const bool reserved = std::ranges::any_of(
            kReservedLabels, [&](std::string_view prefix) { return name.starts_with(prefix); });
        if (reserved) {
            document.notes.push_back("label " + shown(key) + " is reserved for mydocker: ignored");
        } else {
            document.config.labels.emplace_back(key, *text);
        }
    }
    return {};
}

Status read_asked(const json::Value& root, ConfigDocument& document) {
    const json::Value* asked = root.find("config");
    if (asked == nullptr || asked->is_null()) return {};
    if (asked->if_object() == nullptr) return wrong_member("config", "is no object");
    Members members(*asked);
    ImageConfig& config = document.config;
    members.texts("Env", config.env);
    members.texts("Entrypoint", config.entrypoint);
    members.texts("Cmd", config.cmd);
    members.text("User", config.user);
    members.text("WorkingDir", config.working_dir);
    members.text("StopSignal", config.stop_signal);
    members.keys("Volumes", config.volumes);
    members.keys("ExposedPorts", config.exposed_ports);
    if (const json::Value* health = members.find("Healthcheck")) config.healthcheck = json::dump(*health);
    if (auto read = read_labels(members, document); !read) return read;
    if (members.error()) return std::unexpected<Error>(*members.error());
    return {};
}

Status read_history(const json::Value& root, ConfigDocument& document) {
    const json::Value* value = root.find("history");
    if (value == nullptr || value->is_null()) return {};
    const json::Array* list = value->if_array();
    if (list == nullptr || list->size() > kMaxItems) return wrong_member("history", "is no list");
    std::size_t with_layer = 0;
    for (const json::Value& item : *list) {
        HistoryEntry entry;
        Members members(item);
        members.text("created", entry.created);
        members.text("created_by", entry.created_by);
        members.text("comment", entry.comment);
        if (const json::Value* empty = item.find("empty_layer"))
            entry.empty_layer = empty->if_bool() != nullptr && *empty->if_bool();
        if (members.error()) return fail(*members.error(), "history");
        if (!entry.empty_layer) ++with_layer;
        document.config.history.push_back(std::move(entry));
    }
    if (with_layer != document.diff_ids.size() && with_layer != 0)
        document.notes.push_back("history tells of " + std::to_string(with_layer) + " layers, there are " +
                                 std::to_string(document.diff_ids.size()) + ": ignored");
    return {};
}

Status read_diff_ids(const json::Value& root, ConfigDocument& document) {
    const json::Value* rootfs = root.find("rootfs");
    const json::Value* ids = rootfs != nullptr ? rootfs->find("diff_ids") : nullptr;
    const json::Array* list = ids != nullptr ? ids->if_array() : nullptr;
    if (list == nullptr) return wrong_member("rootfs.diff_ids", "is no list");
    if (list->size() > kMaxLayers)
        return fail(Code::invalid, "has " + std::to_string(list->size()) + " layers, more than " +
                                       std::to_string(kMaxLayers));
    for (const json::Value& item : *list) {
        const std::string* text = item.if_string();
        if (text == nullptr) return wrong_member("rootfs.diff_ids", "holds something that is no text");
        auto digest = Digest::parse(*text);
        if (!digest) return fail(Code::corrupt, "rootfs.diff_ids: " + digest.error().text);
        document.diff_ids.push_back(std::move(*digest));
    }
    return {};
}

json::Value to_list(const std::vector<std::string>& items) {
    json::Value list{json::Array{}};
    for (const std::string& item : items)
        list.push(item);
    return list;
}

json::Value to_keys(const std::vector<std::string>& items) {
    json::Value object{json::Object{}};
    for (const std::string& item : items)
        object.set(item, json::Object{});
    return object;
}

} // namespace

Result<ConfigDocument> parse_config(std::string_view text) {
    auto root = json::parse(text, {.bytes = static_cast<std::size_t>(kMaxConfigBytes), .depth = 32});
    if (!root) return fail(root);
    if (root->if_object() == nullptr) return fail(Code::corrupt, "is no JSON object");
    ConfigDocument document;
    Members members(*root);
    members.text("architecture", document.config.architecture);
    members.text("os", document.config.os);
    members.text("variant", document.config.variant);
    members.text("created", document.config.created);
    if (members.error()) return std::unexpected<Error>(*members.error());
    if (!document.config.os.empty() && document.config.os != "linux")
        return fail(Code::unsupported, "is an image for " + shown(document.config.os) + ", not for linux");
    if (auto read = read_diff_ids(*root, document); !read) return fail(read);
    if (auto read = read_asked(*root, document); !read) return fail(read);
    if (auto read = read_history(*root, document); !read) return fail(read);
    return document;
}

json::Value asked_json(const ImageConfig& config) {
    json::Value asked{json::Object{}};
    if (!config.user.empty()) asked.set("User", config.user);
    if (!config.exposed_ports.empty()) asked.set("ExposedPorts", to_keys(config.exposed_ports));
    if (!config.env.empty()) asked.set("Env", to_list(config.env));
    if (!config.entrypoint.empty()) asked.set("Entrypoint", to_list(config.entrypoint));
    if (!config.cmd.empty()) asked.set("Cmd", to_list(config.cmd));
    if (!config.volumes.empty()) asked.set("Volumes", to_keys(config.volumes));
    if (!config.working_dir.empty()) asked.set("WorkingDir", config.working_dir);
    if (!config.stop_signal.empty()) asked.set("StopSignal", config.stop_signal);
    if (!config.labels.empty()) {
        json::Value labels{json::Object{}};
        for (const auto& [key, value] : config.labels)
            labels.set(key, value);
        asked.set("Labels", std::move(labels));
    }
    if (!config.healthcheck.empty())
        if (auto check = json::parse(config.healthcheck)) asked.set("Healthcheck", std::move(*check));
    return asked;
}

std::string to_json(const ImageConfig& config, const std::vector<Digest>& diff_ids) {
    json::Value root;
    if (!config.created.empty()) root.set("created", config.created);
    root.set("architecture", config.architecture);
    root.set("os", config.os);
    if (!config.variant.empty()) root.set("variant", config.variant);
    root.set("config", asked_json(config));
    json::Value ids{json::Array{}};
    for (const Digest& id : diff_ids)
        ids.push(id.str());
    json::Value rootfs;
    rootfs.set("type", "layers");
    rootfs.set("diff_ids", std::move(ids));
    root.set("rootfs", std::move(rootfs));
    json::Value history{json::Array{}};
    for (const HistoryEntry& entry : config.history) {
        json::Value item{json::Object{}};
        if (!entry.created.empty()) item.set("created", entry.created);
        if (!entry.created_by.empty()) item.set("created_by", entry.created_by);
        if (!entry.comment.empty()) item.set("comment", entry.comment);
        if (entry.empty_layer) item.set("empty_layer", true);
        history.push(std::move(item));
    }
    root.set("history", std::move(history));
    return json::dump(root);
}

} // namespace mydocker::image
