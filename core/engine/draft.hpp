// A container on paper: everything chosen and checked, nothing of it made.
#pragma once

#include "engine/default_image.hpp"
#include "engine/engine.hpp"
#include "engine/record.hpp"
#include "engine/request.hpp"
#include "engine/steps.hpp"
#include "mydocker/result.hpp"

#include <optional>
#include <string>

namespace mydocker::engine {

// What is known of a container before it exists.
struct Draft {
    Loaded container;
    Birth birth;
    std::optional<StandIn> stand_in; // the default image takes the place of one that is not there
};

// The image's layers are ready then and, if it is to run at once (`running` is not null), its monitor waits.
[[nodiscard]] Result<Draft> make_draft(Engine& engine, const CreateRequest& asked, const ContainerId& id,
                                       Running* running);

// The name that the user gave, or one made up.
[[nodiscard]] Result<ContainerName> choose_name(const std::string& wanted);

// Starts the monitor, when there is to be one, while there is still something else to do.
[[nodiscard]] Status start_ahead(Engine& engine, const ContainerRecord& record, Running* running);

} // namespace mydocker::engine
