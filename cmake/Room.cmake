# A room of the house (ARCHITECTURE.md) is one static library that links only the rooms it may use, so that what runs
# against the direction of the arrows fails to link. tests/structure checks the includes.

add_library(lucivox_flags INTERFACE)
target_compile_options(lucivox_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror>)
target_include_directories(lucivox_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)

# lucivox_room(NAME SOURCES a.cpp ... [USES targets ...])
function(lucivox_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES" ${ARGN})
  add_library(lucivox_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(lucivox_${name} PUBLIC lucivox_flags ${ROOM_USES})
endfunction()

# Compiles a target's files with the shared precompiled header, and a few of them as one, for GCC spends seconds on what
# it finds in the header even in an empty file. So a name in an unnamed namespace may stand in one file of a room alone.
function(lucivox_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
  target_precompile_headers(${target} REUSE_FROM lucivox_pch)
endfunction()

# For rooms that wait for files or call rooms below, in which better code saves less time than compiling it takes.
function(lucivox_compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()
