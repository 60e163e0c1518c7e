// What the conformance suites are run over: drivers, seen through their face alone. main.cpp loads
// them from the plugin files on its command line; no suite knows a driver's name.
#pragma once

#include "mydocker/cgroup_backend.hpp"
#include "mydocker/log_sink.hpp"
#include "mydocker/state_store.hpp"
#include "mydocker/storage_driver.hpp"

#include <cctype>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace mydocker::conformance {

// Directories and options for one instance. Several instances over the same directories stand for
// several processes using the driver.
struct Setting {
    std::string data_dir;
    std::string run_dir;
    std::map<std::string, std::string> options; // as text, checked against the driver's specs
};

// One driver under test.
template <class Driver>
struct Subject {
    std::string name; // "overlayfs"; for test names only
    std::function<Result<std::unique_ptr<Driver>>(const Setting&)> open;
};

template <class Driver>
std::ostream& operator<<(std::ostream& out, const Subject<Driver>& subject) {
    return out << subject.name;
}

// The drivers given on the command line, by kind; filled before InitGoogleTest.
template <class Driver>
std::vector<Subject<Driver>>& subjects() {
    static std::vector<Subject<Driver>> list;
    return list;
}

// The name of a test instance: letters, digits and '_' only, as GoogleTest wants it.
struct SubjectName {
    template <class Parameter>
    std::string operator()(const Parameter& info) const {
        std::string name = info.param.name;
        for (char& c : name)
            if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
        return name;
    }
};

} // namespace mydocker::conformance
