# The plugins that the tests load: good, foreign and broken ones. Include this file in the directory of
# the tests; the plugins come to lie in MYDOCKER_FIXTURE_DIR (given to the tests under that name).
set(MYDOCKER_FIXTURE_DIR "${CMAKE_BINARY_DIR}/fixtures/plugins")
set(MYDOCKER_FIXTURE_SOURCES "${CMAKE_CURRENT_LIST_DIR}")

function(mydocker_add_fixture kind name source)
    set(MYDOCKER_PLUGIN_OUTPUT_DIR "${MYDOCKER_FIXTURE_DIR}")
    mydocker_add_plugin(${kind} ${name} NO_INSTALL SOURCES "${MYDOCKER_FIXTURE_SOURCES}/${source}")
    target_include_directories(plugin_${kind}_${name} PRIVATE "${MYDOCKER_FIXTURE_SOURCES}/..")
    target_compile_definitions(plugin_${kind}_${name} PRIVATE "DRIVER_NAME=\"${name}\"" ${ARGN})
    if(MYDOCKER_SANITIZE AND source STREQUAL "faulty_driver.c") # It is to die of its faults by itself.
        target_compile_options(plugin_${kind}_${name} PRIVATE -fno-sanitize=all)
    endif()
    # The wire is strict C11: no extension may creep in.
    target_compile_options(plugin_${kind}_${name} PRIVATE
        $<$<COMPILE_LANGUAGE:C>:-std=c11 -pedantic -Wall -Wextra -Wconversion>)
endfunction()

mydocker_add_fixture(log c-lines c_driver.c)
mydocker_add_fixture(log c-newer c_driver.c DRIVER_NEWER)
mydocker_add_fixture(log c-short c_driver.c DRIVER_SHORT)
mydocker_add_fixture(storage echo echo_storage.cpp)
mydocker_add_fixture(cgroup echo echo_cgroup.cpp)
mydocker_add_fixture(log echo echo_log.cpp)
mydocker_add_fixture(state echo echo_state.cpp)
mydocker_add_fixture(storage faulty faulty_driver.c)
mydocker_add_fixture(storage nopass faulty_driver.c FAULT_NO_PASSPORT)
mydocker_add_fixture(storage mismatch faulty_driver.c FAULT_OTHER_VERSION)
mydocker_add_fixture(storage hollow faulty_driver.c FAULT_EMPTY_SLOT)
mydocker_add_fixture(storage undefined faulty_driver.c FAULT_UNDEFINED)
mydocker_add_fixture(storage suicide faulty_driver.c FAULT_CONSTRUCTOR)
mydocker_add_fixture(storage needy faulty_driver.c FAULT_LIBRARY)
set_target_properties(plugin_storage_needy PROPERTIES SKIP_BUILD_RPATH ON)

add_library(mydocker_absent SHARED "${MYDOCKER_FIXTURE_SOURCES}/absent.c")
set_target_properties(mydocker_absent PROPERTIES
    OUTPUT_NAME mydocker-absent SOVERSION 3 LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fixtures/elsewhere")
target_link_libraries(plugin_storage_needy PRIVATE mydocker_absent)

# What the tests that load them depend on and are told.
get_property(MYDOCKER_FIXTURES DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER MYDOCKER_FIXTURES INCLUDE REGEX "^plugin_")

add_library(mydocker_c_headers OBJECT "${MYDOCKER_FIXTURE_SOURCES}/c_headers.c")
target_include_directories(mydocker_c_headers PRIVATE "${MYDOCKER_SDK_INCLUDE_DIR}")
target_compile_options(mydocker_c_headers PRIVATE
    -std=c11 -pedantic -Wall -Wextra -Wconversion -Wpadded -Werror)
