// What nearly every test includes, for the compiler to read once. A test includes what it needs all the same.
#pragma once

#include "mydocker/result.hpp"
#include "mydocker/support/files.hpp"
#include "support/engine_fixture.hpp"
#include "support/support.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>
