# The instances of the standard library's templates that the executor brings (common_uses.h).
#
# Included by both programs, each of which may be built alone. Clang 22 compiles them, so that their
# names and code are those that cells would have. Defines, in the including directory:
#   farside_instances_code   the object with their code
#   farside_instances_table  assembly: names and addresses, for the executor
#   farside_instances_names  their names as C strings, for the compiler
#   farside_common_uses      common_uses.h as a C++ source file that holds its text
set(instances ${CMAKE_CURRENT_LIST_DIR})
find_program(FARSIDE_CLANGXX NAMES clang++-22 HINTS /usr/lib/llvm-22/bin)
find_program(FARSIDE_NM NAMES llvm-nm-22 nm HINTS /usr/lib/llvm-22/bin)
if(NOT FARSIDE_CLANGXX OR NOT FARSIDE_NM)
  message(FATAL_ERROR "farside needs clang++-22 and nm (on Debian: apt-get install clang-22 binutils)")
endif()
set(farside_instances_code ${CMAKE_CURRENT_BINARY_DIR}/instances.o)
set(farside_instances_table ${CMAKE_CURRENT_BINARY_DIR}/instances_table.s)
set(farside_instances_names ${CMAKE_CURRENT_BINARY_DIR}/instances_names.inc)
set(farside_common_uses ${CMAKE_CURRENT_BINARY_DIR}/common_uses.cpp)
add_custom_command(
  OUTPUT ${farside_instances_code}
  COMMAND ${FARSIDE_CLANGXX} -std=c++23 -O2 -fPIC -ffunction-sections -fvisibility=hidden
          -fvisibility-inlines-hidden -isystem ${instances}/../include -c ${instances}/instances.cpp -o ${farside_instances_code}
          -MMD -MF ${farside_instances_code}.d
  DEPENDS ${instances}/instances.cpp ${instances}/common_uses.h
  DEPFILE ${farside_instances_code}.d VERBATIM)
add_custom_command(
  OUTPUT ${farside_instances_table} ${farside_instances_names} ${farside_common_uses}
  COMMAND ${CMAKE_COMMAND} -DNM=${FARSIDE_NM} -DCODE=${farside_instances_code}
          -DTABLE=${farside_instances_table} -DNAMES=${farside_instances_names}
          -DUSES=${instances}/common_uses.h -DTEXT=${farside_common_uses}
          -P ${instances}/list_instances.cmake
  DEPENDS ${farside_instances_code} ${instances}/common_uses.h ${instances}/list_instances.cmake
  VERBATIM)
