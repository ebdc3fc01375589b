// The two entry points of thread-local access.
//
// A TLS descriptor function must preserve every register but RAX, vector registers included. The
// quick path that both try first, `farsideTlsFind`, is compiled to use general registers only, so
// that the costly saving of the vector state is left to the first access of a thread.
#include "tls.h"

#include <cpuid.h>
#include <cstddef>

namespace farside {

// Read by the assembly below. State components: x87, SSE, AVX, AVX-512; 0 where there is no XSAVE.
extern "C" {
__attribute__((visibility("hidden"))) uint64_t farsideXsaveSize = 512;
__attribute__((visibility("hidden"))) uint32_t farsideXsaveMask = 0;
}

void findXsaveLayout() {
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  constexpr uint32_t osxsave = 1u << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & osxsave) == 0 ||
      __get_cpuid_count(0xd, 0, &a, &b, &c, &d) == 0)
    return;
  farsideXsaveSize = (uint64_t{b} + 63) & ~uint64_t{63};
  farsideXsaveMask = 0xe7;
}

// The stack is aligned anew in both: old compilers call __tls_get_addr with a misaligned one.
__asm__(R"(
    .text
    .globl  farside_tls_get_addr
    .type   farside_tls_get_addr, @function
farside_tls_get_addr:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq  %rsp, %rbp
    .cfi_def_cfa_register %rbp
    pushq %rdi
    pushq %rdi
    andq  $-16, %rsp
    call  farsideTlsFind
    testq %rax, %rax
    jne   1f
    movq  -8(%rbp), %rdi
    call  farsideTlsMake
1:  leave
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size farside_tls_get_addr, .-farside_tls_get_addr

    .globl  farside_tlsdesc
    .type   farside_tlsdesc, @function
farside_tlsdesc:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq  %rsp, %rbp
    .cfi_def_cfa_register %rbp
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    movq  8(%rax), %rbx
    andq  $-64, %rsp
    movq  %rbx, %rdi
    call  farsideTlsFind
    testq %rax, %rax
    jne   3f
    subq  farsideXsaveSize(%rip), %rsp
    movl  farsideXsaveMask(%rip), %eax
    testl %eax, %eax
    je    1f
    xorl  %edx, %edx
    movq  %rdx, 512(%rsp)
    movq  %rdx, 520(%rsp)
    movq  %rdx, 528(%rsp)
    movq  %rdx, 536(%rsp)
    movq  %rdx, 544(%rsp)
    movq  %rdx, 552(%rsp)
    movq  %rdx, 560(%rsp)
    movq  %rdx, 568(%rsp)
    xsave64 (%rsp)
    jmp   2f
1:  fxsave64 (%rsp)
2:  movq  %rbx, %rdi
    call  farsideTlsMake
    movq  %rax, %rbx
    movl  farsideXsaveMask(%rip), %eax
    xorl  %edx, %edx
    testl %eax, %eax
    je    4f
    xrstor64 (%rsp)
    jmp   5f
4:  fxrstor64 (%rsp)
5:  movq  %rbx, %rax
3:  subq  %fs:0, %rax
    leaq  -72(%rbp), %rsp
    popq  %rbx
    popq  %r11
    popq  %r10
    popq  %r9
    popq  %r8
    popq  %rcx
    popq  %rdx
    popq  %rsi
    popq  %rdi
    popq  %rbp
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size farside_tlsdesc, .-farside_tlsdesc
)");

} // namespace farside
