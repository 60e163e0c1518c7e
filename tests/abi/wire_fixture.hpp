// A PluginHost over copies of the fixture plugins.
#pragma once

#include "plugin/plugin_host.hpp"
#include "support/plugin_dir.hpp"
#include "support/support.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mydocker::test {

class Wire : public ::testing::Test {
  protected:
    void SetUp() override {
        if (auto why = missing(Need::root)) GTEST_SKIP() << *why;
        for (const char* file : {"storage-echo.so", "cgroup-echo.so", "log-echo.so", "state-echo.so",
                                 "storage-faulty.so", "log-c-lines.so", "log-c-newer.so"})
            (void)plugins_.add(file);
        host_ = std::make_unique<plugin::PluginHost>(
            plugins_.source(),
            [this](LogLevel level, std::string_view text) { logged_.emplace_back(level, text); });
    }

    [[nodiscard]] static plugin::OpenRequest request(const std::string& name, Options options = {}) {
        return {.name = name, .data_dir = "/data dir", .run_dir = "/run dir", .options = std::move(options)};
    }
    [[nodiscard]] std::unique_ptr<StorageDriver> faulty(const std::string& fault) {
        auto driver = host_->open_storage(request("faulty", text_option("fault", fault)));
        EXPECT_TRUE(driver) << describe(driver.error());
        return driver ? *std::move(driver) : nullptr;
    }
    template <class Driver>
    [[nodiscard]] std::unique_ptr<Driver> take(Result<std::unique_ptr<Driver>> driver) {
        EXPECT_TRUE(driver) << describe(driver.error());
        return driver ? *std::move(driver) : nullptr;
    }

    PluginDir plugins_;
    std::vector<std::pair<LogLevel, std::string>> logged_;
    std::unique_ptr<plugin::PluginHost> host_;
};

} // namespace mydocker::test
