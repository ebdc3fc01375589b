# What is installed is the compiler as llvm-bolt lays its code out, where llvm-bolt is there: hot blocks
# one after another, the rest elsewhere. Clang is 80 MB of code, of which a cell runs some hundred
# thousand places; most of what it waits for are instructions that are in no cache.
option(FARSIDE_LAY_OUT "Have llvm-bolt lay out the compiler's code, if it is there" ON)
find_program(FARSIDE_BOLT NAMES llvm-bolt-22 llvm-bolt HINTS ${FARSIDE_LLVM_bindir})
find_program(FARSIDE_LLD NAMES ld.lld PATHS ${FARSIDE_LLVM_bindir} NO_DEFAULT_PATH)
find_program(FARSIDE_STRIP NAMES llvm-strip PATHS ${FARSIDE_LLVM_bindir} NO_DEFAULT_PATH)
find_package(Python3 COMPONENTS Interpreter)
set(FARSIDE_LAID_OUT OFF)
if(FARSIDE_LAY_OUT AND FARSIDE_BOLT AND FARSIDE_LLD AND FARSIDE_STRIP AND Python3_FOUND
   AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(FARSIDE_LAID_OUT ON)
endif()
if(FARSIDE_LAID_OUT)
  message(STATUS "farside-compiler: laid out by ${FARSIDE_BOLT}")
  # llvm-bolt needs the relocations, of which GNU ld leaves some out; LLD links in a sixth of the time,
  # too. Packed relative ones (RELR) come out wrong.
  target_link_options(farside-compiler PRIVATE
    -B${FARSIDE_LLVM_bindir} -fuse-ld=lld -Wl,--emit-relocs)
  set(layout ${CMAKE_CURRENT_SOURCE_DIR}/layout)
  set(laid_out ${CMAKE_CURRENT_BINARY_DIR}/laid-out/farside-compiler)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/laid-out)
  add_custom_command(
    OUTPUT ${laid_out}
    COMMAND ${Python3_EXECUTABLE} -B ${layout}/lay_out.py
      $<TARGET_FILE:farside-compiler> ${layout}/branches.xz ${laid_out} ${FARSIDE_BOLT} ${FARSIDE_STRIP}
    DEPENDS farside-compiler ${layout}/lay_out.py ${layout}/branches.py ${layout}/branches.xz
    COMMENT "Laying out farside-compiler"
    VERBATIM)
  add_custom_target(farside-compiler-laid-out ALL DEPENDS ${laid_out})
  install(PROGRAMS ${laid_out} DESTINATION libexec)
else()
  # A hundredth of the relocations' size, and less work at the start. The C library knows it from
  # 2.36 on, and whoever links it says so.
  include(CheckLinkerFlag)
  check_linker_flag(CXX -Wl,-z,pack-relative-relocs FARSIDE_HAS_RELR)
  if(FARSIDE_HAS_RELR)
    target_link_options(farside-compiler PRIVATE -Wl,-z,pack-relative-relocs)
  endif()
endif()
