// What makes each verb; for the table in verbs.cpp.
#pragma once

#include "cli/verb.hpp"

#include <memory>

namespace mydocker::cli {

[[nodiscard]] std::unique_ptr<Verb> make_run();
[[nodiscard]] std::unique_ptr<Verb> make_create();
[[nodiscard]] std::unique_ptr<Verb> make_start();
[[nodiscard]] std::unique_ptr<Verb> make_attach();
[[nodiscard]] std::unique_ptr<Verb> make_exec();
[[nodiscard]] std::unique_ptr<Verb> make_stop();
[[nodiscard]] std::unique_ptr<Verb> make_restart();
[[nodiscard]] std::unique_ptr<Verb> make_kill();
[[nodiscard]] std::unique_ptr<Verb> make_wait();
[[nodiscard]] std::unique_ptr<Verb> make_rm();
[[nodiscard]] std::unique_ptr<Verb> make_pause();
[[nodiscard]] std::unique_ptr<Verb> make_unpause();
[[nodiscard]] std::unique_ptr<Verb> make_rename();
[[nodiscard]] std::unique_ptr<Verb> make_top();
[[nodiscard]] std::unique_ptr<Verb> make_stats();
[[nodiscard]] std::unique_ptr<Verb> make_update();
[[nodiscard]] std::unique_ptr<Verb> make_ps();
[[nodiscard]] std::unique_ptr<Verb> make_logs();
[[nodiscard]] std::unique_ptr<Verb> make_inspect();
[[nodiscard]] std::unique_ptr<Verb> make_container_inspect();
[[nodiscard]] std::unique_ptr<Verb> make_image_inspect();
[[nodiscard]] std::unique_ptr<Verb> make_diff();
[[nodiscard]] std::unique_ptr<Verb> make_export();
[[nodiscard]] std::unique_ptr<Verb> make_commit();
[[nodiscard]] std::unique_ptr<Verb> make_cp();
[[nodiscard]] std::unique_ptr<Verb> make_thaw();
[[nodiscard]] std::unique_ptr<Verb> make_images();
[[nodiscard]] std::unique_ptr<Verb> make_rmi();
[[nodiscard]] std::unique_ptr<Verb> make_import();
[[nodiscard]] std::unique_ptr<Verb> make_load();
[[nodiscard]] std::unique_ptr<Verb> make_volume_create();
[[nodiscard]] std::unique_ptr<Verb> make_volume_ls();
[[nodiscard]] std::unique_ptr<Verb> make_volume_rm();
[[nodiscard]] std::unique_ptr<Verb> make_volume_inspect();
[[nodiscard]] std::unique_ptr<Verb> make_volume_prune();
[[nodiscard]] std::unique_ptr<Verb> make_events();
[[nodiscard]] std::unique_ptr<Verb> make_container_prune();
[[nodiscard]] std::unique_ptr<Verb> make_image_prune();
[[nodiscard]] std::unique_ptr<Verb> make_system_prune();
[[nodiscard]] std::unique_ptr<Verb> make_system_df();
[[nodiscard]] std::unique_ptr<Verb> make_system_reset();
[[nodiscard]] std::unique_ptr<Verb> make_doctor();
[[nodiscard]] std::unique_ptr<Verb> make_info();
[[nodiscard]] std::unique_ptr<Verb> make_version();
[[nodiscard]] std::unique_ptr<Verb> make_system_check();
[[nodiscard]] std::unique_ptr<Verb> make_system_recover();
[[nodiscard]] std::unique_ptr<Verb> make_system_boot();
[[nodiscard]] std::unique_ptr<Verb> make_plugin_ls();
[[nodiscard]] std::unique_ptr<Verb> make_plugin_info();
[[nodiscard]] std::unique_ptr<Verb> make_config_show();
[[nodiscard]] std::unique_ptr<Verb> make_config_validate();
[[nodiscard]] std::unique_ptr<Verb> make_init();
[[nodiscard]] std::unique_ptr<Verb> make_finish();
[[nodiscard]] std::unique_ptr<Verb> make_completion();
[[nodiscard]] std::unique_ptr<Verb> make_complete();
[[nodiscard]] std::unique_ptr<Verb> make_man();
[[nodiscard]] std::unique_ptr<Verb> make_restarter();
[[nodiscard]] std::unique_ptr<Verb> make_health();

} // namespace mydocker::cli
