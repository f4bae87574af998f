# What every target shares: the language, the warnings, the packages, and how a folder declares itself.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# With relative paths only, checkouts in different folders share what ccache keeps.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
                                  CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)

option(SEARCHSYNC_TESTS "Build the unit tests" ON)
option(SEARCHSYNC_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(FUZZ_SECONDS 30 CACHE STRING "How long ctest runs each libFuzzer target")

# GCC 12's <expected> asks for concepts as of 2020-02, which clang 16 has but does not claim. And
# the two give a template in Debian's libfmt different names.
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  add_compile_definitions(FMT_HEADER_ONLY)
  add_compile_options(-U__cpp_concepts -D__cpp_concepts=202002L)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CURL REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(RocksDB REQUIRED)
find_package(simdjson REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(LIBPQXX REQUIRED IMPORTED_TARGET libpqxx)
find_library(HTTPLIB cpp-httplib REQUIRED)
add_library(httplib INTERFACE)
target_link_libraries(httplib INTERFACE ${HTTPLIB} OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
target_compile_definitions(httplib INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT)
if(SEARCHSYNC_TESTS)
  find_package(GTest REQUIRED)
endif()

add_library(searchsync_options INTERFACE)
target_include_directories(searchsync_options INTERFACE ${CMAKE_SOURCE_DIR})
# Designated initializers name what differs from the default: the rest is not missing.
target_compile_options(searchsync_options INTERFACE -Wall -Wextra -Wconversion -Wshadow
                                                   -Wnon-virtual-dtor -Werror
                                                   -Wno-missing-field-initializers)
# GCC's -Wconversion does not mean signs.
target_compile_options(searchsync_options INTERFACE
                       $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>)
# simdjson's on-demand parser is chosen at compile time: without these it has no vectors at all.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
  target_compile_options(searchsync_options INTERFACE -march=x86-64-v2 -mpclmul)
endif()

# searchsync_library(NAME SOURCES a.cc ... DEPS lower ... PACKAGES fmt::fmt ...)
#
# DEPS are our own folders, visible to users of the target; PACKAGES are other people's, and stay
# private: their headers must not appear in ours.
function(searchsync_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PACKAGES" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE searchsync_options ${ARG_PACKAGES})
endfunction()

# searchsync_test(NAME SOURCES a_test.cc ... DEPS ... PACKAGES ... LABELS unit TIMEOUT 900)
#
# The label "threads" has ThreadSanitizer look at it too.
add_custom_target(threads)
function(searchsync_test name)
  if(NOT SEARCHSYNC_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;PACKAGES;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE searchsync_options ${ARG_DEPS} ${ARG_PACKAGES}
                                        GTest::gtest_main GTest::gmock)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${ARG_TIMEOUT} COST ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(threads ${name})
  endif()
endfunction()

# searchsync_fuzz(NAME SOURCES a_fuzz.cc ... DEPS ... PACKAGES ... SEEDS a_fuzz.seeds)
#
# SEEDS is a folder of inputs to begin with. What a run finds is kept in the build folder and is
# where the next one goes on; so is the input of a failure, as NAME-crash-*.
add_custom_target(fuzz)
function(searchsync_fuzz name)
  if(NOT SEARCHSYNC_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "SEEDS" "SOURCES;DEPS;PACKAGES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE searchsync_options ${ARG_DEPS} ${ARG_PACKAGES})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz ${name})

  set(found ${CMAKE_BINARY_DIR}/corpus/${name})
  file(MAKE_DIRECTORY ${found})
  if(ARG_SEEDS)
    cmake_path(ABSOLUTE_PATH ARG_SEEDS)
  endif()
  math(EXPR timeout "${FUZZ_SECONDS} + 60")
  add_test(NAME ${name}
           COMMAND ${name} -max_total_time=${FUZZ_SECONDS} -timeout=10 -print_final_stats=1
                   -artifact_prefix=${CMAKE_BINARY_DIR}/${name}- ${found} ${ARG_SEEDS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} LABELS fuzz)
endfunction()
