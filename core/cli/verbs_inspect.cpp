// inspect, container inspect, image inspect, volume inspect.
#include "cli/documents.hpp"
#include "cli/listing.hpp"
#include "cli/verb_makers.hpp"
#include "engine/lifecycle.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace mydocker::cli {
namespace {

enum class Type { any, container, image, volume };

std::optional<Type> parse_type(const std::string& text) {
    if (text.empty()) return Type::any;
    if (text == "container") return Type::container;
    if (text == "image") return Type::image;
    if (text == "volume") return Type::volume;
    return std::nullopt;
}

class Inspect final : public Verb {
  public:
    Inspect(std::string_view name, Type type) : name_(name), type_(type) {}

    void declare(FlagSet& app) override {
        app.add_option("-f,--format", format_, "json, or a template: '{{.State.Status}}'");
        if (type_ == Type::any)
            app.add_option("--type", type_text_, "container, image or volume")
                ->takes("container|image|volume");
        if (type_ == Type::any || type_ == Type::container)
            app.add_flag("-s,--size", size_, "of containers also what they have written");
    }

    Result<int> run(Session& session, const std::vector<std::string>& operands) override {
        if (operands.empty()) return usage("needs a name or an id");
        if (type_ == Type::any) {
            const auto type = parse_type(type_text_);
            if (!type)
                return usage(
                    fmt::format("type: '{}' is unknown; there are: container, image, volume", type_text_));
            type_ = *type;
        }
        // What is no template is said before anything is looked up.
        if (!format_.empty() && format_ != "json")
            if (auto parsed = Template::parse(format_); !parsed) return format_error(parsed.error());
        session.tolerate_broken_config();
        auto engine = session.engine();
        if (!engine) return fail(engine);
        json::Value found{json::Array{}};
        int code = kOk;
        for (const std::string& name : operands) {
            auto document = find(**engine, name);
            if (document) {
                found.push(std::move(*document));
                continue;
            }
            session.diagnostics().error(fmt::format("{}: {}", name_, describe(document.error())));
            code = std::max(code, session.exit_code_of(document.error()));
        }
        auto text = text_of(found);
        if (!text) return fail(text);
        print(*text);
        return code;
    }

  private:
    [[nodiscard]] Result<std::string> text_of(const json::Value& found) const {
        if (format_.empty()) return json::dump(found, json::Style::indented) + "\n";
        if (format_ == "json") return json::dump(found) + "\n";
        std::string text;
        for (const json::Value& document : *found.if_array()) {
            auto one = format_value(format_, document, kDocumentMaps);
            if (!one) return one;
            text += *one;
        }
        return text;
    }

    // A container before an image before a volume, as docker.
    Result<json::Value> find(engine::Engine& engine, const std::string& name) {
        switch (type_) {
        case Type::container:
            return find_container(engine, name);
        case Type::image:
            return find_image(engine, name);
        case Type::volume:
            return find_volume(engine, name);
        case Type::any:
            break;
        }
        // A store that is not there must not look like a name that is not.
        if (auto store = engine.state(); !store) return fail(store);
        // What cannot be a container's name may be an image's; a record that is damaged is told of.
        if (paths::parse_name(name)) {
            auto container = find_container(engine, name);
            if (container || container.error().code != Code::not_found) return container;
        }
        for (auto one : {&Inspect::find_image, &Inspect::find_volume}) {
            auto found = (this->*one)(engine, name);
            if (found || (found.error().code != Code::not_found && found.error().code != Code::invalid))
                return found;
        }
        return fail(Code::not_found, fmt::format("no container, image or volume '{}'", name));
    }

    Result<json::Value> find_container(engine::Engine& engine, const std::string& name) {
        auto container = engine::find_settled(engine, name);
        if (!container) return fail(container);
        return container_document(engine, container->record, size_ ? Sizes::yes : Sizes::no);
    }

    Result<json::Value> find_image(engine::Engine& engine, const std::string& name) {
        auto store = engine.images();
        if (!store) return fail(store);
        auto image = (*store)->find(name);
        if (!image) return fail(image);
        return image_document(*image);
    }

    Result<json::Value> find_volume(engine::Engine& engine, const std::string& name) {
        auto volume = engine::load_volume(engine.roots(), name);
        if (!volume) return fail(volume);
        return volume_document(engine.roots(), *volume);
    }

    std::string_view name_;
    Type type_;
    std::string type_text_;
    std::string format_;
    bool size_ = false;
};

} // namespace

std::unique_ptr<Verb> make_inspect() {
    return std::make_unique<Inspect>("inspect", Type::any);
}
std::unique_ptr<Verb> make_container_inspect() {
    return std::make_unique<Inspect>("container inspect", Type::container);
}
std::unique_ptr<Verb> make_image_inspect() {
    return std::make_unique<Inspect>("image inspect", Type::image);
}
std::unique_ptr<Verb> make_volume_inspect() {
    return std::make_unique<Inspect>("volume inspect", Type::volume);
}

} // namespace mydocker::cli
