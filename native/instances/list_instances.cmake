# Lists the functions of CODE: see instances.cmake. A table entry is two signed 32-bit distances from
# the table, of the name and of the code, so that nothing has to be relocated when a program starts,
# and the size of the code.
execute_process(
  COMMAND ${NM} --defined-only --format=posix ${CODE}
  OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
# Weak code of std: functions that the optimiser keeps, as they are too large to be inlined.
string(REGEX MATCHALL "(^|\n)_Z[NKSVt][^ \n]* W [0-9a-f]+ [0-9a-f]+" lines "${symbols}")
set(entries "")
set(texts "")
set(names "")
set(number 0)
list(TRANSFORM lines STRIP)
list(FILTER lines EXCLUDE REGEX __farside)
list(SORT lines) # the executor searches by bisection
foreach(line IN LISTS lines)
  string(REGEX MATCH "^([^ ]+) W [0-9a-f]+ ([0-9a-f]+)$" line "${line}")
  set(name ${CMAKE_MATCH_1})
  string(APPEND entries "\t.long .Lname${number} - farsideInstances, ${name} - farsideInstances, 0x${CMAKE_MATCH_2}\n")
  string(APPEND texts ".Lname${number}:\t.asciz \"${name}\"\n")
  string(APPEND names "\"${name}\",\n")
  math(EXPR number "${number} + 1")
endforeach()
if(number LESS 50)
  message(FATAL_ERROR "${CODE} has only ${number} instances")
endif()
file(WRITE ${TABLE}
  "\t.section .rodata.farsideInstances,\"a\",@progbits\n"
  "\t.globl farsideInstances, farsideInstancesEnd\n"
  "\t.hidden farsideInstances\n\t.hidden farsideInstancesEnd\n"
  "\t.balign 4\nfarsideInstances:\n${entries}farsideInstancesEnd:\n${texts}"
  "\t.section .note.GNU-stack,\"\",@progbits\n")
file(WRITE ${NAMES} "${names}")
file(READ ${USES} uses)
file(WRITE ${TEXT}
  "extern const char *const farsideCommonUses;\n"
  "const char *const farsideCommonUses = R\"uses(${uses})uses\";\n")
