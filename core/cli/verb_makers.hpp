// What makes each verb; for the table in verbs.cpp.
#pragma once

#include "cli/verb.hpp"

#include <memory>

namespace mydocker::cli {

[[nodiscard]] std::unique_ptr<Verb> make_run();
[[nodiscard]] std::unique_ptr<Verb> make_create();
[[nodiscard]] std::unique_ptr<Verb> make_start();
[[nodiscard]] std::unique_ptr<Verb> make_stop();
[[nodiscard]] std::unique_ptr<Verb> make_kill();
[[nodiscard]] std::unique_ptr<Verb> make_wait();
[[nodiscard]] std::unique_ptr<Verb> make_rm();
[[nodiscard]] std::unique_ptr<Verb> make_ps();
[[nodiscard]] std::unique_ptr<Verb> make_logs();
[[nodiscard]] std::unique_ptr<Verb> make_inspect();
[[nodiscard]] std::unique_ptr<Verb> make_images();
[[nodiscard]] std::unique_ptr<Verb> make_rmi();
[[nodiscard]] std::unique_ptr<Verb> make_import();
[[nodiscard]] std::unique_ptr<Verb> make_load();
[[nodiscard]] std::unique_ptr<Verb> make_info();
[[nodiscard]] std::unique_ptr<Verb> make_version();
[[nodiscard]] std::unique_ptr<Verb> make_system_check();
[[nodiscard]] std::unique_ptr<Verb> make_system_recover();
[[nodiscard]] std::unique_ptr<Verb> make_plugin_ls();
[[nodiscard]] std::unique_ptr<Verb> make_plugin_info();
[[nodiscard]] std::unique_ptr<Verb> make_config_show();
[[nodiscard]] std::unique_ptr<Verb> make_config_validate();
[[nodiscard]] std::unique_ptr<Verb> make_init();
[[nodiscard]] std::unique_ptr<Verb> make_finish();

} // namespace mydocker::cli
