# Unit tests and those of the wire. Most stand in one program; those that look into a driver have that
# driver's sources compiled in, and those of privileged call order link the recording double.
include(${CMAKE_CURRENT_SOURCE_DIR}/abi/fixtures.cmake)

file(GLOB UNIT_SOURCES CONFIGURE_DEPENDS unit/*_test.cpp)
file(GLOB UNIT_FAKE CONFIGURE_DEPENDS unit/init_order*_test.cpp unit/mount_test.cpp unit/user_lookup_test.cpp)
file(GLOB UNIT_DRIVERS CONFIGURE_DEPENDS unit/log_*_test.cpp unit/state_*_test.cpp unit/storage_*_test.cpp unit/cgroup_*_test.cpp)
list(REMOVE_ITEM UNIT_SOURCES ${UNIT_FAKE} ${UNIT_DRIVERS})
file(GLOB TEST_SUPPORT_EXTRA CONFIGURE_DEPENDS support/image_support.cpp support/launch_support.cpp)

mydocker_test(unit_core LABEL unit SOURCES ${UNIT_SOURCES} layering_test.cpp ${TEST_SUPPORT_EXTRA}
  LINK mydocker_cli mydocker_init_stages seccomp)
target_compile_definitions(unit_core PRIVATE MYDOCKER_FIXTURE_DIR="${MYDOCKER_FIXTURE_DIR}")
add_dependencies(unit_core ${MYDOCKER_FIXTURES} seccomp_gen)

if(UNIT_FAKE)
  mydocker_test(unit_call_order LABEL unit SYS fake SOURCES ${UNIT_FAKE} LINK mydocker_init_stages mydocker_runtime mydocker_base)
endif()

# A driver's sources without the file that exports it: one program, one plugin descriptor.
function(mydocker_driver_test name driver)
  cmake_parse_arguments(DRIVER "" "" "WITHOUT;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/${driver}/*.cpp)
  if(DRIVER_WITHOUT)
    list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/plugins/${driver}/${DRIVER_WITHOUT})
  endif()
  mydocker_test(unit_${name} LABEL unit SOURCES unit/${name}_test.cpp ${sources} LINK ${DRIVER_LINK})
  target_include_directories(unit_${name} PRIVATE ${CMAKE_SOURCE_DIR})
endfunction()
find_package(Boost REQUIRED COMPONENTS log thread filesystem)
mydocker_driver_test(log_json log/json-file WITHOUT sink.cpp)
mydocker_driver_test(log_text log/text-file LINK Boost::log Boost::thread Boost::filesystem)
mydocker_driver_test(state_json_file state/json-file)
mydocker_driver_test(storage_aufs storage/aufs)
file(GLOB STORAGE_SHARED CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/storage/common/*.cpp)
target_sources(unit_storage_aufs PRIVATE ${STORAGE_SHARED})
if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/unit/cgroup_units_test.cpp)
mydocker_driver_test(cgroup_units cgroup/common)
file(GLOB CGROUP_PURE CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/cgroup/v[12]/device*.cpp)
target_sources(unit_cgroup_units PRIVATE ${CGROUP_PURE})
endif()

file(GLOB ABI_SOURCES CONFIGURE_DEPENDS abi/*_test.cpp)
mydocker_test(abi_wire LABEL unit SOURCES ${ABI_SOURCES} LINK mydocker_plugin mydocker_base)
target_compile_definitions(abi_wire PRIVATE MYDOCKER_FIXTURE_DIR="${MYDOCKER_FIXTURE_DIR}")
add_dependencies(abi_wire ${MYDOCKER_FIXTURES})
