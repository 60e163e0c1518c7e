# mydocker_add_plugin(): builds a plugin the way the engine expects it. Include this file; it works in
# the source tree and from an installed SDK.
#
#   mydocker_add_plugin(<kind> <name> SOURCES <file>… [RUNTIME static|shared] [LIBRARIES <library>…]
#                       [NO_INSTALL])
#
# makes the target plugin_<kind>_<name>, that is the file <kind>-<name>.so in MYDOCKER_PLUGIN_OUTPUT_DIR
# (default: ${CMAKE_BINARY_DIR}/plugins), and, without NO_INSTALL, a rule to install it into
# MYDOCKER_PLUGIN_DIR. <kind>: storage, cgroup, log, state.
#
# One symbol is exported, all others are hidden. The C++ runtime is linked in (RUNTIME static), so that
# the plugin runs with any libstdc++ of the host, and loads ten times faster into programs without one.
# RUNTIME shared is for plugins that use C++ libraries which are shared themselves: strings and
# exceptions then cross between library and plugin.
include_guard(GLOBAL)

set(MYDOCKER_PLUGIN_DIR "lib/mydocker/plugins" CACHE STRING
    "Where plugins are installed, relative to the prefix or absolute")

# Beside this file in the source tree; three levels up when installed as <prefix>/share/mydocker/sdk/.
find_path(MYDOCKER_SDK_INCLUDE_DIR mydocker/abi/base.h
    PATHS "${CMAKE_CURRENT_LIST_DIR}/include" "${CMAKE_CURRENT_LIST_DIR}/../../../include"
    NO_DEFAULT_PATH NO_CACHE REQUIRED)
# A function sees the variables of its caller, who may be in another directory than the one that included
# this file: hence properties.
set_property(GLOBAL PROPERTY MYDOCKER_SDK_INCLUDE_DIR "${MYDOCKER_SDK_INCLUDE_DIR}")
set_property(GLOBAL PROPERTY MYDOCKER_SDK_MAP "${CMAKE_CURRENT_LIST_DIR}/plugin.map")

function(mydocker_add_plugin kind name)
    cmake_parse_arguments(PARSE_ARGV 2 plugin "NO_INSTALL" "RUNTIME" "SOURCES;LIBRARIES")
    if(NOT kind MATCHES "^(storage|cgroup|log|state)$")
        message(FATAL_ERROR
            "mydocker_add_plugin: '${kind}' is no kind of plugin: storage, cgroup, log or state")
    endif()
    if(NOT name MATCHES "^[a-z0-9][a-z0-9_-]*$")
        message(FATAL_ERROR "mydocker_add_plugin: '${name}' is no plugin name, which is of a-z 0-9 - _")
    endif()
    if(NOT plugin_SOURCES)
        message(FATAL_ERROR "mydocker_add_plugin: ${kind} ${name}: SOURCES are missing")
    endif()
    if(plugin_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "mydocker_add_plugin: ${kind} ${name}: unknown: ${plugin_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT plugin_RUNTIME)
        set(plugin_RUNTIME static)
    elseif(NOT plugin_RUNTIME MATCHES "^(static|shared)$")
        message(FATAL_ERROR "mydocker_add_plugin: ${kind} ${name}: RUNTIME is static or shared")
    endif()

    get_property(include_dir GLOBAL PROPERTY MYDOCKER_SDK_INCLUDE_DIR)
    get_property(map GLOBAL PROPERTY MYDOCKER_SDK_MAP)
    if(NOT MYDOCKER_PLUGIN_OUTPUT_DIR)
        set(MYDOCKER_PLUGIN_OUTPUT_DIR "${CMAKE_BINARY_DIR}/plugins")
    endif()
    set(target plugin_${kind}_${name})
    add_library(${target} MODULE ${plugin_SOURCES})
    target_include_directories(${target} SYSTEM PRIVATE "${include_dir}")
    target_compile_features(${target} PRIVATE cxx_std_23)
    set_target_properties(${target} PROPERTIES
        PREFIX "" OUTPUT_NAME "${kind}-${name}" SUFFIX ".so"
        LIBRARY_OUTPUT_DIRECTORY "${MYDOCKER_PLUGIN_OUTPUT_DIR}"
        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
        POSITION_INDEPENDENT_CODE ON
        LINK_DEPENDS "${map}")
    # Without unused functions a static runtime costs a third less.
    target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
    target_link_options(${target} PRIVATE
        "LINKER:--version-script=${map}" "LINKER:-z,now,-z,relro" "LINKER:--gc-sections")
    # A sanitizer's runtime is shared and wants the shared C++ runtime.
    if(plugin_RUNTIME STREQUAL "static" AND NOT MYDOCKER_SANITIZE)
        target_link_options(${target} PRIVATE $<$<LINK_LANGUAGE:CXX>:-static-libstdc++> -static-libgcc)
    endif()
    target_link_libraries(${target} PRIVATE ${plugin_LIBRARIES})
    if(plugin_NO_INSTALL)
        return()
    endif()
    install(TARGETS ${target} LIBRARY DESTINATION "${MYDOCKER_PLUGIN_DIR}")
endfunction()
