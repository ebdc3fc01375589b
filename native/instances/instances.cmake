# The instances of the standard library's templates that the executor brings (common_uses.h).
#
# Included by both programs, each of which may be built alone. Clang 22 compiles them, so that their
# names and code are those that cells would have; where FARSIDE_INSTANCES names a directory they are
# taken from there, where another build of farside has made them. Defines in the including directory,
# with FARSIDE_INSTANCES and a target `instances`:
#   farside_instances_code   objects with their code: large functions, and all without tight loops
#   farside_instances_table  assembly: names and addresses, for the executor
#   farside_instances_names  assembly: their names, for the compiler
#   farside_common_uses      common_uses.h as a C++ source file that holds its text
set(instances ${CMAKE_CURRENT_LIST_DIR})
find_program(FARSIDE_CLANGXX NAMES clang++-22 HINTS /usr/lib/llvm-22/bin)
find_program(FARSIDE_NM NAMES llvm-nm-22 nm HINTS /usr/lib/llvm-22/bin)
if(NOT FARSIDE_CLANGXX OR NOT FARSIDE_NM)
  message(FATAL_ERROR "farside needs clang++-22 and nm (on Debian: apt-get install clang-22 binutils)")
endif()
set(made_elsewhere ON)
if(NOT FARSIDE_INSTANCES)
  set(made_elsewhere OFF)
  set(FARSIDE_INSTANCES ${CMAKE_CURRENT_BINARY_DIR})
endif()
set(large ${FARSIDE_INSTANCES}/large_instances.o)
set(small ${FARSIDE_INSTANCES}/small_instances.o)
set(small_ir ${FARSIDE_INSTANCES}/small_instances.ll)
# The linker takes what both have from the first.
set(farside_instances_code ${large} ${small})
set(farside_instances_table ${FARSIDE_INSTANCES}/instances_table.s)
set(farside_instances_names ${FARSIDE_INSTANCES}/instances_names.s)
set(farside_common_uses ${FARSIDE_INSTANCES}/common_uses.cpp)
if(made_elsewhere)
  add_custom_target(instances)
  return()
endif()
find_package(Python3 COMPONENTS Interpreter REQUIRED)
set(compile ${FARSIDE_CLANGXX} -std=c++23 -O2 -fPIC -ffunction-sections -fvisibility=hidden
    -fvisibility-inlines-hidden -isystem ${instances}/../include ${instances}/instances.cpp -MMD)
set(list ${Python3_EXECUTABLE} -B ${instances}/list_instances.py)
add_custom_command(
  OUTPUT ${large}
  COMMAND ${compile} -MF ${large}.d -c -o ${large}
  DEPENDS ${instances}/instances.cpp ${instances}/common_uses.h
  DEPFILE ${large}.d VERBATIM)
# Clang refers to a constructor of whole objects by the name of that of subobjects where it makes code
# of both, and else by its own.
add_custom_command(
  OUTPUT ${small} ${small_ir}
  COMMAND ${compile} -MT ${small} -MF ${small}.d -S -emit-llvm -Xclang -disable-llvm-passes
          -Xclang -mno-constructor-aliases -o ${small_ir}
  COMMAND ${list} emit ${FARSIDE_CLANGXX} ${small_ir} ${small} -O2 -fPIC -ffunction-sections
  DEPENDS ${instances}/instances.cpp ${instances}/common_uses.h ${instances}/list_instances.py
  DEPFILE ${small}.d VERBATIM)
add_custom_command(
  OUTPUT ${farside_instances_table} ${farside_instances_names} ${farside_common_uses}
  COMMAND ${list} list ${FARSIDE_NM} ${large} ${small} ${small_ir} ${farside_instances_table}
          ${farside_instances_names} ${instances}/common_uses.h ${farside_common_uses}
  DEPENDS ${large} ${small} ${small_ir} ${instances}/common_uses.h ${instances}/list_instances.py
  VERBATIM)
add_custom_target(instances
  DEPENDS ${farside_instances_code} ${farside_instances_table} ${farside_instances_names}
          ${farside_common_uses})
