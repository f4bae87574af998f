# What every target shares: the language, the warnings, the packages, and how a folder declares itself.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

option(SEARCHSYNC_TESTS "Build the unit tests" ON)
option(SEARCHSYNC_FUZZ "Build the libFuzzer targets (clang only)" OFF)

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

# searchsync_test(NAME SOURCES a_test.cc ... DEPS ... PACKAGES ... LABELS unit TIMEOUT 60)
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
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
