# The few helpers every folder's CMakeLists.txt is written with.

add_library(lf_flags INTERFACE)
target_compile_options(lf_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wundef
  -Wvla -Wformat=2 -Wno-missing-field-initializers -fno-common -fno-strict-aliasing
  $<$<BOOL:${LOGFLUME_WERROR}>:-Werror>)
target_compile_definitions(lf_flags INTERFACE _GNU_SOURCE)
if(LOGFLUME_SANITIZE)
  target_compile_options(lf_flags INTERFACE -fsanitize=${LOGFLUME_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(lf_flags INTERFACE -fsanitize=${LOGFLUME_SANITIZE})
endif()
if(LOGFLUME_FUZZ) # coverage to steer by, in every library; tests/fuzz links libFuzzer's main
  target_compile_options(lf_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(LOGFLUME_COVERAGE)
  target_compile_options(lf_flags INTERFACE --coverage)
  target_link_options(lf_flags INTERFACE --coverage)
endif()

# lf_module(NAME [SOURCES file...] [DEPENDS target...] [PRIVATE target...])
# A static library of this folder. Without SOURCES: every *.c beside the CMakeLists.txt. The folder is its public
# include path; DEPENDS are the arrows that its headers show, PRIVATE those that only its sources use.
function(lf_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  if(NOT arg_SOURCES)
    file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  endif()
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "${name}: no sources in ${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>)
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS} PRIVATE lf_flags ${arg_PRIVATE})
endfunction()

# lf_program(NAME SOURCES file... DEPENDS target...)
function(lf_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE lf_flags ${arg_DEPENDS})
endfunction()

# Sanitizers in tests: their report wins over cmocka's handler of SIGSEGV, and the first finding ends the program. TSan
# leaves out what is not instrumented (ZeroMQ, RocksDB).
set(LF_TEST_ENVIRONMENT
  "ASAN_OPTIONS=handle_segv=2:detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=handle_segv=2:halt_on_error=1:ignore_noninstrumented_modules=1")

# lf_unit_tests(LABEL target...): every test_*.c of this folder is one cmocka program; none can be forgotten. Those named
# test_*_threads.c carry the label "threads" too: they are what the tsan preset is for.
# `ninja threaded_tests` builds those alone.
add_custom_target(threaded_tests)
function(lf_unit_tests label)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/test_*.c)
  foreach(source ${sources})
    get_filename_component(stem ${source} NAME_WE)
    add_executable(${stem} ${source})
    target_link_libraries(${stem} PRIVATE lf_flags ${ARGN} PkgConfig::CMOCKA)
    add_test(NAME ${label}.${stem} COMMAND ${stem})
    set(labels unit ${label})
    if(stem MATCHES "_threads$")
      list(APPEND labels threads)
      add_dependencies(threaded_tests ${stem})
    endif()
    set_tests_properties(${label}.${stem} PROPERTIES LABELS "${labels}" TIMEOUT 300 ENVIRONMENT "${LF_TEST_ENVIRONMENT}")
  endforeach()
endfunction()

# lf_fuzzer(NAME source target...): a libFuzzer target of tests/fuzz, in the fuzz preset. In every other build it is a
# program that runs the kept inputs (tests/fuzz/corpus/NAME) once: a finding, once fixed, stays fixed.
# Left out with a word when one of the targets is not part of the build. `ninja fuzzers` builds them all.
add_custom_target(fuzzers)
function(lf_fuzzer name source)
  foreach(target ${ARGN})
    if(NOT TARGET ${target})
      message(STATUS "${name}: left out, since ${target} is not built")
      return()
    endif()
  endforeach()
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE lf_flags ${ARGN})
  add_dependencies(fuzzers ${name})
  if(LOGFLUME_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set(replay ${name} -runs=0 ${corpus})
  else()
    target_link_libraries(${name} PRIVATE fuzz_replay) # main
    set(replay ${name} ${corpus})
  endif()
  add_test(NAME fuzz.${name} COMMAND ${replay})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS "unit;fuzz" TIMEOUT 300 ENVIRONMENT "${LF_TEST_ENVIRONMENT}")
endfunction()
