# Builds the SDK's template as a third party would: a copy of the file, outside the tree, against an
# installed SDK, and has the checker judge the result.
#
#   cmake -DSDK=<directory of MydockerPlugin.cmake and template/>
#         -DCHECK=<mydocker-plugin-check> -DWORK=<scratch directory that only root can write>
#         [-DCXX=<compiler>] -P template_test.cmake
cmake_minimum_required(VERSION 3.25)

foreach(variable SDK CHECK WORK)
    if(NOT ${variable})
        message(FATAL_ERROR "template_test: -D${variable}=… is missing")
    endif()
endforeach()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/source")
file(COPY "${SDK}/template/driver.cpp" DESTINATION "${WORK}/source")
file(WRITE "${WORK}/source/CMakeLists.txt" "\
cmake_minimum_required(VERSION 3.25)
project(my-sink LANGUAGES CXX)
set(CMAKE_CXX_EXTENSIONS OFF)
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
include(${SDK}/MydockerPlugin.cmake)
mydocker_add_plugin(log plain SOURCES driver.cpp)
")
set(compiler)
if(CXX)
    set(compiler "-DCMAKE_CXX_COMPILER=${CXX}")
endif()

foreach(step IN ITEMS configure build check)
    if(step STREQUAL "configure")
        set(command ${CMAKE_COMMAND} -S "${WORK}/source" -B "${WORK}/build" -DCMAKE_BUILD_TYPE=Release ${compiler})
    elseif(step STREQUAL "build")
        set(command ${CMAKE_COMMAND} --build "${WORK}/build")
    else()
        set(command "${CHECK}" "${WORK}/build/plugins/log-plain.so")
    endif()
    execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "template_test: ${step} failed (${result})\n${output}")
    endif()
endforeach()
file(REMOVE_RECURSE "${WORK}")
