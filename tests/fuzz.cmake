# libFuzzer targets. As tests each runs for ten seconds from its seeds; to search for longer: build/fuzz/tests/NAME
# CORPUS, where a CORPUS of its own keeps what it finds.
add_executable(unpack_seeds fuzz/unpack_seeds.cpp support/image_support.cpp)
target_include_directories(unpack_seeds PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/core)
target_link_libraries(unpack_seeds PRIVATE test_support mydocker_image mydocker_sys)

set(FUZZ_CORPUS ${CMAKE_CURRENT_BINARY_DIR}/corpus)
add_test(NAME fuzz_seeds COMMAND sh -c "mkdir -p ${FUZZ_CORPUS}/unpack_fuzz ${FUZZ_CORPUS}/passport_fuzz && $<TARGET_FILE:unpack_seeds> ${FUZZ_CORPUS}/unpack_fuzz && cp ${MYDOCKER_STAGE}/${MYDOCKER_PLUGIN_DIR}/*.so ${FUZZ_CORPUS}/passport_fuzz")
set_tests_properties(fuzz_seeds PROPERTIES LABELS fuzz FIXTURES_SETUP fuzz_seeds)

file(GLOB FUZZ_SOURCES CONFIGURE_DEPENDS fuzz/*_fuzz.cpp)
foreach(source IN LISTS FUZZ_SOURCES)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/core)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${name} PRIVATE mydocker_cli mydocker_image mydocker_plugin mydocker_sys)
  add_test(NAME fuzz_${name} COMMAND sh -c "mkdir -p ${FUZZ_CORPUS}/${name} && exec $<TARGET_FILE:${name}> -max_total_time=10 -timeout=10 -rss_limit_mb=1024 ${FUZZ_CORPUS}/${name}")
  set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 60 FIXTURES_REQUIRED fuzz_seeds)
endforeach()
